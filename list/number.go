package list

import "sync/atomic"

// The numbers of lists, by which an element knows its own.
//
// Invariant: 0 is none. After four billion lists numbers come again: a mistake may then not be
// noticed.
//
// Cost: an atomic addition for each list.
var numbers atomic.Uint32

// number returns the number of a new list.
func number() uint32 {
	for {
		if n := numbers.Add(1); n != 0 {
			return n
		}
	}
}

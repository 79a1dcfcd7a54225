package main

import "github.com/gopalloc/palloc"

// A pointer to Go's heap in a context, which does not keep what it leads to alive.

// entry promises that next does not lead to Go's heap.
type entry struct {
	palloc.NoHeapPointers
	next *entry
	n    int
}

// kept is on Go's heap.
var kept = &entry{n: 1}

var pointers = []seed{
	{"cgocheck2", "a pointer to Go's heap is stored", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m")
		e := palloc.New[entry](mc)
		to := new(entry)
		if wrong == 0 {
			to = palloc.New[entry](mc)
		} else {
			kept = to
		}
		e.next = to // mistake 37
	}},
}

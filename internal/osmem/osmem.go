// Package osmem is the only room that talks to the operating system.
//
// It holds: address space reserved in large pieces, made usable by parts, and
// emptied by parts. There are two makers: the system's own, and the Go heap's,
// which is used where there is no other (js, wasip1, plan9), under the race
// detector, which sees nothing outside Go's heap, and with the build tag
// palloc_goheap.
//
// Invariant: an address that was once sold stays reserved to the end of the
// process, so that a stale pointer never comes to point into Go's heap.
//
// Cost: a system call each, except on Go's heap. Never on a hot path.
package osmem

import "errors"

// ErrNoMemory is what a Source answers when the system has no more to give.
// Makers may wrap it with the system's own reason.
var ErrNoMemory = errors.New("the operating system refused memory")

// Source gets memory wholesale. Addresses and sizes of Commit and Discard are
// multiples of the system's page (4 KiB to 64 KiB are known).
type Source interface {
	// Name says which maker this is, for messages and tests.
	Name() string
	// Region is how much address space to reserve at a time, in bytes, when
	// no more is needed: a power of two.
	RegionSize() uintptr
	// Reserve takes size bytes of address space. Nothing may be read or
	// written there before Commit.
	Reserve(size uintptr) (uintptr, error)
	// Release gives back a whole reservation of which no byte was ever sold.
	Release(addr, size uintptr)
	// Commit makes reserved bytes readable and writable. They are zero.
	Commit(addr, size uintptr) error
	// Discard gives the physical memory behind committed bytes back to the
	// system. The bytes stay committed, readable and writable, whatever happens;
	// their content is lost. On an error any of them may be as it was.
	Discard(addr, size uintptr) error
	// Returns says whether Discard really lowers the resident size.
	DiscardFrees() bool
	// Zeroes says whether discarded bytes read as zero until they are written.
	DiscardZeroes() bool
}

var maker = preferred

// Use replaces the maker. It is for tests, and must come before the first
// purchase: it is the seam where memory runs out on demand.
func Use(m Source) { maker = m }

// Current is the maker in use.
func Current() Source { return maker }

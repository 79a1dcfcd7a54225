// Package osmem gets memory from the operating system. No other package does.
//
// It holds: address space that is reserved in large pieces, committed (made usable)
// in parts, and discarded (emptied) in parts. There are two sources: the system, and
// Go's heap. Go's heap is used where there is no file for the system (js, wasip1,
// plan9), under the race detector, which sees nothing outside Go's heap, and with the
// build tag palloc_goheap. To add a system, write a system_NAME.go whose init sets
// current.
//
// Invariant: an address that was once in a block stays reserved to the end of the
// process, so that a stale pointer never comes to point into Go's heap.
//
// Cost: a system call each, except on Go's heap. Never on a hot path.
package osmem

import "errors"

// ErrNoMemory is the error of a Source when the system refuses memory. A Source may
// wrap it together with the system's error.
var ErrNoMemory = errors.New("the operating system refused memory")

// A Source is where memory comes from. Addresses and sizes of Commit and Discard are
// multiples of PageSize (4 KiB to 64 KiB are known). All sizes are in bytes. Any
// goroutine.
type Source interface {
	// Name returns the name of the source, for messages and tests.
	Name() string
	// RegionSize returns how much address space to reserve at a time when no
	// more is needed: a power of two.
	RegionSize() uintptr
	// Reserve returns the address of size bytes of address space. Nothing may be
	// read or written there before Commit. Its error wraps ErrNoMemory.
	Reserve(size uintptr) (uintptr, error)
	// Release gives back a whole reservation of which no byte was ever in a block.
	Release(addr, size uintptr)
	// Commit makes reserved bytes readable and writable. They are zero. Its error
	// wraps ErrNoMemory.
	Commit(addr, size uintptr) error
	// Populates reports whether Populate does anything.
	Populates() bool
	// Populate makes committed bytes resident, which is faster than a page fault for
	// each page. It keeps their content. If the system refuses, nothing happens.
	Populate(addr, size uintptr)
	// Discard returns the physical memory of committed bytes to the system. Their
	// content is lost. They stay committed, readable and writable, also when
	// Discard fails; then each byte may have its old content.
	Discard(addr, size uintptr) error
	// Protects reports whether bytes that are not committed cannot be accessed, and Protect
	// can make them so again.
	Protects() bool
	// Protect empties committed bytes and makes them inaccessible until they are committed
	// again. On an error nothing changed.
	Protect(addr, size uintptr) error
	// DiscardFrees reports whether Discard really lowers the resident size.
	DiscardFrees() bool
	// DiscardZeroes reports whether discarded bytes read as zero until they are
	// written.
	DiscardZeroes() bool
}

// current is the source in use. The file of the system sets it to system{}, where
// there is one and goHeapOnly is false.
var current = GoHeap

// Use replaces the source in use. Tests use it to make memory run out, before any
// memory is reserved.
func Use(s Source) { current = s }

// Current returns the source in use.
func Current() Source { return current }

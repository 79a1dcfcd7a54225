package trace

import "unsafe"

// The contract between a replay and the allocator it drives.
//
// Invariant: contexts go by the numbers of the trace, chunks by their address. A
// back end that needs more finds it in the trace it got at Begin. Cost: one
// indirect call an op.

// Backend is an allocator as a [Replay] sees it. All calls come from one
// goroutine, in the order of the trace. A back end that cannot do what is asked
// panics.
type Backend interface {
	// Begin starts a pass. The table has MaxLive entries: chunks[slot] is the
	// address of the live chunk in that slot. The replay fills it in and clears
	// an entry before Free; entries that a Release ends stay until they are used
	// again, unless the back end clears them.
	Begin(t *Trace, chunks []unsafe.Pointer)

	// End ends the pass and gives back all that it still holds. The replay
	// clears the table afterwards.
	End()

	// OnHeap reports whether chunks lie on Go's heap and live by being in the
	// table. If not, the collector does not scan the table, and no address that
	// was ever in it may come to lie in memory that the collector gives to
	// others.
	OnHeap() bool

	// Create makes context mc under parent, or under None.
	Create(mc, parent uint32)

	// Alloc returns a chunk of size bytes, cleared if zero is set. A chunk of 0
	// bytes is legal; its address is never dereferenced.
	Alloc(mc uint32, size int, zero bool) unsafe.Pointer

	// Free frees a chunk of context mc.
	Free(mc uint32, p unsafe.Pointer)

	// Realloc makes a chunk of context mc, old bytes long, size bytes long. It
	// returns where the chunk now is, with the bytes that fit.
	Realloc(mc uint32, p unsafe.Pointer, old, size int) unsafe.Pointer

	// Release carries out a reset or delete (see Code.Releases) of o.Context().
	// What it ends is Trace.Deaths(o); those chunks are still in the table.
	Release(o Op)

	// SetParent moves context mc under parent, or under None.
	SetParent(mc, parent uint32)

	// SetIdent names what context mc is for; "" for nothing.
	SetIdent(mc uint32, ident string)

	// OnReset registers an empty callback with context mc.
	OnReset(mc uint32)
}

// Checker is a back end that can tell whether its own memory is in order. A verified
// replay asks it at the end of its pass, before End.
type Checker interface {
	// Check returns what is wrong, or nil.
	Check() error
}

package trace

import "unsafe"

// The contract between a trace and the allocator that it is replayed on.
//
// Invariant: a back end has the loop over the ops, not the trace: a call for each
// op, through an interface, would cost as much as an allocation, and nothing is
// inlined through one. Cost: an indirect call for each Play.

// A Backend replays traces on an allocator. A pass is Begin, any number of calls of
// Play, and End; any number of passes may follow each other. All calls come from one
// goroutine. A back end that cannot do what is asked panics.
type Backend interface {
	// Begin starts a pass. The trace is Addressable. What the loop of Play needs is
	// allocated and resident when it returns.
	Begin(t *Trace)

	// Play carries out the next ops of the trace. Over a pass the arguments are
	// consecutive parts of Trace.Ops, from the first on.
	//
	// It does what the recorded program did to the memory, in the least: where an
	// op is Touched, Play writes a byte at both ends of a new chunk, and at the
	// last byte of a resized one. It writes nowhere else but where memory is wanted
	// zeroed.
	Play(ops []Op)

	// Chunk returns the address of the live chunk in a slot. That of a chunk of 0
	// bytes is never dereferenced. It is called between Begin and End only.
	Chunk(slot uint32) unsafe.Pointer

	// End ends the pass. It gives back all that the pass holds.
	End()
}

// A Checker is a back end that can tell whether its own memory is in order.
// [Verify] asks it at the end of its pass, before End.
type Checker interface {
	// Check returns what is wrong, or nil.
	Check() error
}

package trace

import (
	"fmt"
	"math"
	"unsafe"
)

// The replay: walks the ops of a trace and has a back end carry them out.
//
// It does what the recorded program did to the memory, in the least: the first
// and the last byte of every new chunk are written, and the last byte of every
// resized one. Memory wanted zeroed is cleared by the back end, for some have it
// cleared already.
//
// Invariant: between two ops chunks[slot] is the address of every live chunk.
// Cost: a switch, an indirect call and the touches, about 3 ns an op; no Go
// allocation.

// Replay drives a back end through a trace. A pass is Begin, any number of Play
// and End; any number of passes may follow each other. Make one with
// [NewReplay].
type Replay struct {
	t      *Trace
	b      Backend
	chunks []unsafe.Pointer
}

// NewReplay returns a replay of t on b. It fails when t has a chunk that this
// machine cannot address. The table of addresses is made and touched here, so
// that a pass need not pay for it.
func NewReplay(t *Trace, b Backend) (*Replay, error) {
	if t.largest > math.MaxInt {
		return nil, fmt.Errorf("trace: a chunk of %d bytes is more than the %d that can be addressed here", t.largest, math.MaxInt)
	}
	r := &Replay{t: t, b: b, chunks: newTable(t.counts.MaxLive, b.OnHeap())}
	clear(r.chunks)
	return r, nil
}

// newTable makes a table of n addresses, which the collector scans or not.
func newTable(n int, scanned bool) []unsafe.Pointer {
	if scanned || n == 0 {
		return make([]unsafe.Pointer, n)
	}
	words := make([]uintptr, n)
	return unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// Begin starts a pass.
func (r *Replay) Begin() { r.b.Begin(r.t, r.chunks) }

// End ends the pass; the back end gives back what it still holds.
func (r *Replay) End() {
	r.b.End()
	clear(r.chunks)
}

// Play carries out the next ops of the trace. Over a pass the arguments are to
// be consecutive parts of [Trace.Ops], from the first on.
func (r *Replay) Play(ops []Op) {
	b, chunks := r.b, r.chunks
	for i := range ops {
		o := ops[i]
		switch o.code {
		case OpAlloc:
			size := int(o.Size())
			p := b.Alloc(o.mc, size, o.flags&Zero != 0)
			chunks[o.arg] = p
			if size > 0 {
				touch(p, 0)
				touch(p, size-1)
			}
		case OpFree:
			p := chunks[o.arg]
			chunks[o.arg] = nil
			b.Free(o.mc, p)
		case OpRealloc:
			mc, old := r.t.Resize(o)
			size := int(o.Size())
			p := b.Realloc(mc, chunks[o.arg], int(old), size)
			chunks[o.arg] = p
			if size > 0 {
				touch(p, size-1)
			}
		case OpReset, OpResetOnly, OpResetChildren, OpDelete, OpDeleteChildren:
			b.Release(o)
		default:
			r.context(o)
		}
	}
}

// context carries out the ops that are rare: it is separate to keep the loop in
// registers.
func (r *Replay) context(o Op) {
	switch o.code {
	case OpCreate:
		r.b.Create(o.mc, o.arg)
	case OpSetParent:
		r.b.SetParent(o.mc, o.arg)
	case OpSetIdent:
		r.b.SetIdent(o.mc, r.t.Ident(o))
	case OpOnReset:
		r.b.OnReset(o.mc)
	}
}

// touch writes the byte at p+offset, as a program that uses its memory does.
func touch(p unsafe.Pointer, offset int) {
	*(*byte)(unsafe.Add(p, offset)) = 1
}

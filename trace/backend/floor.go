package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// Floor: one scratch buffer for every chunk.
//
// Invariant: the buffer is as long as the largest chunk of the trace. Cost: the
// loop, and clearing memory that is wanted zeroed, which no allocator is spared.

// Floor is no allocator: all chunks are the same memory. What a replay costs
// with it is what the replay itself costs. The zero value is ready.
type Floor struct {
	table   []address
	scratch []byte
}

var _ trace.Backend = (*Floor)(nil)

// Begin makes the buffer, unless there is one from the pass before.
func (b *Floor) Begin(t *trace.Trace) {
	b.table = sized(b.table, t.Counts().MaxLive)
	b.scratch = sized(b.scratch, max(int(t.Largest()), 1))
}

// Play stores and writes as the other back ends do, and calls nothing.
func (b *Floor) Play(ops []trace.Op) {
	if len(ops) == 0 {
		return
	}
	table, p := first(b.table), unsafe.Pointer(unsafe.SliceData(b.scratch))
	for o, last := &ops[0], &ops[len(ops)-1]; ; o = next(o) {
		switch code := o.Code(); {
		case code > trace.OpFree:
			if code == trace.OpRealloc && o.Touched() {
				touchLast(row(table, o.Slot()).chunk(), int(o.Size()))
			}
		case code == trace.OpFree:
		default:
			if o.Zeroed() {
				clear(unsafe.Slice((*byte)(p), int(o.Size())))
			}
			row(table, o.Slot()).set(p)
			if o.Touched() {
				touchEnds(p, int(o.Size()))
			}
		}
		if o == last {
			return
		}
	}
}

// Chunk returns the buffer.
func (b *Floor) Chunk(uint32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b.scratch)) }

// End does nothing: the buffer serves the next pass.
func (b *Floor) End() {}

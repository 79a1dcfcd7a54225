package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// Floor: one scratch buffer for every chunk.
//
// Invariant: the buffer is as long as the largest chunk of the trace. Cost: the
// call, and clearing memory that is wanted zeroed, which no allocator is spared.

// Floor is no allocator: all chunks are the same memory. What a replay costs
// with it is what the replay itself costs. The zero value is ready.
type Floor struct {
	noContexts
	scratch []byte
}

var _ trace.Backend = (*Floor)(nil)

// Begin makes the buffer, unless there is one from the pass before.
func (b *Floor) Begin(t *trace.Trace, _ []unsafe.Pointer) {
	if int64(len(b.scratch)) < t.Largest() {
		b.scratch = make([]byte, t.Largest())
	}
}

// End does nothing: the buffer serves the next pass.
func (b *Floor) End() {}

// OnHeap reports false: no chunk needs the table to live.
func (b *Floor) OnHeap() bool { return false }

// Alloc returns the buffer.
func (b *Floor) Alloc(_ uint32, size int, zero bool) unsafe.Pointer {
	if zero {
		clear(b.scratch[:size])
	}
	return unsafe.Pointer(unsafe.SliceData(b.scratch))
}

// Free does nothing.
func (b *Floor) Free(uint32, unsafe.Pointer) {}

// Realloc returns the buffer.
func (b *Floor) Realloc(_ uint32, p unsafe.Pointer, _, _ int) unsafe.Pointer { return p }

// Release does nothing.
func (b *Floor) Release(trace.Op) {}

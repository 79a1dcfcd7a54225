package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// GoHeap: every chunk a Go allocation of its own, without pointers in it.
//
// Invariant: the replay's table, which the collector scans, holds the only
// reference to a chunk, so a chunk lives exactly while its slot holds it. Cost:
// that of make([]byte, n), and of the collector behind it.

// GoHeap replays a trace on Go's heap, with contexts as nothing: a reset drops
// the chunks one by one. The zero value is ready.
type GoHeap struct {
	noContexts
	t      *trace.Trace
	chunks []unsafe.Pointer
}

var _ trace.Backend = (*GoHeap)(nil)

// Begin keeps the table, to drop chunks from it.
func (b *GoHeap) Begin(t *trace.Trace, chunks []unsafe.Pointer) { b.t, b.chunks = t, chunks }

// End does nothing: the replay clears the table.
func (b *GoHeap) End() {}

// OnHeap reports true.
func (b *GoHeap) OnHeap() bool { return true }

// Alloc makes a slice and returns its memory, which Go has cleared in any case.
func (b *GoHeap) Alloc(_ uint32, size int, _ bool) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
}

// Free does nothing: the replay has dropped the reference.
func (b *GoHeap) Free(uint32, unsafe.Pointer) {}

// Realloc keeps a chunk that shrinks and copies one that grows, as append does.
func (b *GoHeap) Realloc(_ uint32, p unsafe.Pointer, old, size int) unsafe.Pointer {
	if size <= old {
		return p
	}
	grown := make([]byte, size)
	copy(grown, unsafe.Slice((*byte)(p), old))
	return unsafe.Pointer(unsafe.SliceData(grown))
}

// Release drops the chunks that die.
func (b *GoHeap) Release(o trace.Op) {
	for _, slot := range b.t.Deaths(o).Slots {
		b.chunks[slot] = nil
	}
}

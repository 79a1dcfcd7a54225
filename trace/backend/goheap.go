package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// GoHeap: every chunk a Go allocation of its own, without pointers in it.
//
// Invariant: the table, which the collector scans, holds the only reference to a
// chunk, so a chunk lives exactly while its slot holds it. Cost: that of
// make([]byte, n), and of the collector behind it.

// GoHeap replays a trace on Go's heap, with contexts as nothing: a reset drops
// the chunks one by one. The zero value is ready.
type GoHeap struct {
	t     *trace.Trace
	table []unsafe.Pointer
}

var _ trace.Backend = (*GoHeap)(nil)

// Begin makes the table, unless there is one from the pass before.
func (b *GoHeap) Begin(t *trace.Trace) {
	b.t, b.table = t, sized(b.table, t.Counts().MaxLive)
}

// Play makes a slice for each chunk. Go clears all of them.
func (b *GoHeap) Play(ops []trace.Op) {
	table := b.table
	for i := range ops {
		o := &ops[i]
		switch o.Code() {
		case trace.OpAlloc:
			size := int(o.Size())
			p := unsafe.Pointer(unsafe.SliceData(make([]byte, size)))
			table[o.Slot()] = p
			if o.Touched() {
				touchEnds(p, size)
			}
		case trace.OpFree:
			table[o.Slot()] = nil
		case trace.OpRealloc:
			size := int(o.Size())
			_, old := b.t.Resize(*o)
			p := resized(table[o.Slot()], int(old), size)
			table[o.Slot()] = p
			if o.Touched() {
				touchLast(p, size)
			}
		case trace.OpReset, trace.OpResetOnly, trace.OpResetChildren, trace.OpDelete, trace.OpDeleteChildren:
			for _, slot := range b.t.Deaths(*o).Slots {
				table[slot] = nil
			}
		}
	}
}

// resized keeps a chunk that shrinks and copies one that grows, as append does.
func resized(p unsafe.Pointer, old, size int) unsafe.Pointer {
	if size <= old {
		return p
	}
	grown := make([]byte, size)
	copy(grown, unsafe.Slice((*byte)(p), old))
	return unsafe.Pointer(unsafe.SliceData(grown))
}

// Chunk returns what the slot holds.
func (b *GoHeap) Chunk(slot uint32) unsafe.Pointer { return b.table[slot] }

// End drops the chunks that outlive the trace.
func (b *GoHeap) End() { clear(b.table) }

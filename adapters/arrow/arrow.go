// Package arrow lets Apache Arrow for Go have its buffers in a context.
//
// It holds: Allocator, a memory.Allocator of github.com/apache/arrow-go. It does not import Arrow
// itself: the interface has only []byte in it.
//
//	mc := palloc.NewAllocSet(palloc.Top(), "arrow", palloc.Shared())
//	defer mc.Delete()
//	b := array.NewInt64Builder(arrow.New(mc))
//
// Arrow's reference counts work as they do on its own allocators: the last Release frees the buffer.
// What is not released ends with the context, after which nothing that lies in it may be used.
//
// Arrow's own allocator leaves freed buffers to the garbage collector, which hides a use after the
// last Release. Here the memory is used again, as it is with Arrow's mallocator. palloc.Checked, or
// PALLOCDEBUG=checked, finds such a use.
//
// Invariant: every slice that is not empty is all of a chunk, which begins at a multiple of 64.
//
// Cost: that of palloc, and clearing.
package arrow

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Alignment is what Arrow's format recommends, in bytes.
const Alignment = 64

// Allocator is a memory.Allocator whose buffers are chunks of a context. The owner of the context may
// use it; any goroutine, if the context was created with palloc.Shared. A Slab and a Bump will not do.
type Allocator struct{ mc palloc.Context }

// New returns an Allocator for a context. Any goroutine.
func New(mc palloc.Context) *Allocator { return &Allocator{mc} }

// Context returns the context: its Held is what Arrow holds, and its SetLimit limits that.
func (a *Allocator) Context() palloc.Context { return a.mc }

// Allocate returns size bytes, all zero. It panics with an *palloc.OutOfMemoryError when memory runs
// out, which palloc.Scope returns as an error.
func (a *Allocator) Allocate(size int) []byte {
	if size == 0 {
		return []byte{}
	}
	return unsafe.Slice((*byte)(a.mc.AllocAlignedZeroed(size, Alignment)), size) // all of a new chunk
}

// Reallocate resizes b, which Allocate or Reallocate returned, or is empty. It moves it unless it can
// grow where it is, and clears what it adds.
func (a *Allocator) Reallocate(size int, b []byte) []byte {
	switch {
	case cap(b) == 0:
		return a.Allocate(size)
	case size == 0:
		a.Free(b)
		return []byte{}
	}
	p := palloc.ReallocZeroed(unsafe.Pointer(unsafe.SliceData(b)), min(len(b), size), size)
	return unsafe.Slice((*byte)(p), size) // all of the resized chunk
}

// Free frees b, which Allocate or Reallocate returned, or is empty. A second Free is a *palloc.Fault.
func (a *Allocator) Free(b []byte) {
	if cap(b) != 0 {
		palloc.FreePointer(unsafe.Pointer(unsafe.SliceData(b))) // the start of a chunk
	}
}

package trace_test

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// calls is an allocator of the tests, a method for each call that matters.
type calls interface {
	Alloc(size int, zero bool) unsafe.Pointer
	Realloc(p unsafe.Pointer, old, size int) unsafe.Pointer
	Release()
	BeforeReset()
	Check() error
}

// played is the back end that makes the calls.
type played struct {
	calls
	t      *trace.Trace
	chunks []unsafe.Pointer
}

func (b *played) Begin(t *trace.Trace) {
	b.t, b.chunks = t, make([]unsafe.Pointer, t.Counts().MaxLive)
}

func (b *played) Play(ops []trace.Op) {
	for _, o := range ops {
		if o.Touched() {
			panic("a verified replay does not write to chunks")
		}
		switch code := o.Code(); {
		case code == trace.OpAlloc:
			b.chunks[o.Slot()] = b.Alloc(int(o.Size()), o.Zeroed())
		case code == trace.OpRealloc:
			_, old := b.t.Resize(o)
			b.chunks[o.Slot()] = b.Realloc(b.chunks[o.Slot()], int(old), int(o.Size()))
		case code.Releases():
			b.Release()
		case code == trace.OpOnReset:
			b.BeforeReset()
		}
	}
}

func (b *played) Chunk(slot uint32) unsafe.Pointer { return b.chunks[slot] }
func (b *played) End()                             {}

// honest keeps every promise: chunks are slices, contexts are nothing. The broken
// allocators of the tests embed it and break one promise each.
type honest struct{}

func (*honest) Release()     {}
func (*honest) BeforeReset() {}
func (*honest) Check() error { return nil }

// Alloc returns memory that is not zero unless that was asked for.
func (*honest) Alloc(size int, zero bool) unsafe.Pointer {
	s := make([]byte, size)
	for i := range s {
		if !zero {
			s[i] = 0xee
		}
	}
	return unsafe.Pointer(unsafe.SliceData(s))
}

func (b *honest) Realloc(p unsafe.Pointer, old, size int) unsafe.Pointer {
	q := b.Alloc(size, false)
	copy(unsafe.Slice((*byte)(q), size), unsafe.Slice((*byte)(p), old))
	return q
}

package trace_test

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// honest is a back end that keeps every promise: chunks are slices, contexts are
// nothing. The broken back ends of the tests embed it and break one promise each.
type honest struct {
	t      *trace.Trace
	chunks []unsafe.Pointer
}

func (b *honest) Begin(t *trace.Trace, chunks []unsafe.Pointer) { b.t, b.chunks = t, chunks }
func (b *honest) End()                                          {}
func (b *honest) OnHeap() bool                                  { return true }
func (b *honest) Create(mc, parent uint32)                      {}
func (b *honest) SetParent(mc, parent uint32)                   {}
func (b *honest) SetIdent(mc uint32, ident string)              {}
func (b *honest) OnReset(mc uint32)                             {}
func (b *honest) Free(mc uint32, p unsafe.Pointer)              {}

// Alloc returns memory that is not zero unless that was asked for.
func (b *honest) Alloc(_ uint32, size int, zero bool) unsafe.Pointer {
	s := make([]byte, size)
	for i := range s {
		if !zero {
			s[i] = 0xee
		}
	}
	return unsafe.Pointer(unsafe.SliceData(s))
}

func (b *honest) Realloc(mc uint32, p unsafe.Pointer, old, size int) unsafe.Pointer {
	q := b.Alloc(mc, size, false)
	copy(unsafe.Slice((*byte)(q), size), unsafe.Slice((*byte)(p), old))
	return q
}

func (b *honest) Release(o trace.Op) {
	for _, slot := range b.t.Deaths(o).Slots {
		b.chunks[slot] = nil
	}
}

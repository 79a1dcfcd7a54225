package trace_test

import (
	"unsafe"
	"weak"
)

// watched hands out chunks of Go's heap and keeps a weak eye on the last one.
type watched struct {
	honest
	onHeap bool
	last   weak.Pointer[[64]byte]
}

func (b *watched) OnHeap() bool { return b.onHeap }

func (b *watched) Alloc(uint32, int, bool) unsafe.Pointer {
	chunk := new([64]byte)
	b.last = weak.Make(chunk)
	return unsafe.Pointer(chunk)
}

func (b *watched) weakIsAlive() bool { return b.last.Value() != nil }

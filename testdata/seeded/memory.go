package main

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Accesses beyond a chunk, or after its end. Each is the same instruction in the twin.

// sink takes what is read.
var sink byte

// span is a struct of 32 bytes, of which the last field is accessed.
type span struct{ from, to, line, used int64 }

var memory = []seed{
	{"asan", "a write 1 byte behind 1 byte, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").Alloc(1)
		*(*byte)(unsafe.Add(p, 0+wrong)) = 1 // mistake 1
	}},
	{"asan", "a read 1 byte behind 24, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").AllocZeroed(24)
		sink = *(*byte)(unsafe.Add(p, 23+wrong)) // mistake 2
	}},
	{"asan", "a write of a word across the end of 60 bytes, Slab", func(wrong int) {
		p := palloc.NewSlab(palloc.Top(), "m", 60).Alloc(60)
		*(*uint64)(unsafe.Add(p, 48+8*wrong)) = 1 // mistake 3
	}},
	{"asan", "a read 8 bytes behind 100, Generation", func(wrong int) {
		p := palloc.NewGeneration(palloc.Top(), "m").AllocZeroed(100)
		sink = *(*byte)(unsafe.Add(p, 99+8*wrong)) // mistake 4
	}},
	{"asan", "a write 1 byte behind 7, Bump", func(wrong int) {
		p := palloc.NewBump(palloc.Top(), "m").Alloc(7)
		*(*byte)(unsafe.Add(p, 6+wrong)) = 1 // mistake 5
	}},
	{"asan", "a write 1 byte behind 300, Shared", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m", palloc.Shared()).Alloc(300)
		*(*byte)(unsafe.Add(p, 299+wrong)) = 1 // mistake 6
	}},
	{"asan", "a read 1 byte behind 8 KiB, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").AllocZeroed(8 << 10)
		sink = *(*byte)(unsafe.Add(p, 8<<10-1+wrong)) // mistake 7
	}},
	{"asan", "a write 1 byte behind 64 KiB, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").Alloc(64 << 10)
		*(*byte)(unsafe.Add(p, 64<<10-1+wrong)) = 1 // mistake 8
	}},
	{"asan", "a read of a word behind 64 KiB, Bump", func(wrong int) {
		p := palloc.NewBump(palloc.Top(), "m").AllocZeroed(64 << 10)
		sink = byte(*(*uint64)(unsafe.Add(p, 64<<10-8+8*wrong))) // mistake 9
	}},
	{"asan", "a write 12 bytes before 48, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").Alloc(48)
		*(*uint32)(unsafe.Add(p, -12*wrong)) = 1 // mistake 10
	}},
	{"asan", "a read 16 bytes before 128, Slab", func(wrong int) {
		p := palloc.NewSlab(palloc.Top(), "m", 128).AllocZeroed(128)
		sink = byte(*(*uint64)(unsafe.Add(p, -16*wrong))) // mistake 11
	}},
	{"asan", "a write of an element behind a slice, Shared", func(wrong int) {
		s := palloc.MakeSlice[int32](palloc.NewAllocSet(palloc.Top(), "m", palloc.Shared()), 5, 5)
		s = unsafe.Slice(unsafe.SliceData(s), 5+wrong)
		s[4+wrong] = 1 // mistake 12
	}},
	{"asan", "a loop of one byte too many, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").Alloc(500)
		for i := range 500 + wrong {
			*(*byte)(unsafe.Add(p, i)) = byte(i) // mistake 13
		}
	}},
	{"asan", "a write behind 100 bytes of which 40 were kept by Realloc, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").Alloc(100)
		p = palloc.Realloc(p, 40)
		*(*byte)(unsafe.Add(p, 39+wrong)) = 1 // mistake 14
	}},
	{"asan", "a read of 16 freed bytes, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").AllocZeroed(16)
		if wrong == 1 {
			palloc.FreePointer(p)
		}
		sink = *(*byte)(p) // mistake 15
	}},
	{"asan", "a write to 4 KiB freed, Slab", func(wrong int) {
		p := palloc.NewSlab(palloc.Top(), "m", 4<<10).Alloc(4 << 10)
		if wrong == 1 {
			palloc.FreePointer(p)
		}
		*(*byte)(unsafe.Add(p, 4095)) = 1 // mistake 16
	}},
	{"asan", "a write to a field of a freed value, Generation", func(wrong int) {
		v := palloc.New[span](palloc.NewGeneration(palloc.Top(), "m"))
		if wrong == 1 {
			palloc.Free(v)
		}
		v.used = 1 // mistake 17
	}},
	{"asan", "a read of freed bytes, Shared", func(wrong int) {
		s := palloc.Clone(palloc.NewAllocSet(palloc.Top(), "m", palloc.Shared()), []byte("some bytes"))
		if wrong == 1 {
			palloc.FreeSlice(s)
		}
		sink = s[len(s)-1] // mistake 18
	}},
	{"asan", "a write after a reset, Bump", func(wrong int) {
		mc := palloc.NewBump(palloc.Top(), "m")
		s := palloc.MakeSlice[uint64](mc, 5, 5)
		if wrong == 1 {
			mc.Reset()
		}
		s[0] = 1 // mistake 19
	}},
	{"asan", "a read of 64 KiB after a reset, AllocSet", func(wrong int) {
		mc := palloc.NewAllocSet(palloc.Top(), "m")
		p := mc.AllocZeroed(64 << 10)
		if wrong == 1 {
			mc.Reset()
		}
		sink = *(*byte)(unsafe.Add(p, 32<<10)) // mistake 20
	}},
	{"asan", "a write after the deletion of the parent, Generation", func(wrong int) {
		above := palloc.NewAllocSet(palloc.Top(), "above")
		p := palloc.NewGeneration(above, "m").Alloc(1000)
		if wrong == 1 {
			above.Delete()
		}
		*(*byte)(p) = 1 // mistake 21
	}},
	{"asan", "a read through a slice that Append moved, Generation", func(wrong int) {
		mc := palloc.NewGeneration(palloc.Top(), "m")
		s := palloc.MakeSlice[byte](mc, 16, 16)
		if wrong == 1 {
			palloc.Append(mc, s, 1)
		}
		sink = s[0] // mistake 22
	}},
	{"asan", "a write through the bytes of a Buffer that moved, AllocSet", func(wrong int) {
		b := palloc.NewBuffer(palloc.NewAllocSet(palloc.Top(), "m"))
		b.WriteString("first")
		s := b.Bytes()
		if wrong == 1 {
			b.Grow(1 << 10)
		}
		s[0] = 'F' // mistake 23
	}},
	{"asan", "a read of 64 freed bytes that begin at a multiple of 64, AllocSet", func(wrong int) {
		p := palloc.NewAllocSet(palloc.Top(), "m").AllocAligned(64, 64)
		if wrong == 1 {
			palloc.FreePointer(p)
		}
		sink = *(*byte)(unsafe.Add(p, 63)) // mistake 24
	}},
}

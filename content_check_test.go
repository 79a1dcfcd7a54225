package palloc_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// What a program writes to its chunks is no damage: a chunk may lie where headers of earlier
// chunks are, and a few bytes that are written over them make other headers of them.

func TestContentIsNoCorruption(t *testing.T) {
	for _, kind := range []struct {
		name   string
		create func(parent palloc.Context) palloc.Context
	}{
		{"AllocSet", func(parent palloc.Context) palloc.Context { return palloc.NewAllocSet(parent, "written") }},
		{"Shared", func(parent palloc.Context) palloc.Context {
			return palloc.NewAllocSet(parent, "written", palloc.Shared())
		}},
		{"Generation", func(parent palloc.Context) palloc.Context { return palloc.NewGeneration(parent, "written") }},
	} {
		t.Run(kind.name, func(t *testing.T) {
			mc := kind.create(newRoot(t))
			var small []unsafe.Pointer
			for i := range 600 {
				small = append(small, mc.Alloc(8+i*i%7*8)) // headers at all multiples of 8
			}
			for i, p := range small {
				if i%100 != 0 {
					palloc.FreePointer(p)
				}
			}
			mc.Compact()
			for size := 1; size < 200; size += 4 {
				writeAllBytes(t, mc, size)
			}
		})
	}
}

// writeAllBytes writes each byte to chunks of a size, and checks the context.
func writeAllBytes(t *testing.T, mc palloc.Context, size int) {
	t.Helper()
	for value := range 256 {
		var chunks [20]unsafe.Pointer
		for i := range chunks {
			chunks[i] = mc.Alloc(size)
			for at := range size {
				*(*byte)(unsafe.Add(chunks[i], at)) = byte(value)
			}
		}
		if err := mc.Check(); err != nil {
			t.Fatalf("a chunk of %d bytes is all %#x: %v", size, value, err)
		}
		for _, p := range chunks {
			palloc.FreePointer(p)
		}
		mc.Compact()
	}
}

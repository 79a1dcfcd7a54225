package palloc_test

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The content of a chunk is the program's: no content is taken for free memory, not even
// where it leaves a part of what was there before.

// TestContentIsNoFreeMemory joins three small chunks into one free piece, which becomes a
// chunk of 32 bytes. Its last word is a former header, of which the program writes one byte.
func TestContentIsNoFreeMemory(t *testing.T) {
	low := 24
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low = 31
	}
	for value := range 256 {
		mc := palloc.NewAllocSet(palloc.Top(), "test")
		mc.Alloc(8)
		a, b, c := mc.Alloc(8), mc.Alloc(8), mc.Alloc(8)
		mc.Alloc(8)
		for _, p := range []unsafe.Pointer{c, b, a} { // the last freed joins the others
			palloc.FreePointer(p)
		}
		mc.Compact()
		chunk := unsafe.Slice((*byte)(mc.Alloc(32)), 32)
		chunk[low] = byte(value)
		mc.Compact()
		mc.Alloc(0)
		if err := mc.Check(); err != nil {
			t.Errorf("a byte %#x: %v", value, err)
		}
		if chunk[low] != byte(value) {
			t.Errorf("a byte %#x became %#x", value, chunk[low])
		}
		mc.Delete()
	}
}

// TestLargeChunkIsFreedOnce frees a large chunk of a Generation twice, after many small
// chunks have come to share its block.
func TestLargeChunkIsFreedOnce(t *testing.T) {
	for size := 2100; size < 32<<10; size += 500 {
		mc := palloc.NewGeneration(palloc.Top(), "test", palloc.BlockSizes(1<<10, 32<<10))
		var large []unsafe.Pointer
		for range 20 {
			large = append(large, mc.Alloc(size))
		}
		for _, p := range large {
			palloc.FreePointer(p)
		}
		live := map[unsafe.Pointer]bool{}
		for range 2000 {
			live[mc.Alloc(200)] = true
		}
		for _, p := range large {
			if !live[p] {
				func() {
					defer func() {
						if _, ok := recover().(*palloc.Fault); !ok {
							t.Errorf("a chunk of %d bytes was freed twice", size)
						}
					}()
					palloc.FreePointer(p)
				}()
			}
		}
		if err := mc.Check(); err != nil {
			t.Error(err)
		}
		mc.Delete()
	}
}

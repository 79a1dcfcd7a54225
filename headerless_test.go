package palloc_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The word before a Bump's chunk is no header, also where it was not written to since the
// block belonged to another context.

func TestAGenerationsHeadIsNoHeaderOfABumpsChunk(t *testing.T) {
	for size := 1 << 10; size <= 32<<10; size *= sized(2, 4) {
		root := newRoot(t)
		generation := palloc.NewGeneration(root, "generation", palloc.BlockSizes(size, size))
		var chunks []unsafe.Pointer
		for generation.Stats().Blocks < 4 {
			chunks = append(chunks, generation.Alloc(100))
		}
		for _, p := range chunks {
			palloc.FreePointer(p)
		}
		bump := palloc.NewBump(root, "bump", palloc.BlockSizes(size, size))
		for bump.Stats().Blocks < 5 {
			p := bump.Alloc(8) // not written to
			for op, f := range map[string]func(){
				"UsableSize": func() { palloc.UsableSize(p) },
				"Realloc":    func() { palloc.Realloc(p, 8) },
				"Free":       func() { palloc.FreePointer(p) },
			} {
				wantFault(t, f, op, bump.Path(), "have no header")
			}
		}
	}
}

// Command reuse shows what becomes of a chunk that is freed in an AllocSet: it serves its size class,
// then any size, and at last its block goes back.
package main

import (
	"fmt"

	"github.com/gopalloc/palloc"
)

func main() {
	mc := palloc.NewAllocSet(palloc.Top(), "mc")
	defer mc.Delete()

	p := mc.Alloc(100)
	fmt.Println("100 bytes: usable", palloc.UsableSize(p), "- with its header", palloc.Footprint(p))
	palloc.FreePointer(p)
	fmt.Println("another 100 bytes get the same chunk:", mc.Alloc(100) == p)

	var chunks []*[100]byte
	for range 10_000 {
		chunks = append(chunks, palloc.New[[100]byte](mc))
	}
	report("10,000 chunks", mc)
	for _, p := range chunks {
		palloc.Free(p)
	}
	report("all freed", mc)
	for range 400 {
		mc.Alloc(1000)
	}
	report("400 of 1000 bytes", mc)
	mc.Compact()
	report("compacted", mc)
	mc.Reset()
	report("reset", mc)
}

func report(when string, mc palloc.Context) {
	s := mc.Stats()
	fmt.Printf("%-18s %8d held in %2d blocks, %8d free in %5d chunks\n", when, s.Held, s.Blocks, s.Free, s.FreeChunks)
}

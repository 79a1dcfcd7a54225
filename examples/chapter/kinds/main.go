// Command kinds runs one program in a context of each kind: a queue of 10,000 messages of 40 bytes,
// which are freed in the order of their coming, down to the last hundred.
package main

import (
	"fmt"

	"github.com/gopalloc/palloc"
)

type message struct{ Words [5]uint64 }

func main() {
	top := palloc.NewAllocSet(palloc.Top(), "kinds")
	defer top.Delete()
	fmt.Println("kind          a chunk   10,000 live   100 live   compacted")
	for _, mc := range []palloc.Context{
		palloc.NewAllocSet(top, "set"),
		palloc.NewSlab(top, "slab", 40),
		palloc.NewGeneration(top, "generation"),
		palloc.NewBump(top, "bump"),
	} {
		queue := make([]*message, 10_000)
		for i := range queue {
			queue[i] = palloc.New[message](mc)
		}
		live := mc.Stats()
		if mc.Kind().Frees() {
			for _, m := range queue[:9_900] {
				palloc.Free(m)
			}
		}
		kept := mc.Held()
		mc.Compact()
		fmt.Printf("%-10s %10.1f %13d %10d %11d\n", mc.Kind(), float64(live.Used)/10_000, live.Held, kept, mc.Held())
	}
}

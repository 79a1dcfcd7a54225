// Command fields reads, of a context with a child, what PostgreSQL keeps in MemoryContextData.
package main

import (
	"fmt"

	"github.com/gopalloc/palloc"
)

func main() {
	parent := palloc.NewAllocSet(palloc.Top(), "parent")
	defer parent.Delete()
	mc := palloc.NewAllocSet(parent, "mc")
	mc.SetIdent("portal 17")
	mc.BeforeReset(func() { fmt.Println("reset_cbs: called") })
	fmt.Println("isReset, before:", mc.IsEmpty())
	mc.Alloc(100)
	palloc.NewBump(mc, "first")
	palloc.NewBump(mc, "second")

	fmt.Println("type:          ", mc.Kind())
	fmt.Println("isReset:       ", mc.IsEmpty())
	fmt.Println("mem_allocated: ", mc.Held())
	fmt.Println("parent:        ", mc.Parent().Name())
	for child := range mc.Children() { // firstchild, and from there nextchild
		fmt.Println("child:         ", child.Name())
	}
	fmt.Println("name:          ", mc.Name())
	fmt.Println("ident:         ", mc.Ident())
	mc.Reset()
	fmt.Println("isReset, after:", mc.IsEmpty())
}

// Command reset shows in which order the callbacks of contexts run, and what a reset leaves.
package main

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
)

func main() {
	parent := palloc.NewAllocSet(palloc.Top(), "parent")
	older := palloc.NewAllocSet(parent, "older")
	newer := palloc.NewAllocSet(parent, "newer")
	for _, mc := range []palloc.Context{parent, older, newer, palloc.NewBump(older, "grandchild")} {
		for n := range 2 {
			mc.BeforeReset(func() { fmt.Print(" ", mc.Name(), ".", n+1) })
		}
		mc.Alloc(500)
	}

	fmt.Print("first reset: ")
	parent.Reset()
	fmt.Print("\nsecond reset:")
	parent.Reset()
	fmt.Println("\nafter it:     children live:", older.Live() || newer.Live(), " held:", parent.Held())

	p := palloc.New[[100]byte](parent)
	fmt.Println("allocated:    held:", parent.Held(), " used:", parent.Stats().Used)
	parent.Delete()
	fmt.Println("deleted:      live:", parent.Live(), " freed again:", said(func() { palloc.Free(p) }))

	err := palloc.Scope(palloc.Top(), "request", func(mc palloc.Context) error {
		mc.BeforeReset(func() { fmt.Println("scope:        its file is closed") })
		return errors.New("no such row")
	})
	fmt.Println("scope:        ", err)
}

// said runs f, and returns the reason of the Fault with which it panics.
func said(f func()) (reason string) {
	defer func() {
		if fault, _ := recover().(*palloc.Fault); fault != nil {
			reason = fault.Reason
		}
	}()
	f()
	return "nothing"
}

package palloc_test

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The fault matrix: contexts and chunks that are never freed, and copies of a Buffer.

var leaking = []misuse{
	{rows: "57", what: "copied Buffer, both written to", kinds: "AGBH", do: copyBuffer,
		want: wanted{mistake: isMisuse, facts: "call", says: "copied|copy", by: "handle"}},
	{rows: "58", what: "context never deleted", kinds: "A", do: leakContexts(1),
		want: wanted{by: "Leaks"}},
	{rows: "59", what: "missing Delete on an error path", kinds: "A", do: leakContexts(34),
		want: wanted{by: "Leaks"}},
	{rows: "60", what: "chunks leaked in a long-lived context", kinds: "ASGH", do: leakChunks,
		want: wanted{by: "chunks by line"}},
	{rows: "B40", what: "context leaked", kinds: "ASGB", do: leakContexts(1),
		want: wanted{by: "Leaks"}},
}

func copyBuffer(c *cell) {
	b := palloc.NewBuffer(c.mc)
	b.WriteString("hello")
	twin := *b
	if c.right {
		twin = *palloc.NewBuffer(c.mc)
	}
	b.WriteString("A")
	c.call.do(func() { twin.WriteString("B") })
}

func leakContexts(n int) func(c *cell) {
	return func(c *cell) {
		leak := func() palloc.Context { return at(&c.made, c.create(c.mc, "request")) }
		for i := range 100 {
			d := leak()
			d.Alloc(c.size)
			if c.right || i >= n {
				d.Delete()
			}
		}
		c.told = false
		for _, l := range palloc.Leaks(c.mc, 0) {
			if l.Name == "request" {
				c.told = l.Count == n && strings.HasPrefix(l.Created, "faultmatrix_test.go:") // where c.create is
				if c.right {
					c.silent = fmt.Errorf("a leak: %v", l)
				}
			}
		}
	}
}

func leakChunks(c *cell) {
	leak := func() unsafe.Pointer { return at(&c.made, c.mc.Alloc(c.size)) }
	for range 1000 {
		p := leak()
		if c.right {
			palloc.FreePointer(p)
		}
	}
	c.lineOf(1000, c.size)
}

// lineOf looks for the live chunks of the cell's line: count of a size.
func (c *cell) lineOf(count, size int) {
	for _, g := range palloc.LiveChunks(c.mc) {
		if !isAt(g.Made, c.made, 1) {
			continue
		}
		c.told = g.Count == count && g.Size == size && g.Context == "Top/matrix/victim"
		if c.right {
			c.silent = fmt.Errorf("a leak: %v", g)
		}
	}
}

package palloc_test

import (
	"github.com/gopalloc/palloc"
)

// The fault matrix: handles of contexts that were deleted, the tree, sizes, callbacks and critical sections.

var isGone = []palloc.Mistake{palloc.Gone}

var handles = []misuse{
	{rows: "40", what: "handle used after Delete", kinds: "ASGBH", do: useDeleted,
		want: wanted{mistake: isGone, facts: "ended call", says: "$ended", by: "handle"}},
	{rows: "41", what: "handle used after its node serves another context of the name", kinds: "ASGBH", do: useReplaced,
		want: wanted{mistake: isGone, facts: "ended call", says: "$ended", by: "handle"}},
	{rows: "42", what: "child's handle used after its parent's Reset", kinds: "ASGBH", do: useChild,
		want: wanted{mistake: isGone, facts: "ended call", says: "$ended", by: "handle"}},
	{rows: "43", what: "double Delete", kinds: "ASGBH", do: deleteTwice,
		want: wanted{mistake: isGone, facts: "ended call", says: "$ended", by: "handle"}},
	{rows: "44", what: "cycle by SetParent", kinds: "A", do: makeCycle,
		want: wanted{mistake: isMisuse, facts: "call", says: "below|itself|cycle", by: "arguments"}},
}

var others = []misuse{
	{rows: "62", what: "Slab, wrong size", kinds: "S", do: wrongSize,
		want: wanted{mistake: isMisuse, facts: "call", says: "64 bytes, not of 65", by: "kind"}},
	{rows: "63", what: "Slab, Realloc to another size", kinds: "S", do: resizeTo(65),
		want: wanted{mistake: isMisuse, facts: "call", says: "resized to 65", by: "kind"}},
	{rows: "64", what: "Bump, Realloc", kinds: "B", do: resizeTo(65),
		want: wanted{mistake: isMisuse, facts: "call", says: "none can be", by: "kind"}},
	{rows: "65", what: "negative size", kinds: "ASGBH", do: negativeSize,
		want: wanted{mistake: isMisuse, facts: "call", says: "negative", by: "arguments"}},
	{rows: "66", what: "alignment that is no power of two", kinds: "A", do: oddAlignment,
		want: wanted{mistake: isMisuse, facts: "call", says: "power of two", by: "arguments"}},
	{rows: "68", what: "BeforeReset callback that registers itself again, forever", kinds: "A", do: callbackForever,
		want: wanted{mistake: isMisuse, facts: "call", says: "1000", by: "count"}},
	{rows: "69", what: "BeforeReset callback that creates a child, forever", kinds: "A", do: childForever,
		want: wanted{mistake: isMisuse, facts: "call", says: "1000", by: "count"}},
	{rows: "70", what: "OnPressure callback resets the context that allocates", kinds: "AGBH", do: resetUnderPressure,
		want: wanted{mistake: isGone, facts: "call", says: "a callback of OnPressure reset", by: "handle"}},
	{rows: "B39", what: "OnPressure callback resets the context that allocates", kinds: "AGB", do: resetUnderPressure,
		want: wanted{mistake: isGone, facts: "call", says: "a callback of OnPressure reset", by: "handle"}},
	{rows: "B39", what: "BeforeReset callback deletes the context that is reset", kinds: "S", do: deleteInReset,
		want: wanted{mistake: isGone, says: "deleted by Context.Delete", by: "handle"}},
	{rows: "76", what: "EnterCritical without leave", kinds: "A", do: neverLeave,
		want: wanted{mistake: isMisuse, facts: "call", says: "$made", by: "section"}},
	{rows: "77", what: "BeforeReset(nil)", kinds: "A", do: nilCallback,
		want: wanted{mistake: isMisuse, facts: "call", says: "the function is nil", by: "arguments"}},
}

func useDeleted(c *cell) {
	if c.chunks(); c.right {
		c.mc.Alloc(c.size)
	}
	if deletion(c); !c.right {
		c.call.do(func() { c.mc.Alloc(c.size) })
	}
}

func useReplaced(c *cell) {
	c.chunks()
	old := c.mc
	deletion(c)
	if c.mc = c.create(c.parent, "victim"); c.right {
		old = c.mc
	}
	c.call.do(func() { old.Alloc(c.size) })
}

func useChild(c *cell) {
	child := c.create(c.mc, "child")
	child.Alloc(c.size)
	reset(c)
	c.live = nil
	if c.right {
		child = c.create(c.mc, "child")
	} else {
		c.name = "child"
	}
	c.call.do(func() { child.Alloc(c.size) })
}

func deleteTwice(c *cell) {
	c.chunks()
	if deletion(c); !c.right {
		c.call.do(func() { c.mc.Delete() })
	}
}

func makeCycle(c *cell) {
	child := palloc.NewAllocSet(c.mc, "c")
	c.name = "victim/c"
	if c.right {
		c.call.do(func() { child.SetParent(c.mc) })
	} else {
		c.call.do(func() { c.mc.SetParent(child) })
	}
}

// more returns what is one more than a number in the wrong program.
func (c *cell) more(n int) int {
	if c.right {
		return n
	}
	return n + 1
}

func wrongSize(c *cell) { c.call.do(func() { c.mc.Alloc(c.more(c.size)) }) }

func resizeTo(wrong int) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		switch {
		case !c.right:
			c.call.do(func() { palloc.Realloc(p, wrong) })
		case c.letter != 'B':
			palloc.Realloc(p, c.size)
		}
	}
}

func negativeSize(c *cell) {
	size := -1
	if c.right {
		size = c.size
	}
	c.call.do(func() { c.mc.Alloc(size) })
}

func oddAlignment(c *cell) {
	align := 24
	if c.right {
		align = 32
	}
	c.call.do(func() { c.mc.AllocAligned(8, align) })
}

// most is how often a callback goes on in a right program.
const most = 10

func callbackForever(c *cell) {
	n := 0
	var again func()
	again = func() {
		if n++; !c.right || n < most {
			c.mc.BeforeReset(again)
		}
	}
	c.mc.BeforeReset(again)
	c.call.do(func() { c.mc.Reset() })
}

func childForever(c *cell) {
	n := 0
	var hook func(mc palloc.Context)
	hook = func(mc palloc.Context) {
		mc.BeforeReset(func() {
			if n++; n < most || !c.right && n < 1e5 {
				hook(palloc.NewAllocSet(c.mc, "c"))
			}
		})
	}
	hook(palloc.NewAllocSet(c.mc, "c"))
	c.name = ""
	c.call.do(func() { c.mc.Delete() })
}

func resetUnderPressure(c *cell) {
	c.chunks()
	c.live = nil
	c.mc.SetLimit(c.mc.TreeHeld() + 200<<10)
	c.mc.Alloc(120 << 10)
	spare := c.create(c.mc, "spare")
	c.mc.OnPressure(func(palloc.Pressure) error {
		if c.right {
			spare.Reset()
			c.mc.SetLimit(palloc.NoLimit)
		} else {
			c.mc.Reset()
		}
		return nil
	})
	c.call.do(func() { c.mc.Alloc(120 << 10) })
}

func deleteInReset(c *cell) {
	c.chunks()
	c.live = nil
	c.mc.BeforeReset(func() {
		if !c.right {
			c.mc.Delete()
		}
	})
	c.call.do(func() { c.mc.Reset() })
}

func neverLeave(c *cell) {
	leave := at(&c.made, c.mc.EnterCritical())
	if c.right {
		leave()
	} else {
		c.after = append(c.after, leave)
	}
	c.call.do(func() { c.mc.Alloc(50000) })
}

func nilCallback(c *cell) {
	run := func() {}
	if !c.right {
		run = nil
	}
	c.call.do(func() { c.mc.BeforeReset(run) })
}

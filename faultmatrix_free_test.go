package palloc_test

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The fault matrix: pointers that Free, FreeSlice and Realloc must not get.

var (
	isDouble = []palloc.Mistake{palloc.DoubleFree}
	isStale  = []palloc.Mistake{palloc.StalePointer}
	isInside = []palloc.Mistake{palloc.BadPointer}
	isMisuse = []palloc.Mistake{palloc.Misuse}
)

const (
	isTwice   = "chunk size made ended call"
	isPointer = "chunk size made call"
)

// double is a misuse that frees the victim twice, with something between.
func double(between func(c *cell, next unsafe.Pointer)) func(c *cell) {
	return func(c *cell) {
		_, p, next := c.chunks()
		c.free(p)
		between(c, next)
		if !c.right {
			c.call.do(func() { palloc.FreePointer(p) })
		}
	}
}

// atOffset is a misuse that calls a function with a pointer that is off bytes from the victim.
func atOffset(off int, f func(p unsafe.Pointer)) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		off := off
		if c.right {
			off = 0
		}
		c.call.do(func() { f(unsafe.Add(p, off)) })
		c.live = nil
	}
}

// stranger is a misuse that frees memory of no context.
func stranger(get func(c *cell) (p unsafe.Pointer)) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		c.name = ""
		if !c.right {
			p = get(c)
		}
		c.call.do(func() { palloc.FreePointer(p) })
	}
}

// stale is a misuse that ends the victim's context, and then calls a function with the victim.
func stale(end func(c *cell), f func(p unsafe.Pointer)) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		c.live = nil
		if c.right && c.letter != 'B' {
			f(p)
		}
		if end(c); c.right {
			return
		}
		c.call.do(func() { f(p) })
	}
}

func resize(p unsafe.Pointer) { palloc.Realloc(p, palloc.UsableSize(p)) }

var staticWords [8]uint64

var badFrees = []misuse{
	{rows: "17", what: "double free, at once", kinds: "ASGH", do: double(func(*cell, unsafe.Pointer) {}),
		want: wanted{mistake: isDouble, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "B22", what: "double free, at once", kinds: "ASG", sizes: seeded, do: double(func(*cell, unsafe.Pointer) {}),
		want: wanted{mistake: isEndedTwice, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "18", what: "double free, after other frees", kinds: "ASGH", do: double(freeOthers),
		want: wanted{mistake: isDouble, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "B24", what: "double free, after other frees", kinds: "ASG", sizes: seeded, do: double(freeOthers),
		want: wanted{mistake: isEndedTwice, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "B23", what: "double free, after 1024 allocations", kinds: "ASG", sizes: seeded, do: double(allocateMany),
		want: wanted{mistake: isEndedTwice, facts: isTwice, says: "$ended", by: "quarantine"}},
	{rows: "19", what: "double free, after the chunk was allocated again", kinds: "ASH", do: double(allocateAgain),
		want: wanted{mistake: isDouble, facts: isTwice, says: "$ended", by: "quarantine"}},
	{rows: "B25", what: "double free, after the chunk was allocated again", kinds: "ASG", sizes: seeded, do: double(allocateAgain),
		want: wanted{mistake: isEndedTwice, facts: isTwice, says: "$ended", by: "quarantine"}},
	{rows: "20", what: "double free, large chunk", kinds: "AGH", sizes: []int{20000}, do: double(func(*cell, unsafe.Pointer) {}),
		want: wanted{mistake: isEndedTwice, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "21", what: "free of an interior pointer (+8)", kinds: "ASGBH", do: freeAt(8),
		want: wanted{mistake: isInside, facts: isPointer, says: "inside of the chunk at $victim", by: "address"}},
	{rows: "22", what: "free of an interior pointer (+1)", kinds: "ASGBH", do: freeAt(1),
		want: wanted{mistake: isInside, facts: isPointer, says: "1 byte from its beginning", by: "address"}},
	{rows: "B26", what: "free of an interior pointer (+1)", kinds: "ASG", sizes: seeded, do: freeAt(1),
		want: wanted{mistake: isInside, facts: isPointer, says: "1 byte from its beginning", by: "address"}},
	{rows: "B27", what: "free of an interior pointer (+16)", kinds: "ASG", sizes: seeded, do: freeAt(16),
		want: wanted{mistake: isInside, facts: "call", says: "16 bytes from its beginning|behind the end of|before the chunk", by: "address"}},
	{rows: "23", what: "FreeSlice of s[1:]", kinds: "ASGBH", do: freeTail,
		want: wanted{mistake: isInside, facts: isPointer, says: "8 bytes from its beginning", by: "address"}},
	{rows: "24 B28", what: "free of a Go heap object", kinds: "A", do: stranger(func(*cell) unsafe.Pointer { return unsafe.Pointer(new([64]byte)) }),
		want: wanted{mistake: isInside, facts: "call", says: "belongs to no context", by: "address"}},
	{rows: "25 B29", what: "free of a stack variable", kinds: "A", do: freeOfStack,
		want: wanted{mistake: isInside, facts: "call", says: "belongs to no context", by: "address"}},
	{rows: "26", what: "free of a global", kinds: "A", do: stranger(func(*cell) unsafe.Pointer { return unsafe.Pointer(&staticWords) }),
		want: wanted{mistake: isInside, facts: "call", says: "belongs to no context", by: "address"}},
	{rows: "27 B30", what: "free of a foreign mapping", kinds: "A", do: stranger(foreignMapping), skip: needsMapping,
		want: wanted{mistake: isInside, facts: "call", says: "belongs to no context", by: "address"}},
	{rows: "28", what: "free of nil", kinds: "A", do: stranger(func(*cell) unsafe.Pointer { return nil }),
		want: wanted{mistake: isInside, facts: "call", says: "the pointer is nil", by: "address"}},
	{rows: "29", what: "free of a string constant", kinds: "A", do: stranger(func(*cell) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData("constant")) }),
		want: wanted{mistake: isInside, facts: "call", says: "belongs to no context", by: "address"}},
	{rows: "30 B32", what: "free in a Bump", kinds: "B", do: freeInBump,
		want: wanted{mistake: isMisuse, facts: "call", says: "none can be freed", by: "kind"}},
	{rows: "31", what: "free after Reset", kinds: "ASGBH", do: stale(reset, palloc.FreePointer),
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "32", what: "free after Reset, the place allocated again", kinds: "ASGBH", do: stale(resetAndAllocate, palloc.FreePointer),
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "quarantine"}},
	{rows: "33", what: "free after Delete", kinds: "ASGBH", do: stale(deletion, palloc.FreePointer),
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "B31", what: "free after Delete", kinds: "ASG", do: stale(deletion, palloc.FreePointer),
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "34", what: "free after Delete, a context of that name created again", kinds: "ASGBH", do: stale(deleteAndCreate, palloc.FreePointer),
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "quarantine"}},
	{rows: "35", what: "free after many resets", kinds: "A", words: []string{"guard"}, do: freeAfterMany, skip: needsProtection,
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "quarantine"}},
	{rows: "36", what: "Realloc after free", kinds: "ASGH", do: stale(freeVictim, func(p unsafe.Pointer) { palloc.Realloc(p, 64) }),
		want: wanted{mistake: isDouble, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "37", what: "Realloc after Reset", kinds: "ASGBH", do: stale(reset, func(p unsafe.Pointer) { palloc.Realloc(p, 64) }),
		want: wanted{mistake: isStale, facts: isTwice, says: "$ended", by: "address"}},
	{rows: "38", what: "Realloc through a stale copy", kinds: "AGH", do: reallocTwice,
		want: wanted{mistake: isDouble, facts: isTwice, says: "moved by Realloc", by: "address"}},
	{rows: "39", what: "Realloc of an interior pointer", kinds: "ASGBH", do: reallocInside,
		want: wanted{mistake: isInside, facts: isPointer, says: "16 bytes from its beginning", by: "address"}},
	{rows: "61", what: "FreeSlice(s[:0:0])", kinds: "A", do: freeNothing,
		want: wanted{mistake: isMisuse, facts: "call", says: "no capacity", by: "address"}},
	{rows: "74", what: "fake header in user data, freed", kinds: "A", do: fakeHeader,
		want: wanted{mistake: isInside, facts: isPointer, says: "8 bytes from its beginning", by: "address"}},
}

// isEndedTwice: the block of a large chunk ends with it.
var isEndedTwice = []palloc.Mistake{palloc.DoubleFree, palloc.StalePointer}

func freeOthers(c *cell, next unsafe.Pointer) {
	before := c.live[0]
	for _, p := range []unsafe.Pointer{next, before} {
		palloc.FreePointer(p)
		c.gone(p)
	}
}

func allocateMany(c *cell, _ unsafe.Pointer) {
	for range min(1024, 8<<20/c.size) {
		c.mc.Alloc(c.size)
	}
}

func allocateAgain(c *cell, _ unsafe.Pointer) { c.mc.Alloc(c.size) }

// freeAt frees at an offset from the victim. The twin frees the victim where its kind frees.
func freeAt(off int) func(c *cell) {
	return atOffset(off, func(p unsafe.Pointer) {
		if palloc.ContextOf(p).Kind().Frees() {
			palloc.FreePointer(p)
		}
	})
}

func freeTail(c *cell) {
	_, p, _ := c.chunks()
	s := unsafe.Slice((*uint64)(p), c.size/8)
	switch {
	case !c.right:
		c.call.do(func() { palloc.FreeSlice(s[1:]) })
	case c.letter != 'B':
		palloc.FreeSlice(s)
		c.gone(p)
	}
}

func freeOfStack(c *cell) {
	_, p, _ := c.chunks()
	c.name = ""
	var x [8]uint64
	if !c.right {
		p = unsafe.Pointer(&x)
	}
	c.call.do(func() { palloc.FreePointer(p) })
}

func freeInBump(c *cell) {
	_, p, _ := c.chunks()
	if !c.right {
		c.call.do(func() { palloc.FreePointer(p) })
	}
}

func freeVictim(c *cell) { c.ended.do(func() { palloc.FreePointer(c.victim) }) }

func resetAndAllocate(c *cell) {
	reset(c)
	for range 3 {
		c.mc.Alloc(c.size)
	}
}

func deleteAndCreate(c *cell) {
	deletion(c)
	c.mc = c.create(c.parent, "victim")
	for range 3 {
		c.mc.Alloc(c.size)
	}
}

// freeAfterMany resets as often as an ordinary header has versions; a checked context only as
// often as some of its quarantine takes.
func freeAfterMany(c *cell) {
	_, p, _ := c.chunks()
	if c.live = nil; c.right {
		palloc.FreePointer(p)
	}
	n := 1 << 10
	if !c.checked {
		n = 1 << 22
	}
	reset(c)
	for range n - 1 {
		c.mc.Alloc(8)
		c.mc.Reset()
	}
	if !c.right {
		c.call.do(func() { palloc.FreePointer(p) })
	}
}

func reallocTwice(c *cell) {
	_, p, _ := c.chunks()
	q := p
	c.ended.do(func() { q = palloc.Realloc(p, 500) })
	if c.gone(p); c.right {
		p = q
	}
	c.call.do(func() { palloc.Realloc(p, 500) })
}

func reallocInside(c *cell) {
	_, p, _ := c.chunks()
	switch {
	case !c.right:
		c.call.do(func() { palloc.Realloc(unsafe.Add(p, 16), c.size) })
	case c.letter != 'B':
		palloc.Realloc(p, c.size)
	}
}

func freeNothing(c *cell) {
	s := at(&c.made, palloc.MakeSlice[uint64](c.mc, 8, 8))
	if c.right {
		palloc.FreeSlice(s)
	} else {
		palloc.FreeSlice(s[:0:0])
	}
	c.lineOf(1, 64)
}

func fakeHeader(c *cell) {
	before, p, _ := c.chunks()
	*(*uint64)(p) = *(*uint64)(unsafe.Add(before, -8))
	if !c.right {
		c.call.do(func() { palloc.FreePointer(unsafe.Add(p, 8)) })
	}
}

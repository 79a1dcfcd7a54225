package palloc_test

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The fault matrix: writes and reads beyond a chunk's end and before its beginning, and to the words around it.

// isAround is what must be told of a write around a chunk.
const isAround = "chunk size made call "

var (
	isOver  = []palloc.Mistake{palloc.Overflow}
	isUnder = []palloc.Mistake{palloc.Underflow}

	// Bytes tell not whether they were written to from the chunk before or from the one behind.
	isEither = []palloc.Mistake{palloc.Underflow, palloc.Overflow}
)

// anyWay are the ways to go on after a write around a live chunk.
const anyWay = "free resize reset delete check"

// over is a misuse that writes n bytes beyond the end of the victim.
func over(n int, v byte) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		if c.right {
			c.write(p, c.size-min(n, c.size), min(n, c.size), v)
		} else {
			c.write(p, c.size, n, v)
		}
	}
}

// under is a misuse that writes n bytes before the beginning of the victim, the last of them first.
func under(n int) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		if c.right {
			return
		}
		c.call = callersLine()
		for i := range n {
			write(uintptr(p)-uintptr(i)-1, 1, 'A')
		}
	}
}

// needsProtection says why a cell cannot be where memory is Go's.
func needsProtection(*cell) string {
	if !protects() {
		return "nothing stops the write here, and Go's own memory would be overwritten"
	}
	return ""
}

var bounds = []misuse{
	{rows: "1", what: "overflow into the rounding", kinds: "AGBH", spare: "AGBH", less: 3, then: anyWay, do: over(1, 0xff),
		want: wanted{mistake: isOver, facts: isAround + "bytes=1", says: "(61 bytes", by: "red zone"}},
	{rows: "B11", what: "overflow into the rounding", kinds: "ASGB", sizes: seeded, less: 3, then: anyWay, do: over(1, 0xff),
		want: wanted{mistake: isOver, facts: isAround + "bytes=1", says: "beyond its end", by: "red zone"}},
	{rows: "2", what: "overflow by 1 byte, NUL", kinds: "ASGBH", then: anyWay, do: over(1, 0),
		want: wanted{mistake: isOver, facts: isAround + "bytes=1", says: "(64 bytes", by: "red zone"}},
	{rows: "3", what: "overflow by 1 byte, 0xFF", kinds: "ASGBH", then: anyWay, do: over(1, 0xff),
		want: wanted{mistake: isOver, facts: isAround + "bytes=1", says: "$made", by: "red zone"}},
	{rows: "B01", what: "overflow by 1 byte", kinds: "ASGB", sizes: seeded, then: anyWay, do: over(1, 'A'),
		want: wanted{mistake: isOver, facts: isAround + "bytes=1", says: "$made", by: "red zone"}},
	{rows: "4", what: "overflow by 8 bytes", kinds: "ASGBH", then: anyWay, do: over(8, 'A'),
		want: wanted{mistake: isOver, facts: isAround + "bytes=8", says: "$made", by: "red zone"}},
	{rows: "B02", what: "overflow by 8 bytes", kinds: "ASGB", sizes: seeded, then: anyWay, do: over(8, 'A'),
		want: wanted{mistake: isOver, facts: isAround + "bytes=8", says: "$made", by: "red zone"}},
	{rows: "5", what: "overflow by 8 bytes, then reset", kinds: "ASGBH", spare: "B", then: "reset", do: over(8, 'A'),
		want: wanted{mistake: isOver, facts: isAround + "bytes=8", says: "$made", by: "red zone"}},
	{rows: "6", what: "overflow by 32 bytes", kinds: "ASGBH", then: anyWay, do: over(32, 'A'),
		want: wanted{mistake: isOver, facts: isAround + "bytes=32", says: "$made", by: "red zone"}},
	{rows: "B03", what: "overflow by 32 bytes", kinds: "ASGB", sizes: seeded, then: anyWay, do: over(32, 'A'),
		want: wanted{mistake: isOver, facts: isAround, says: "$made", by: "red zone"}},
	{rows: "7", what: "overflow by 32 bytes, neighbour is free", kinds: "ASGH", then: "free resize reset delete check use", do: overFreed,
		want: wanted{mistake: isOver, facts: isAround + "bytes=32", says: "$made", by: "red zone"}},
	{rows: "8", what: "overflow by a page", kinds: "ASGBH", then: anyWay, do: overPage,
		want: wanted{mistake: isOver, facts: "chunk size made call", says: "$made", by: "red zone"}},
	{rows: "B04", what: "overflow by 1 MiB", kinds: "ASGB", sizes: seeded, do: over(1<<20, 'A'), skip: needsProtection,
		want: wanted{mistake: isOver, facts: isAround, says: "$made", by: "guard page"}},
	{rows: "9", what: "overflow of a large chunk by 8 bytes, at its block's end", kinds: "AGBH", spare: "B", sizes: []int{20000}, then: anyWay, do: overLarge,
		want: wanted{mistake: isOver, facts: isAround, says: "(20000 bytes", by: "guard page"}},
	{rows: "10", what: "underflow by 1 byte", kinds: "ASGBH", then: anyWay, do: under(1),
		want: wanted{mistake: isUnder, facts: isAround + "bytes=1", says: "before its beginning", by: "header"}},
	{rows: "B05", what: "underflow by 1 byte", kinds: "ASGB", sizes: seeded, then: anyWay, do: under(1),
		want: wanted{mistake: isUnder, facts: isAround + "bytes=1", says: "before its beginning", by: "header"}},
	{rows: "11", what: "underflow by 8 bytes", kinds: "ASGBH", then: anyWay, do: under(8),
		want: wanted{mistake: isUnder, facts: isAround + "bytes=8", says: "before its beginning", by: "header"}},
	{rows: "B06", what: "underflow by 32 bytes", kinds: "ASGB", sizes: seeded, then: anyWay, do: under(32),
		want: wanted{mistake: isEither, facts: "call", says: "$victim", by: "header"}},
	{rows: "B07", what: "underflow by 1 MiB", kinds: "ASGB", sizes: seeded, do: under(1 << 20), skip: needsProtection,
		want: wanted{mistake: append(isEither, palloc.AccessAfterEnd), facts: "call", says: "$victim|in which there is no chunk|bytes behind it|in the page at", by: "guard page"}},
	{rows: "B08", what: "read beyond the end", kinds: "ASGB", sizes: seeded, words: []string{"guard"}, do: readBehind,
		want: wanted{mistake: isOver, facts: isAround, says: "was accessed beyond its end", reads: checkedZone, by: "guard page"}},
	{rows: "B09", what: "read before the beginning", kinds: "ASGB", sizes: seeded, words: []string{"guard"}, do: readBefore,
		want: wanted{mistake: isEither, facts: isAround, reads: checkedZone, by: "poison"}},
	{rows: "B10", what: "slice beyond its capacity by unsafe.Slice", kinds: "ASGB", sizes: seeded, then: anyWay, do: overSlice,
		want: wanted{mistake: isOver, facts: isAround + "bytes=8", says: "$made", by: "red zone"}},
	{rows: "73", what: "block head overwritten", kinds: "ASGBH", then: "free reset delete check", do: overHead,
		want: wanted{mistake: isUnder, facts: "call", says: "before its beginning", by: "header"}},
	{rows: "B35", what: "block head overwritten", kinds: "ASGB", then: "free reset delete check", do: overHead,
		want: wanted{mistake: isUnder, facts: "call", says: "before its beginning", by: "header"}},
	{rows: "B33", what: "a bit of the header flipped", kinds: "ASGB", then: anyWay, do: flipHeader,
		want: wanted{mistake: isUnder, facts: isAround + "bytes=1", says: "before its beginning", by: "header"}},
	{rows: "B34", what: "link of a free list overwritten", kinds: "AS", then: "use compact reset delete check", do: writeFreed(0, 8),
		want: wanted{mistake: isFreedWrite, facts: isAround + "ended bytes=8", says: "$ended", by: "poison"}},
	{rows: "B36", what: "accounts that drifted", kinds: "ASGB", then: "check", do: driftAccounts,
		want: wanted{check: true, says: "the accounts say", by: "Check"}},
}

func overFreed(c *cell) {
	_, p, next := c.chunks()
	c.free(next)
	if !c.right {
		c.write(p, c.size, 32, 'A')
	}
}

func overPage(c *cell) {
	_, p, _ := c.chunks()
	for range 97 {
		c.live = append(c.live, c.mc.Alloc(c.size))
	}
	if !c.right {
		c.write(p, c.size, 4096, 'A')
	}
}

func overLarge(c *cell) {
	p := at(&c.made, c.mc.Alloc(c.size))
	c.victim = p
	n := c.size
	if c.letter != 'B' {
		n = palloc.UsableSize(p)
	}
	c.live = append(c.live, p, c.mc.Alloc(c.size))
	if !c.right {
		c.write(p, n, 8, 'A')
	}
}

func overSlice(c *cell) {
	_, p, _ := c.chunks()
	n := c.size
	if c.right {
		n -= 8
	}
	wide := unsafe.Slice((*byte)(p), n+8)
	c.call.do(func() { copy(wide[n:], "AAAAAAAA") })
}

func readBehind(c *cell) {
	_, p, _ := c.chunks()
	if c.right {
		return
	}
	n := 8 // bytes of a zone
	if protects() {
		n = 16 // chunks begin at multiples of 16, and end less than that before the page
	}
	for i := range n {
		c.look(p, c.size+i)
	}
}

func readBefore(c *cell) {
	_, p, _ := c.chunks()
	if !c.right {
		c.look(p, -32)
	}
}

// overHead writes to where an ordinary block has its head, and the first chunk's is.
func overHead(c *cell) {
	before, _, _ := c.chunks()
	if !c.right {
		c.call = here()
		write(uintptr(before)&^255, 32, 'A')
	}
}

func flipHeader(c *cell) {
	_, p, _ := c.chunks()
	if !c.right {
		c.call = here()
		write(uintptr(p)-5, 1, read(uintptr(p)-5)^4)
	}
}

func driftAccounts(c *cell) {
	c.chunks()
	if !c.right {
		restore := overwrite(&slotOf(c.mc).Total, slotOf(c.mc).Total+77)
		c.after = append(c.after, restore)
	}
}

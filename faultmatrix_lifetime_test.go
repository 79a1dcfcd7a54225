package palloc_test

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The fault matrix: memory that is used after it was freed, moved, or taken back with its context, and
// before it was written to.

// The bytes that a stray read yields.
const (
	checkedZone  = 0xbd
	checkedFresh = 0xbd
	checkedFreed = 0xdf
)

var (
	isFreedWrite = []palloc.Mistake{palloc.WriteAfterFree}

	// An access to memory that was taken back is a page fault, or a write is found when
	// that memory is verified.
	isLate = []palloc.Mistake{palloc.AccessAfterEnd, palloc.WriteAfterFree}
)

const (
	isEnded = "chunk size made ended call "

	// afterFree are the ways to go on after a write to a freed chunk.
	afterFree = "use compact reset delete check"
)

// writeFreed is a misuse that frees the victim, and writes n bytes to it.
func writeFreed(off, n int) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		off := off
		if off+n > c.size {
			off = 0
		}
		c.late(func() { c.free(p) }, func() { c.write(p, off, n, 'A') })
	}
}

// afterEnd is a misuse that ends the victim's context in a way, and then uses the victim.
func afterEnd(end func(c *cell), use func(c *cell, p unsafe.Pointer)) func(c *cell) {
	return func(c *cell) {
		_, p, _ := c.chunks()
		c.late(func() { end(c) }, func() { use(c, p) })
		c.live = nil
	}
}

func reset(c *cell)      { c.ended.do(func() { c.mc.Reset() }) }
func resetOnly(c *cell)  { c.ended.do(func() { c.mc.ResetOnly() }) }
func deletion(c *cell)   { c.ended.do(func() { c.mc.Delete() }) }
func resetAbove(c *cell) { c.ended.do(func() { c.parent.Reset() }) }

func lookAt(c *cell, p unsafe.Pointer)  { c.look(p, c.size/2) }
func writeTo(c *cell, p unsafe.Pointer) { c.write(p, c.size/2, 4, 'A') }

// A node of a list.
type matrixNode struct {
	palloc.NoHeapPointers
	next *matrixNode
	v    int
}

var lifetimes = []misuse{
	{rows: "12", what: "write after free, first word", kinds: "ASGH", spare: "G", then: afterFree, do: writeFreed(0, 8),
		want: wanted{mistake: isFreedWrite, facts: isEnded + "bytes=8", says: "$ended", by: "poison"}},
	{rows: "13", what: "write after free, a pointer to live memory", kinds: "ASGH", spare: "G", then: afterFree, do: writeFreedPointer,
		want: wanted{mistake: isFreedWrite, facts: isEnded + fmt.Sprint("bytes=", unsafe.Sizeof(uintptr(0))), says: "$ended", by: "poison"}},
	{rows: "14", what: "write after free, behind the first word", kinds: "ASGH", spare: "ASGH", then: afterFree, do: writeFreed(16, 8),
		want: wanted{mistake: isFreedWrite, facts: isEnded + "bytes=8", says: "$ended", by: "poison"}},
	{rows: "B13", what: "write after free", kinds: "ASG", sizes: seeded, then: "settle", do: writeFreed(16, 8),
		want: wanted{mistake: isLate, facts: isEnded + "bytes=8", says: "$ended", by: "poison, protected page"}},
	{rows: "15", what: "write after free, chunk allocated again", kinds: "ASH", then: afterFree, do: writeReused,
		want: wanted{mistake: isFreedWrite, facts: isEnded + "bytes=8", says: "$ended", by: "quarantine"}},
	{rows: "B19", what: "write after free, chunk allocated again", kinds: "ASG", sizes: seeded, then: "settle", do: writeReused,
		want: wanted{mistake: isLate, facts: isEnded + "bytes=8", says: "$ended", by: "quarantine"}},
	{rows: "16", what: "read after free", kinds: "ASGH", do: readFreed,
		want: wanted{mistake: isLate, facts: isEnded, reads: checkedFreed, by: "poison"}},
	{rows: "B12", what: "read after free", kinds: "ASG", sizes: seeded, do: readFreed,
		want: wanted{mistake: isLate, facts: isEnded, reads: checkedFreed, by: "poison, protected page"}},
	{rows: "72", what: "read before the first write", kinds: "AGBH", do: readFresh,
		want: wanted{reads: checkedFresh, by: "poison"}},
	{rows: "67", what: "list walked by next after its node was freed", kinds: "A", do: walkFreed,
		want: wanted{mistake: isLate, reads: checkedFreed, by: "poison"}},
	{rows: "B14", what: "read after Reset", kinds: "ASGB", sizes: seeded, do: afterEnd(reset, lookAt),
		want: wanted{mistake: isLate, facts: isEnded, says: "$ended", reads: checkedFreed, by: "protected page, poison"}},
	{rows: "B15", what: "write after Reset", kinds: "ASGB", sizes: seeded, then: "later", do: afterEnd(reset, writeTo),
		want: wanted{mistake: isLate, facts: isEnded + "bytes=4", says: "$ended", by: "protected page, quarantine"}},
	{rows: "B16", what: "read after Delete", kinds: "ASGB", sizes: seeded, do: afterEnd(deletion, lookAt),
		want: wanted{mistake: isLate, facts: isEnded, says: "$ended", reads: checkedFreed, by: "protected page, poison"}},
	{rows: "B17", what: "write after Delete", kinds: "ASGB", sizes: seeded, then: "later", do: afterEnd(deletion, writeTo),
		want: wanted{mistake: isLate, facts: isEnded + "bytes=4", says: "$ended", by: "protected page, quarantine"}},
	{rows: "B18", what: "child's memory used after its parent's Reset", kinds: "ASGB", sizes: seeded, then: "later", do: afterEnd(resetAbove, writeTo),
		want: wanted{mistake: isLate, facts: isEnded + "bytes=4", says: "$ended", by: "protected page, quarantine"}},
	{rows: "B20", what: "pointer kept over ResetOnly", kinds: "ASGB", sizes: seeded, then: "later", do: afterEnd(resetOnly, writeTo),
		want: wanted{mistake: isLate, facts: isEnded + "bytes=4", says: "$ended", by: "protected page, quarantine"}},
	{rows: "B21", what: "old slice used after Grow moved it", kinds: "AG", sizes: seeded, then: "settle", do: useGrown,
		want: wanted{mistake: isLate, facts: isEnded + "bytes=8", says: "moved by Grow", by: "poison, protected page"}},
	{rows: "50", what: "append within capacity after Reset", kinds: "AGBH", then: "later", do: appendWithin,
		want: wanted{mistake: isLate, facts: "chunk made ended", says: "$ended", by: "protected page, quarantine"}},
	{rows: "51", what: "append beyond capacity after Reset", kinds: "AGBH", do: appendBeyond,
		want: wanted{mistake: []palloc.Mistake{palloc.StalePointer}, facts: "chunk made ended call", says: "$ended", by: "address"}},
	{rows: "52", what: "old slice used after Append moved it", kinds: "AGH", then: "use compact reset delete check", do: useAppended,
		want: wanted{mistake: isFreedWrite, facts: "chunk made ended call bytes=8", says: "moved by Append", by: "poison"}},
	{rows: "53", what: "old slice appended to once more", kinds: "AGH", do: appendTwice,
		want: wanted{mistake: []palloc.Mistake{palloc.DoubleFree}, facts: "chunk made ended call", says: "moved by Append", by: "address"}},
	{rows: "54", what: "string outlives its context", kinds: "AGBH", do: oldString,
		want: wanted{mistake: isLate, facts: "chunk made ended call", says: "$ended", reads: checkedFreed, by: "protected page, poison"}},
	{rows: "55", what: "Buffer used after its context's Reset", kinds: "AGBH", do: oldBuffer,
		want: wanted{mistake: []palloc.Mistake{palloc.Misuse, palloc.StalePointer}, facts: "call", says: "the bytes are invalid", by: "handle"}},
	{rows: "56", what: "Buffer.Bytes kept over a Write that moves", kinds: "AGH", then: "use compact reset delete check", do: oldBytes,
		want: wanted{mistake: isFreedWrite, facts: "ended call bytes=1", says: "$ended", by: "poison"}},
	{rows: "75", what: "context deleted while another goroutine uses a chunk", kinds: "A", then: "later", do: useOfDeleted,
		want: wanted{mistake: isLate, facts: isEnded, says: "$ended", by: "protected page, quarantine"}},
}

func writeFreedPointer(c *cell) {
	_, p, next := c.chunks()
	c.late(func() { c.free(p) }, func() { *(*uintptr)(p) = uintptr(next) })
}

func writeReused(c *cell) {
	_, p, _ := c.chunks()
	if c.right {
		return
	}
	c.free(p)
	q := c.mc.Alloc(c.size)
	fill(q, c.size, 0x11)
	c.live = append(c.live, q)
	c.write(p, min(16, c.size-8), 8, 'A')
}

func readFreed(c *cell) {
	_, p, _ := c.chunks()
	c.late(func() { c.free(p) }, func() {
		if !c.right {
			c.look(p, 5)
		}
	})
}

func readFresh(c *cell) {
	p := c.mc.Alloc(c.size)
	fill(p, c.size, 0x5e)
	c.mc.Reset()
	if p = c.mc.Alloc(c.size); !c.right {
		c.look(p, 20)
	}
}

func walkFreed(c *cell) {
	var head *matrixNode
	for i := range 5 {
		n := palloc.New[matrixNode](c.mc)
		n.v, n.next = i+1, head
		head = n
	}
	for n := head; n != nil; {
		next := n.next
		palloc.Free(n)
		if !c.right {
			next = n.next
			c.saw(byte(uintptr(unsafe.Pointer(next))))
			return
		}
		n = next
	}
}

// slice returns a slice of the context, whose chunk is the victim.
func (c *cell) slice(n, room int) []uint64 {
	s := at(&c.made, palloc.MakeSlice[uint64](c.mc, n, room))
	c.victim = unsafe.Pointer(unsafe.SliceData(s))
	return s
}

func useGrown(c *cell) {
	s := c.slice(c.size/8, c.size/8)
	if c.right {
		s[0] = 42
	}
	c.ended.do(func() { palloc.Grow(c.mc, s, 1) })
	if !c.right {
		c.write(c.victim, 0, 8, 'A')
	}
}

func appendWithin(c *cell) {
	s := c.slice(2, 8)
	if c.right {
		palloc.Append(c.mc, s, 1, 2, 3)
	}
	reset(c)
	palloc.MakeSlice[uint64](c.mc, 8, 8)
	if !c.right {
		palloc.Append(c.mc, s, 1, 2, 3)
	}
}

func appendBeyond(c *cell) {
	s := c.slice(8, 8)
	reset(c)
	if c.right {
		s = nil
	}
	c.call.do(func() { palloc.Append(c.mc, s, 1, 2, 3) })
}

func useAppended(c *cell) {
	s := c.slice(8, 8)
	c.ended.do(func() { palloc.Append(c.mc, s, 1) })
	if !c.right {
		c.write(c.victim, 0, 8, 'A')
	}
}

func appendTwice(c *cell) {
	s := c.slice(8, 8)
	var once []uint64
	c.ended.do(func() { once = palloc.Append(c.mc, s, 1) })
	if c.right {
		s = once
	}
	c.call.do(func() { palloc.Append(c.mc, s, 2) })
}

func oldString(c *cell) {
	s := at(&c.made, palloc.CloneString(c.mc, strings.Repeat("x", 60)))
	c.victim = unsafe.Pointer(unsafe.StringData(s))
	if c.right {
		s = strings.Clone(s)
	}
	reset(c)
	fill(c.mc.Alloc(c.size), c.size, 'y')
	c.call = here()
	if first := read(uintptr(unsafe.Pointer(unsafe.StringData(s)))); !c.right {
		c.saw(first)
	}
}

func oldBuffer(c *cell) {
	b := palloc.NewBuffer(c.mc)
	b.WriteString("hello")
	reset(c)
	if c.right {
		b = palloc.NewBuffer(c.mc)
	}
	c.call.do(func() { b.WriteString("x") })
}

func oldBytes(c *cell) {
	b := palloc.NewBuffer(c.mc)
	b.Write(make([]byte, 64))
	old := b.Bytes()
	palloc.NewBuffer(c.mc).Write(make([]byte, 64)) // in the way
	c.ended.do(func() { b.Write(make([]byte, 5000)) })
	if !c.right {
		c.write(unsafe.Pointer(unsafe.SliceData(old)), 0, 1, 42)
	}
}

func useOfDeleted(c *cell) {
	d := c.create(c.mc, "c")
	p := at(&c.made, d.Alloc(c.size))
	c.victim, c.name = p, "c"
	if c.right {
		fill(p, c.size, 2)
	}
	c.ended.do(func() { d.Delete() })
	fill(c.create(c.mc, "c").Alloc(c.size), c.size, 1)
	if !c.right {
		c.write(p, 0, c.size, 2)
	}
}

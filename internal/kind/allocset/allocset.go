// Package allocset is the kind for anything: chunks of any size, each freed and reused
// when the caller likes.
//
// It holds: blocks cut into chunks of 32 size classes, a free list for each class, and a
// block of its own for every chunk beyond 8 KiB.
//
// Cannot: release a block while one chunk of it is live.
//
// Choose it when you do not know better.
//
// Invariant: behind its head a block is live chunks, freed chunks on the free list of
// their class, free pieces (see span.go), and at most one part to allocate from, the
// current part, between Cur and End. All but the current part begin with a header.
//
// Cost: an 8-byte header, and on average 8 % of rounding.
//
// History: PostgreSQL's classes are powers of two, so that a chunk of random size wastes
// a quarter. Four classes a doubling cost nothing more where the class comes from a
// table.
//
// PostgreSQL: mmgr/aset.c.
package allocset

import (
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// ID is the kind's.
const ID kind.ID = 1

func (Methods) Name() string { return "AllocSet" }

func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: ID, Headers: true, Frees: true, Cached: true, Joins: true, Head: kind.BlockHeader}
}

func (Methods) Open(c *kind.Core) {
	if c.Blocks != 0 {
		c.SetCurrent(kind.BlockAt(c.Blocks), kind.BlockHeader)
	}
}

// Alloc is the slow path: sizes that the hot path does not know, and a block without
// space.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size > chunk.MaxSize {
		return allocLarge(c, size)
	}
	return alloc(c, chunk.Class(size), chunk.Align)
}

// alloc allocates a chunk of a class on a multiple of align.
func alloc(c *kind.Core, class uint64, align uintptr) (uintptr, error) {
	if p := spare(c, class, align); p != 0 {
		return p, nil
	}
	if err := refill(c, most(class, align)); err != nil {
		return serve(c, class, align, err)
	}
	return carve(c, class, align), nil
}

// spare allocates a chunk of a class from what the context holds, 0 when it must acquire
// a block.
func spare(c *kind.Core, class uint64, align uintptr) uintptr {
	if p := pop(c, class, align); p != 0 {
		return p
	}
	if p := carve(c, class, align); p != 0 {
		return p
	}
	if c.NeedsReset&kind.ResetSpans == 0 && (c.Total < shardFrom || !Unjoined(c)) {
		return 0 // as reuse would
	}
	return reuse(c, class, align)
}

// Spare is AllocAligned that acquires no block: it returns 0 instead.
func Spare(c *kind.Core, size, align uintptr) uintptr {
	if size > chunk.MaxSize || align > kind.ResetAligned {
		return 0
	}
	p := spare(c, chunk.Class(size), align)
	if p != 0 {
		note(c, align)
	}
	return p
}

// carve allocates a chunk of a class from the current part, 0 when that has no space.
func carve(c *kind.Core, class uint64, align uintptr) uintptr {
	gap := gapBefore(c.Cur, align)
	if gap+chunk.TotalSize(class) > c.Remaining() {
		return 0
	}
	if gap != 0 {
		leaveGap(c, gap)
	}
	p := c.Cur + chunk.HeaderSize
	relaxed.Store(&c.Cur, c.Cur+chunk.TotalSize(class))
	chunk.SetHeader(p, c.Prefix|class)
	return p
}

// allocLarge allocates a chunk with a block of its own. When that is refused it releases
// free blocks.
func allocLarge(c *kind.Core, size uintptr) (uintptr, error) {
	p, err := c.AllocLarge(size)
	for isRefused(err) && releaseSome(c) {
		p, err = c.AllocLarge(size)
	}
	return p, err
}

// isRefused reports whether an error means that there is no memory.
func isRefused(err error) bool {
	_, misuse := err.(kind.Misuse)
	return err != nil && !misuse
}

// refill makes a new block the current one.
func refill(c *kind.Core, whole uintptr) error {
	most := ^uintptr(0)
	if c.NeedsReset&kind.ResetSpans != 0 {
		most = kind.BlockHeader + maxJoined/whole*whole // no rest for chunks of this class
	}
	b, err := c.AcquireShared(whole+kind.BlockHeader, most)
	if err != nil {
		return err
	}
	if c.NeedsReset&kind.ResetSpans != 0 {
		abandon(c)
		c.Spans().Taken += b.Size
	} else {
		cutTail(c)
	}
	kind.Link(&c.Blocks, b)
	c.SetCurrent(b, kind.BlockHeader)
	return nil
}

// serve allocates a chunk of a class after a block was refused with err: from any freed
// memory.
func serve(c *kind.Core, class uint64, align uintptr, err error) (uintptr, error) {
	if p := reuseAll(c, class, align); p != 0 {
		return p, nil
	}
	for isRefused(err) && releaseSome(c) {
		if err = refill(c, most(class, align)); err == nil {
			return carve(c, class, align), nil
		}
	}
	return 0, err
}

// cutTail makes the rest of the current block free chunks, the largest first: at most a
// handful. It leaves a few bytes alone, since the first free chunk takes memory for the
// free lists.
func cutTail(c *kind.Core) {
	least := uintptr(minFree)
	if c.Dirty == 0 {
		least = minTail
	}
	rest := leave(c, c.Remaining(), least)
	if rest != 0 {
		*at(c.Cur) = c.Cookie ^ chunk.Tail
	}
	relaxed.Store(&c.Tails, c.Tails+rest)
}

// freed returns the length of a class's free list. The owner may take chunks off it and
// write to them meanwhile: a step leads on only to a freed chunk of the class. So the race
// detector must not look.
//
//go:norace
func freed(c *kind.Core, class uint64) (n uint32) {
	most := uint32(relaxed.Load(&c.Total) / chunk.Size(class))
	want := c.Prefix | chunk.Freed | class
	for p := *c.FreeList(class); n < most && block.Readable(p) && chunk.Header(p) == want; n++ {
		p = *link(p)
	}
	return n
}

const (
	minFree = chunk.HeaderSize + chunk.Align // what the smallest chunk takes, in bytes
	minTail = 128                            // the smallest tail that begins the free lists of a context, in bytes
)

// Free frees what the hot path does not: large chunks. Anything else is a Misuse.
func (Methods) Free(c *kind.Core, p uintptr, tag uint64) error {
	switch {
	case tag < chunk.Classes:
		Push(c, p, c.Prefix|tag, tag)
		return nil
	case tag == chunk.Large:
		return c.FreeLarge(p)
	}
	return kind.TagFault(Methods{}, tag)
}

func (m Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	if tag < chunk.Classes && size > chunk.Size(tag) {
		if c.Extend(p, chunk.Size(tag), size) {
			return p, nil
		}
		if align := alignmentOf(c, p); align > chunk.Align {
			return growAligned(c, p, tag, size, align)
		}
	}
	q, err := kind.Resize(m, c, p, tag, size)
	for isRefused(err) && releaseSome(c) {
		q, err = kind.Resize(m, c, p, tag, size)
	}
	return q, err
}

func (Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	switch {
	case tag < chunk.Classes:
		return chunk.Size(tag)
	case tag == chunk.Large:
		return c.LargeCapacity(p)
	}
	return 0
}

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) SizeOf(c *kind.Core, tag uint64) uintptr {
	if tag < 2*chunk.Classes {
		return chunk.Size(tag % chunk.Classes)
	}
	return 0
}

// Freed reports true for freed chunks, for pieces, whose headers are inverted, and for
// what became part of a piece.
func (Methods) Freed(tag uint64) bool {
	return tag >= chunk.Freed && tag < 2*chunk.Classes || tag == chunk.Coalesced || isPiece(^tag)
}

func (Methods) Reset(c *kind.Core) { c.SetCurrent(c.Retire(), kind.BlockHeader) }

// Stats walks the free lists, as PostgreSQL does, so that no allocation and no free pays
// for them.
func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	if s.Total == 0 {
		return s
	}
	s.Free = c.Remaining() + relaxed.Load(&c.Tails)
	for class := range uint64(chunk.Classes) {
		n := freed(c, class)
		s.FreeChunks += n
		s.Free += uintptr(n) * (chunk.Size(class) + chunk.HeaderSize)
	}
	spans := c.Spans()
	s.FreeChunks += relaxed.Load32(&spans.Count)
	s.Free += relaxed.Load(&spans.Bytes)
	s.Live = s.Used() != uintptr(s.Blocks)*kind.BlockHeader
	return s
}

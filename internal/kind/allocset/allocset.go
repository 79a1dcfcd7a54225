// Package allocset is the kind for anything: chunks of any size, each freed and
// sold again when the caller likes.
//
// It holds: blocks cut into chunks of 32 size classes, a freelist for each
// class, and a block of its own for every chunk beyond 8 KiB.
//
// Cannot: give a block back while one chunk of it is live.
//
// Choose it when you do not know better.
//
// Invariant: from behind its head to its end a block is live chunks, freed chunks on
// the freelist of their class, free pieces (see span.go), and at most one part to
// allocate from, from Cur to End; all but that begin with a header that says which.
//
// Cost: an 8-byte header, and on average 8 % of rounding.
//
// History: PostgreSQL's classes are powers of two, so that a chunk of random
// size wastes a quarter; four classes a doubling cost nothing more where the
// class comes from a table.
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

// Alloc is the slow path: sizes that the hot path does not know, and blocks that
// have no room.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size > chunk.MostSize {
		return allocLarge(c, size)
	}
	class := chunk.Class(size)
	if p := spare(c, class); p != 0 {
		return p, nil
	}
	if err := refill(c, chunk.Whole(class)); err != nil {
		return serve(c, class, err)
	}
	return carve(c, class), nil
}

// spare allocates a chunk of a class from what the context holds, 0 when it is to buy a
// block.
func spare(c *kind.Core, class uint64) uintptr {
	if p := *c.FreeList(class); p != 0 {
		return Take(c, class, p)
	}
	if chunk.Whole(class) <= c.Remaining() {
		return carve(c, class)
	}
	if c.NeedsReset&kind.ResetSpans == 0 && (c.Total < shardFrom || !Unjoined(c)) {
		return 0 // as reuse would
	}
	return reuse(c, class)
}

// Spare is Alloc of who may not buy a block: it returns 0 instead.
func Spare(c *kind.Core, size uintptr) uintptr {
	if size > chunk.MostSize {
		return 0
	}
	return spare(c, chunk.Class(size))
}

// carve allocates a chunk of a class from the part to allocate from, which has room.
func carve(c *kind.Core, class uint64) uintptr {
	p := c.Cur + chunk.HeaderSize
	relaxed.Store(&c.Cur, c.Cur+chunk.Whole(class))
	chunk.SetHeader(p, c.Prefix|class)
	return p
}

// allocLarge allocates a chunk with a block of its own, for which whole free blocks go
// back if need be.
func allocLarge(c *kind.Core, size uintptr) (uintptr, error) {
	p, err := c.AllocLarge(size)
	for isRefused(err) && releaseSome(c) {
		p, err = c.AllocLarge(size)
	}
	return p, err
}

// isRefused reports whether an error says that there is no memory.
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

// serve allocates a chunk of a class though no block is to be had, which err says:
// from anything that was freed.
func serve(c *kind.Core, class uint64, err error) (uintptr, error) {
	if p := reuseAll(c, class); p != 0 {
		return p, nil
	}
	for isRefused(err) && releaseSome(c) {
		if err = refill(c, chunk.Whole(class)); err == nil {
			return carve(c, class), nil
		}
	}
	return 0, err
}

// cutTail makes what is left of the current block into free chunks, the largest
// first: at most a handful. A few bytes are left alone: the first free chunk takes
// memory for the freelists.
func cutTail(c *kind.Core) {
	least := uintptr(chunk.HeaderSize + chunk.Align)
	if c.Dirty == 0 {
		least = minTail
	}
	for c.Remaining() >= least {
		class := chunk.Fitting(c.Remaining() - chunk.HeaderSize)
		p := c.Cur + chunk.HeaderSize
		relaxed.Store(&c.Cur, p+chunk.Size(class))
		Push(c, p, c.Prefix|class, class)
	}
	if c.Remaining() != 0 {
		*at(c.Cur) = c.Cookie | chunk.Tail
	}
	relaxed.Store(&c.Tails, c.Tails+c.Remaining())
}

// freed is how many chunks the freelist of a class has. Its owner may be taking
// chunks off it and writing to them: a step leads on only to what is a freed chunk
// of the class.
func freed(c *kind.Core, class uint64) (n uint32) {
	if relaxed.Counts {
		return relaxed.Load32(c.FreeCount(class))
	}
	most := uint32(relaxed.Load(&c.Total) / chunk.Size(class))
	want := relaxed.Load64(&c.Prefix) | chunk.Freed | class
	for p := relaxed.Load(c.FreeList(class)); n < most && block.Known(p) && chunk.Header(p) == want; n++ {
		p = relaxed.Load(link(p))
	}
	return n
}

// minTail is the smallest tail that begins the freelists of a context, in bytes.
const minTail = 128

// Free takes what the hot path does not: large chunks, and what is no chunk.
func (Methods) Free(c *kind.Core, p uintptr, what uint64) error {
	switch {
	case what < chunk.Classes:
		Push(c, p, c.Prefix|what, what)
		return nil
	case what == chunk.Large:
		return c.FreeLarge(p)
	}
	return kind.TagFault(Methods{}, what)
}

func (m Methods) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	if what < chunk.Classes && size > chunk.Size(what) && c.Extend(p, chunk.Size(what), size) {
		return p, nil
	}
	q, err := kind.Resize(m, c, p, what, size)
	for isRefused(err) && releaseSome(c) {
		q, err = kind.Resize(m, c, p, what, size)
	}
	return q, err
}

func (Methods) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	switch {
	case what < chunk.Classes:
		return chunk.Size(what)
	case what == chunk.Large:
		return c.LargeCapacity(p)
	}
	return 0
}

func (m Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return kind.AllocAligned(m, c, size, align)
}

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) SizeOf(c *kind.Core, what uint64) uintptr {
	if what < 2*chunk.Classes {
		return chunk.Size(what % chunk.Classes)
	}
	return 0
}

// Freed knows freed chunks, and what became a part of a piece. The headers of pieces are
// inverted.
func (Methods) Freed(what uint64) bool {
	return what >= chunk.Freed && what < 2*chunk.Classes || what == chunk.Joined || isPiece(^what)
}

func (Methods) Reset(c *kind.Core) { c.SetCurrent(c.Retire(), kind.BlockHeader) }

// Stats walks the freelists, as PostgreSQL does, so that no allocation and no free
// pays for them.
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

package allocset

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Joins: freed chunks, which serve their class only, become pieces, which serve any
// request, and blocks that are free as a whole are released.
//
// A join takes chunks off the free lists one by one. Each becomes one piece with what is
// free on either side of it, so that after the last one every free run of the context is
// a piece. Chunks that are still on a free list are not joined with: their own turn
// comes.
//
// Invariant: the current part is no piece; neighbours of it that become free are joined
// with it.
//
// Cost: nothing on the hot path. A step for each chunk that was freed, once: some 50
// instructions and two or three cache misses. While a context grows, at most joinStep
// steps are made before each block that it would acquire. When a block is refused, all
// freed chunks are joined.
//
// PostgreSQL has none: a freed chunk serves its class until the reset.

const (
	// joinFrom is how many bytes a context holds that joins while it grows. joinPart is
	// the fraction of them, as a shift, that is allocated between two joins.
	joinFrom = 256 << 10
	joinPart = 5
	joinStep = 2048

	// shardFrom and shardStep are the same for a shard, which is locked meanwhile.
	shardFrom = 32 << 10
	shardStep = 512

	// roomier: while a join is under way, a chunk is cut off a piece of so many classes
	// more, some eight times as large.
	roomier = 12

	// maxJoined bounds the blocks of a context that joins, in bytes: small ones become
	// free as a whole sooner.
	maxJoined = 64 << 10

	// wholePart is the fraction of what the context holds, as a shift, that free blocks
	// may make up before they are released.
	wholePart = 1
)

// begins returns where the first chunk of a block begins.
func begins(b *kind.Block) uintptr { return b.Address() + kind.BlockHeader }

// blockAt returns the block that holds an address of the node.
func blockAt(addr uintptr) *kind.Block {
	b, _ := block.Find(addr)
	return kind.BlockAt(b)
}

// release makes size bytes at addr, which are no longer a chunk or a piece, one piece
// with the free memory around them, or a part of the current part.
func release(c *kind.Core, addr, size uintptr, b *kind.Block) {
	first, end := begins(b), b.End()
	open := c.Cur != c.End
	if next := addr + size; next < end && !(open && next == c.Cur) {
		if n := pieceAt(c, next, b); n != 0 {
			remove(c, next, n)
			size += n
		}
	}
	if open && addr == c.End {
		*at(addr) = c.Cookie ^ chunk.Coalesced
		relaxed.Store(&c.End, addr+size)
		return
	}
	if addr > first {
		if start := pieceBefore(c, addr, first); start != 0 {
			*at(addr) = c.Cookie ^ chunk.Coalesced
			remove(c, start, addr-start)
			size += addr - start
			addr = start
		}
	}
	switch {
	case open && addr+size == c.Cur:
		*at(addr) = c.Cookie ^ chunk.Coalesced
		relaxed.Store(&c.Cur, addr)
	case addr == first && addr+size == end:
		insertWhole(c, addr, size)
	default:
		insert(c, addr, size)
	}
}

// abandon makes the current part a piece.
func abandon(c *kind.Core) {
	addr, size := c.Cur, c.Remaining()
	c.CloseCurrent()
	if size != 0 {
		release(c, addr, size, blockAt(addr))
	}
}

// begin makes the node one that has pieces.
func begin(c *kind.Core) *kind.Spans {
	c.NeedsReset |= kind.ResetSpans
	return c.Spans()
}

// join takes at most limit chunks off the free lists, and reports whether any are left
// there.
func join(c *kind.Core, limit int) (left bool) {
	begin(c)
	var b *kind.Block
	for class := uint64(chunk.Classes - 1); class < chunk.Classes; class-- {
		size := chunk.TotalSize(class)
		for list := c.FreeList(class); *list != 0; limit-- {
			if limit == 0 {
				return true
			}
			p := *list
			*list = *link(p)
			addr := p - chunk.HeaderSize
			if b == nil || addr-b.Address() >= b.Size {
				b = blockAt(addr)
			}
			release(c, addr, size, b)
		}
	}
	c.Dirty = min(c.Dirty, kind.DirtyPrivate) // nothing is on them
	return false
}

// Unjoined reports whether a chunk was freed since a join went through all of them.
func Unjoined(c *kind.Core) bool { return c.Dirty == kind.DirtyLists }

// fromPieces allocates a chunk of a class from a piece, 0 when there is none.
func fromPieces(c *kind.Core, class uint64, align uintptr) uintptr {
	if c.NeedsReset&kind.ResetSpans == 0 {
		return 0
	}
	s, whole := c.Spans(), chunk.TotalSize(class)
	addr := uintptr(0)
	if align == chunk.Align {
		addr = fitting(c, s, class, whole)
	} else {
		addr = fittingAligned(c, s, class, align)
	}
	if addr == 0 {
		return 0
	}
	size := sizeOnList(c, addr)
	remove(c, addr, size)
	if gap := gapBefore(addr, align); gap != 0 {
		insert(c, addr, gap)
		addr, size = addr+gap, size-gap
	}
	s.Taken += whole
	keep(c, addr+whole, size-whole)
	p := addr + chunk.HeaderSize
	chunk.SetHeader(p, c.Prefix|class)
	return p
}

// fitting returns a piece for a chunk of a class, 0 if there is none. While a join is
// under way it is one of exactly the size, or one that is much larger: what is not
// joined yet would be cut up.
func fitting(c *kind.Core, s *kind.Spans, class uint64, whole uintptr) uintptr {
	some := s.Some >> class
	if s.Under != 0 {
		if some&1 != 0 && sizeOnList(c, s.Lists[class]) == whole {
			return s.Lists[class]
		}
		some = some >> roomier << roomier
	}
	if some != 0 {
		return s.Lists[class+uint64(bits.TrailingZeros32(some))]
	}
	return wholeBlock(c, whole)
}

// wholeBlock returns the piece of a free block of at least whole bytes, 0 if there is
// none. It releases smaller ones that come first.
func wholeBlock(c *kind.Core, whole uintptr) uintptr {
	s := c.Spans()
	for s.Whole != 0 && sizeOnList(c, s.Whole) < whole {
		if !releaseFirst(c) {
			return 0
		}
	}
	return s.Whole
}

// keep keeps the rest of a piece: as the current part, if it is larger than that.
func keep(c *kind.Core, addr, size uintptr) {
	switch {
	case size == 0:
	case size > c.Remaining():
		abandon(c)
		relaxed.Store(&c.Cur, addr)
		relaxed.Store(&c.End, addr+size)
		c.Spans().Taken += size
	default:
		insert(c, addr, size)
	}
}

// reuse allocates a chunk of a class from freed memory, 0 if there is none or a search
// is not worth it.
func reuse(c *kind.Core, class uint64, align uintptr) uintptr {
	if p := fromPieces(c, class, align); p != 0 || !Unjoined(c) || c.Total < joinFrom && !(isShard(c) && c.Total >= shardFrom) {
		return p
	}
	s := c.Spans()
	if s.Under == 0 {
		if c.NeedsReset&kind.ResetSpans != 0 && s.Taken < c.Total>>joinPart {
			return 0
		}
		s.Taken = 0
	}
	joinMore(c)
	releaseWhole(c, c.Total>>wholePart)
	return fromPieces(c, class, align)
}

// reuseAll is reuse after a block was refused: it joins all freed chunks, in a shard a
// bounded part of them.
func reuseAll(c *kind.Core, class uint64, align uintptr) uintptr {
	for left := Unjoined(c); left && !isShard(c); {
		left = joinMore(c)
		if p := fromPieces(c, class, align); p != 0 {
			return p
		}
	}
	if Unjoined(c) {
		joinMore(c)
	}
	return fromPieces(c, class, align)
}

// joinMore makes a step of a join, and reports whether it is still under way.
func joinMore(c *kind.Core) (left bool) {
	left = join(c, steps(c))
	c.Spans().Under = 0
	if left {
		c.Spans().Under = 1
	}
	return left
}

// steps returns how many chunks are joined at once: fewer while a lock is held.
func steps(c *kind.Core) int {
	if isShard(c) {
		return shardStep
	}
	return joinStep
}

// isShard reports whether the node is a shard, whose lock is held.
func isShard(c *kind.Core) bool { return relaxed.Load32(&c.Has)&kind.IsShard != 0 }

// releaseWhole releases free blocks until the pieces have no more than limit bytes, but for
// one that the context must keep.
func releaseWhole(c *kind.Core, limit uintptr) {
	for s := c.Spans(); s.Whole != 0 && s.Bytes > limit && releaseFirst(c); {
	}
}

// releaseFirst releases the first free block, unless the context must keep it. It reports
// whether it did.
func releaseFirst(c *kind.Core) (released bool) {
	addr := c.Spans().Whole
	b := blockAt(addr)
	if c.MustKeep(b) {
		return false
	}
	remove(c, addr, b.Size-kind.BlockHeader)
	kind.Unlink(&c.Blocks, b)
	c.Release(b)
	return true
}

// Compact joins all freed chunks and releases all blocks that are free as a whole. It
// returns how many bytes those had.
func (Methods) Compact(c *kind.Core) (gave uintptr) {
	for left := true; left; {
		var some uintptr
		some, left = CompactStep(c)
		gave += some
	}
	return gave
}

// CompactStep takes a step of Compact, and reports whether more follow.
func CompactStep(c *kind.Core) (gave uintptr, left bool) {
	before := c.Total
	if c.Blocks == 0 {
		return 0, false
	}
	begin(c)
	if left = joinMore(c); !left {
		abandon(c)
	}
	releaseWhole(c, 0)
	return before - c.Total, left
}

// releaseSome is Compact by steps, until some blocks were released, after one was
// refused. It reports whether any were.
func releaseSome(c *kind.Core) bool {
	before := c.Total
	for left := Unjoined(c); left && c.Total == before; {
		left = joinMore(c) && !isShard(c)
		releaseWhole(c, 0)
	}
	if c.NeedsReset&kind.ResetSpans != 0 && c.Total == before {
		abandon(c)
		releaseWhole(c, 0)
	}
	return c.Total != before
}

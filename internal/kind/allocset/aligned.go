package allocset

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Aligned chunks of the size classes are chunks like any other: only where they are cut
// is chosen. What lies before becomes freed chunks, or a piece of one word.
//
// Invariant: NeedsReset has the alignments that chunks were allocated on since the reset.
// A chunk that is resized keeps the coarsest of them that its address has: so each keeps
// its own, and a few others that lie so by chance keep one, too.
//
// Cost: what lies before an aligned chunk, if nothing else is allocated from it. A freed
// chunk serves again if it is the first one of its class, or one of the next few.
//
// PostgreSQL: MemoryContextAllocAligned, whose chunks lead to a larger one around them.
// Those larger than a class, and on more than ResetAligned, do here, too.

// looks is how many freed chunks, or pieces of a list, are looked at for an aligned one.
const looks = 16

// Aligned checks what it is asked for: it is the first stage of the hot path. An alignment
// that was not noted goes the slow way.
func Aligned(c *kind.Core, size, align uintptr, pop kind.AlignedPopper, slow kind.AlignedSlow) uintptr {
	if size-1 >= chunk.MaxSmall || uintptr(c.NeedsReset)&align == 0 {
		return slow(c, size, align)
	}
	return pop(c, size, align, chunk.SmallClass(size), Take, slow)
}

// PopAligned looks at the chunk of the class that was freed last: it is the second stage. It
// passes on what is no power of two, and takes any chunk for 1 and 2.
func PopAligned(c *kind.Core, size, align uintptr, class uint64, take kind.Taker, slow kind.AlignedSlow) uintptr {
	if p := *c.FreeList(class); p != 0 && (p|align)&(align-1) == 0 {
		return take(c, class, p)
	}
	return slow(c, size, align)
}

// AllocAligned notes the alignment for Realloc.
func (m Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	if size > chunk.MaxSize || align <= chunk.Align || align > kind.ResetAligned {
		return kind.AllocAligned(m, c, size, align)
	}
	p, err := alloc(c, chunk.Class(size), align)
	if err == nil {
		note(c, align)
	}
	return p, err
}

// note notes the alignment of a chunk that was allocated.
func note(c *kind.Core, align uintptr) { c.NeedsReset |= uint16(align) & kind.ResetAligned }

// gapBefore returns how many bytes lie between addr and the header of the next aligned chunk.
func gapBefore(addr, align uintptr) uintptr { return -(addr + chunk.HeaderSize) & (align - 1) }

// most returns how many bytes hold an aligned chunk of a class wherever they begin.
func most(class uint64, align uintptr) uintptr { return chunk.TotalSize(class) + align - chunk.Align }

// pop takes an aligned chunk off the free list of a class, 0 if none of the first is.
func pop(c *kind.Core, class uint64, align uintptr) uintptr {
	list := c.FreeList(class)
	for range looks {
		p := *list
		if p == 0 {
			return 0
		}
		if !block.InFirstRegion(p) && !block.Readable(p) || chunk.Header(p) != c.Prefix|chunk.Freed|class {
			return lost(c, list)
		}
		if p&(align-1) == 0 {
			*list = *link(p)
			chunk.SetHeader(p, c.Prefix|class)
			return p
		}
		list = link(p)
	}
	return 0
}

// lost empties a free list that leads to where no freed chunk of the class is, and returns 0: what it has
// from there on is lost.
func lost(c *kind.Core, list *uintptr) uintptr {
	kind.Overwritten(c, *list)
	*list = 0
	return 0
}

// leave makes the next size bytes of the current part free chunks, the largest first, and
// returns what is left of size: less than least bytes.
func leave(c *kind.Core, size, least uintptr) (rest uintptr) {
	for size >= least {
		class := chunk.FloorClass(size - chunk.HeaderSize)
		p := c.Cur + chunk.HeaderSize
		relaxed.Store(&c.Cur, p+chunk.Size(class))
		Push(c, p, c.Prefix|class, class)
		size -= chunk.TotalSize(class)
	}
	return size
}

// leaveGap makes the next size bytes of the current part free. They follow a chunk, and
// one follows, so that the word is no neighbour of a piece.
func leaveGap(c *kind.Core, size uintptr) {
	if rest := leave(c, size, minFree); rest != 0 {
		addr := c.Cur
		relaxed.Store(&c.Cur, addr+rest)
		insert(c, addr, rest)
		c.NeedsReset |= kind.ResetBlocks // which forgets what is lost
	}
}

// fittingAligned returns a piece for an aligned chunk of a class, 0 if there is none: one of
// the first that are just large enough, else one that is large enough wherever it begins.
func fittingAligned(c *kind.Core, s *kind.Spans, class uint64, align uintptr) uintptr {
	whole, room := chunk.TotalSize(class), most(class, align)
	surely := uint64(chunk.Classes)
	if room <= chunk.TotalSize(surely-1) {
		surely = chunk.Class(room - chunk.HeaderSize)
	}
	for list := class; list < surely; list++ {
		if addr := s.Lists[list]; addr != 0 {
			if addr = fittingOn(c, addr, whole, align, s.Under != 0); addr != 0 {
				return addr
			}
		}
	}
	return fitting(c, s, surely, room)
}

// fittingOn looks at the first pieces of a list. exact asks for one of which nothing is left.
func fittingOn(c *kind.Core, addr, whole, align uintptr, exact bool) uintptr {
	for range looks {
		size, need := sizeOnList(c, addr), gapBefore(addr, align)+whole
		if size == need || size > need && !exact {
			return addr
		}
		if addr, _ = linksOf(addr, size); addr == 0 {
			break
		}
	}
	return 0
}

// alignmentOf returns the alignment that the chunk at p keeps.
func alignmentOf(c *kind.Core, p uintptr) uintptr {
	noted := uintptr(c.NeedsReset) & kind.ResetAligned
	if noted &= (p&-p)<<1 - 1; noted == 0 {
		return chunk.Align
	}
	return 1 << (bits.Len64(uint64(noted)) - 1)
}

// growAligned moves the chunk at p, of a class, to a larger one on the same alignment, with
// some spare room if there is memory for that.
func growAligned(c *kind.Core, p uintptr, class uint64, size, align uintptr) (uintptr, error) {
	q, err := allocGrown(c, roomy(size, align), align)
	if err != nil {
		q, err = allocGrown(c, size, align)
	}
	for isRefused(err) && releaseSome(c) {
		q, err = allocGrown(c, size, align)
	}
	if err != nil {
		return 0, err
	}
	kind.Copy(q, p, chunk.Size(class))
	Push(c, p, c.Prefix|class, class)
	return q, nil
}

// roomy returns what a chunk of size bytes gets that grew once, and is likely to grow again:
// what lies before the next multiple of align, or a quarter of that more.
func roomy(size, align uintptr) uintptr {
	if size > chunk.MaxSize {
		return size
	}
	return min(max(size+align/4, chunk.Size(chunk.FloorClass(align-chunk.HeaderSize))), chunk.MaxSize)
}

// allocGrown allocates the new chunk; one that outgrows the classes can grow in place.
func allocGrown(c *kind.Core, size, align uintptr) (uintptr, error) {
	if size > chunk.MaxSize && size <= kind.MaxChunk {
		return c.AllocGrowableAligned(size, align)
	}
	return Methods{}.AllocAligned(c, size, align)
}

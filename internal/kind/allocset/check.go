package allocset

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The check of an AllocSet: through all headers of each block, and then along the
// freelists.
//
// Invariant: as in package kind. What is left of a block that is no longer cut has no
// header; it is known by being short, and by the account of all such rests.
//
// Cost: a step for each chunk that was ever cut.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	x := kind.Inspect(c, report)
	if x == nil {
		return
	}
	s := sweep{Inspection: x, c: c, tag: tag(c)}
	shared, large := x.List("blocks", c.Blocks), x.List("large blocks", c.Large)
	x.Sums()
	cut := x.Current(kind.BlockHeader)
	for _, b := range shared {
		switch {
		case !x.Shared(b):
		case b.Address() != c.Blocks:
			s.block(b, b.End(), leastTail)
		case cut != 0:
			s.block(b, cut, 0)
		}
	}
	for _, b := range large {
		x.LargeChunk(b)
	}
	x.Tails(s.tails)
	x.Tag(s.tag)
	x.Resettable(false)
	for class := range uint64(chunk.Classes) {
		s.list(class)
	}
}

// sweep is what a check has found so far.
type sweep struct {
	*kind.Inspection
	c     *kind.Core
	tag   uint64                    // what headers begin as
	freed [chunk.Classes]kind.Tally // by the headers
	tails uintptr
}

// tag is what the headers of a core's chunks begin as: those of a part are marked.
func tag(c *kind.Core) uint64 {
	if c.Payer() != c {
		return c.Stamp | chunk.Shared
	}
	return c.Stamp
}

// block goes through the chunks of a block, which were cut up to end, but for a rest
// of less than tail bytes.
func (s *sweep) block(b *kind.Block, end, tail uintptr) {
	at := b.Address() + kind.BlockHeader
	for at < end {
		p := at + chunk.HeaderSize
		what := chunk.Header(p) ^ s.tag
		class := what % chunk.Freed
		if what >= 2*chunk.Freed {
			if end-at < tail {
				break
			}
			s.stop(b, p, "the header is %#016x, and no chunk of this context begins with that", chunk.Header(p))
			return
		}
		if chunk.Whole(class) > end-at {
			s.stop(b, p, "the header says %d bytes, and the block was cut for %d more", chunk.Whole(class), end-at)
			return
		}
		if what >= chunk.Freed {
			s.freed[class].Add(p)
		} else {
			s.Aligned(b, p, chunk.Size(class))
		}
		at += chunk.Whole(class)
	}
	s.tails += end - at
}

// stop reports what makes the way through a block end.
func (s *sweep) stop(b *kind.Block, p uintptr, format string, args ...any) {
	s.Flaw(b.Address(), p, format, args...)
	s.Tear()
}

// list follows a freelist, as far as headers say that it goes.
func (s *sweep) list(class uint64) {
	var found kind.Tally
	want, most := s.freed[class], s.freed[class].N
	if s.Torn() {
		most = s.Held() / chunk.Whole(class)
	}
	header := s.tag | chunk.Freed | class
	for p := *s.c.List(class); p != 0; p = *link(p) {
		b := s.BlockOf(p, chunk.Size(class))
		switch {
		case b == nil || b.Alone != 0:
			s.Flaw(0, p, "the freelist of class %d leads here, which is in no block that chunks share", class)
			return
		case chunk.Header(p) != header:
			s.Flaw(b.Address(), p, "the freelist of class %d leads here, where the header is %#016x, and should be %#016x", class, chunk.Header(p), header)
			return
		case found.N == most:
			s.Flaw(b.Address(), p, "the freelist of class %d goes on here, and headers tell of %d freed chunks", class, most)
			return
		}
		found.Add(p)
	}
	if relaxed.Counts && uintptr(*s.c.Freed(class)) != found.N {
		s.Flaw(0, 0, "the freelist of class %d has %d chunks, and the core counts %d", class, found.N, *s.c.Freed(class))
	}
	if !s.Torn() && found != want {
		s.Flaw(0, 0, "the freelist of class %d has %d chunks, and is not the %d whose headers say that they are freed", class, found.N, want.N)
	}
}

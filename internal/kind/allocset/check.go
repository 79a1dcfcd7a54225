package allocset

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// The check of an AllocSet: through all headers of each block, and then along the free
// lists. Its layout: through the headers.
//
// Invariant: as in package kind.
//
// Cost: a step for each chunk and each free piece.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) { check(c, report, tag(c)) }

// check is Check of chunks whose headers begin as tag.
func check(c *kind.Core, report func(kind.Flaw), tag uint64) {
	x := kind.Inspect(c, report)
	if x == nil {
		return
	}
	s := sweep{Inspection: x, c: c, tag: tag}
	shared, large := x.List("blocks", c.Blocks), x.List("large blocks", c.Large)
	x.CheckSums()
	s.open()
	for _, b := range shared {
		if x.IsShared(b) {
			s.block(b)
		}
	}
	for _, b := range large {
		x.CheckLarge(b)
	}
	if s.skipped != c.Remaining() && !s.Partial() {
		s.Flaw(0, 0, "the core allocates from %#x to %#x, which is not between two chunks", c.Cur, c.End)
	}
	x.CheckTails(s.tails)
	x.CheckPrefix(s.tag)
	x.CheckReset(false)
	for class := range uint64(chunk.Classes) {
		s.list(class)
	}
	s.pieces()
}

func (Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) { layOut(c, report, tag(c)) }

// layOut is Layout of chunks whose headers begin as tag.
func layOut(c *kind.Core, report func(kind.BlockLayout), tag uint64) {
	s := sweep{c: c, tag: tag}
	kind.LayOut(c, kind.BlockHeader, s.part, report)
}

// part returns what begins at an address.
func (s *sweep) part(b *kind.Block, addr uintptr) kind.Part {
	switch tag := chunk.Header(addr+chunk.HeaderSize) ^ s.tag; {
	case tag < chunk.Freed:
		return kind.Part{Use: kind.UseLive, Size: chunk.TotalSize(tag)}
	case tag < 2*chunk.Freed:
		return kind.Part{Use: kind.UseFreed, Size: chunk.TotalSize(tag % chunk.Freed)}
	}
	before := s.tails
	size := s.piece(b, addr)
	if s.tails != before {
		return kind.Part{Use: kind.UseLost, Size: size}
	}
	return kind.Part{Use: kind.UseJoined, Size: size}
}

// sweep is what a check has found so far.
type sweep struct {
	*kind.Inspection
	c       *kind.Core
	tag     uint64                        // what headers begin with
	freed   [chunk.Classes]kind.Tally     // by the headers
	listed  [chunk.Classes + 1]kind.Tally // pieces by the list that they must be on, whole blocks last
	tails   uintptr
	skipped uintptr // bytes of the current part that were passed
}

// tag returns what the headers of a node's chunks begin with: a shard's are marked.
func tag(c *kind.Core) uint64 {
	if c.Owner() != c {
		return c.Cookie ^ chunk.Shared
	}
	return c.Cookie
}

// open checks the current part: without pieces it is the rest of the first block, and
// with them it may be in any.
func (s *sweep) open() {
	c := s.c
	if c.NeedsReset&kind.ResetSpans == 0 {
		s.CheckCurrent(kind.BlockHeader)
		return
	}
	if c.Cur > c.End || c.Cur%chunk.Align != 0 || c.End%chunk.Align != 0 {
		s.Stop(0, 0, "the core allocates from %#x to %#x", c.Cur, c.End)
	}
}

// block goes through a block from header to header.
func (s *sweep) block(b *kind.Block) {
	after := false // a piece came last
	for at := begins(b); at < b.End(); {
		if at == s.c.Cur && s.c.End > at && s.c.End <= b.End() {
			s.skipped = s.c.Remaining()
			at, after = s.c.End, false
			continue
		}
		size, piece := s.step(b, at)
		switch {
		case size == 0:
			return
		case size > b.End()-at:
			s.Stop(b.Address(), at+chunk.HeaderSize, "the header says %d bytes, and the block was cut for %d more", size, b.End()-at)
			return
		case piece && after:
			s.Flaw(b.Address(), at, "two free pieces are neighbours here, and should be one")
		}
		at, after = at+size, piece
	}
}

// step looks at what begins at an address: its size, 0 for nothing valid, and whether it
// is a free piece.
func (s *sweep) step(b *kind.Block, at uintptr) (size uintptr, piece bool) {
	p := at + chunk.HeaderSize
	tag := chunk.Header(p) ^ s.tag
	switch {
	case tag < chunk.Freed:
		if size = chunk.TotalSize(tag); size <= b.End()-at {
			s.CheckAligned(b, p, size-chunk.HeaderSize)
		}
		return size, false
	case tag < 2*chunk.Freed:
		s.freed[tag%chunk.Freed].Add(p)
		return chunk.TotalSize(tag % chunk.Freed), false
	}
	if size = s.piece(b, at); size == 0 {
		s.Stop(b.Address(), p, "the header is %#016x, and no chunk of this context begins with that", chunk.Header(p))
	}
	return size, true
}

// piece looks at a piece, and notes on which list it must be.
func (s *sweep) piece(b *kind.Block, addr uintptr) uintptr {
	rest := b.End() - addr
	switch tag := tagAt(s.c, addr); {
	case tag == chunk.Tail:
		s.tails += rest
		return rest
	case tag == chunk.SmallSpan+1:
		s.tails += word
		return word
	case tag == chunk.UnlistedSpan:
		s.tails += 2 * word
		return 2 * word
	case tag == chunk.Span && rest < minSpan:
		return 0
	}
	size := pieceAt(s.c, addr, b)
	if size < 2*word || size > rest || size%word != 0 || size >= minSpan && *at(addr + size - word) != uint64(size) {
		return 0
	}
	list := int(listOf(size))
	if size == b.Size-kind.BlockHeader {
		list = chunk.Classes
	}
	s.listed[list].Add(addr)
	return size
}

// pieces follows the lists of pieces, no further than the headers of pieces say.
func (s *sweep) pieces() {
	spans := s.c.Spans()
	if s.c.NeedsReset&kind.ResetSpans == 0 {
		if spans.Count != 0 || spans.Bytes != 0 || spans.Some != 0 || spans.Whole != 0 {
			s.Flaw(0, 0, "the core says that it has no pieces, and counts %d of %d bytes", spans.Count, spans.Bytes)
		}
		return
	}
	if s.Partial() {
		return
	}
	count, bytes := uint32(0), uintptr(0)
	for list, head := range append(spans.Lists[:], spans.Whole) {
		found := s.pieceList(list, head, &bytes)
		if found != s.listed[list] {
			s.Flaw(0, head, "list %d has %d pieces, and is not the %d whose headers say that they are on it", list, found.N, s.listed[list].N)
		}
		if list < chunk.Classes && (spans.Some>>list&1 != 0) != (head != 0) {
			s.Flaw(0, head, "the core says that list %d is empty or not, and it is the other", list)
		}
		count += uint32(found.N)
	}
	if count != spans.Count || bytes != spans.Bytes {
		s.Flaw(0, 0, "the lists have %d pieces of %d bytes, and the core counts %d of %d", count, bytes, spans.Count, spans.Bytes)
	}
}

// pieceList follows one list of pieces.
func (s *sweep) pieceList(list int, head uintptr, bytes *uintptr) (found kind.Tally) {
	prev := uintptr(0)
	for addr := head; addr != 0; {
		b := s.BlockOf(addr+chunk.HeaderSize, 0)
		if b == nil || b.Dedicated != 0 || addr%word != 0 || found.N == s.listed[list].N {
			s.Flaw(0, addr, "list %d leads here, where no piece of it is", list)
			return found
		}
		size := pieceAt(s.c, addr, b)
		if size < 2*word || size > b.End()-addr {
			s.Flaw(b.Address(), addr, "list %d leads here, where the header is %#016x", list, *at(addr))
			return found
		}
		next, back := linksOf(addr, size)
		if back != prev {
			s.Flaw(b.Address(), addr, "list %d comes here from %#x, and the piece says from %#x", list, prev, back)
		}
		*bytes += size
		found.Add(addr)
		prev, addr = addr, next
	}
	return found
}

// list follows a free list, no further than the headers of chunks say.
func (s *sweep) list(class uint64) {
	var found kind.Tally
	want, most := s.freed[class], s.freed[class].N
	if s.Partial() {
		most = s.Held() / chunk.TotalSize(class)
	}
	header := s.tag | chunk.Freed | class
	for p := *s.c.FreeList(class); p != 0; p = *link(p) {
		b := s.BlockOf(p, chunk.Size(class))
		switch {
		case b == nil || b.Dedicated != 0:
			s.Flaw(0, p, "the free list of class %d leads here, which is in no block that chunks share", class)
			return
		case chunk.Header(p) != header:
			s.Flaw(b.Address(), p, "the free list of class %d leads here, where the header is %#016x, and should be %#016x", class, chunk.Header(p), header)
			return
		case found.N == most:
			s.Flaw(b.Address(), p, "the free list of class %d goes on here, and headers tell of %d freed chunks", class, most)
			return
		}
		found.Add(p)
	}
	if !s.Partial() && found != want {
		s.Flaw(0, 0, "the free list of class %d has %d chunks, and is not the %d whose headers say that they are freed", class, found.N, want.N)
	}
}

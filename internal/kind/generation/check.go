package generation

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// The check of a Generation: through all headers of each block, which are then compared
// with its head; and its layout, through the headers.
//
// Invariant: as in package kind.
//
// Cost: a step for each chunk of blocks that are not empty.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	x := kind.Inspect(c, report)
	if x == nil {
		return
	}
	s := sweep{Inspection: x, c: c}
	shared, large := x.List("blocks", c.Blocks), x.List("large blocks", c.Large)
	x.CheckSums()
	s.current()
	tag := c.Cookie
	for _, b := range shared {
		if b.Address() == c.Blocks {
			tag = at(b).tag
		}
		if x.IsShared(b) {
			s.block(at(b))
		}
	}
	for _, b := range large {
		x.CheckLarge(b)
	}
	x.CheckTails(s.tails)
	x.CheckPrefix(tag)
	x.CheckReset(true)
}

// sweep is what a check has found so far.
type sweep struct {
	*kind.Inspection
	c     *kind.Core
	tails uintptr
}

// current checks what the node has of the block that it allocates from.
func (s *sweep) current() {
	c := s.c
	if c.Blocks == 0 || s.Partial() { // or the first block is none
		s.CheckCurrent(head)
		return
	}
	b := kind.BlockAt(c.Blocks)
	if c.End > b.End() || c.Cur < b.Address()+head || c.Cur > c.End || c.Cur%chunk.Align != 0 || c.End%chunk.Align != 0 {
		s.Stop(b.Address(), 0, "it is the current block, to allocate from %#x to %#x, and the core allocates from %#x to %#x",
			b.Address()+head, b.End(), c.Cur, c.End)
	}
}

// block compares the head of a block with its chunks.
func (s *sweep) block(b *block) {
	addr, current := b.Address(), b.Address() == s.c.Blocks
	if _, ok := b.Order(); !ok || b.tag != s.c.Cookie^chunk.Generation|uint64(b.Size-kind.BlockUnit) {
		s.Stop(addr, 0, "its tag is %#016x, which is not that of a block of %d bytes here", b.tag, b.Size)
		return
	}
	offset := uint64(0)
	if current {
		if s.Partial() {
			return // that was reported
		}
		offset = currentBias - allocated(s.c, &b.Block)
	}
	if b.tail != 0 && (current || uintptr(b.tail) > b.Size-head) {
		s.Stop(addr, 0, "its head says that %d bytes of it were not allocated", b.tail)
		return
	}
	s.tails += uintptr(b.tail)
	live, frees, ok := s.chunks(b, b.End()-uintptr(b.tail))
	if !ok {
		return
	}
	if b.left != live+offset {
		s.Flaw(addr, 0, "its chunks have %d live bytes, and its head says %d", live, int64(b.left-offset))
	}
	if b.frees != frees {
		s.Flaw(addr, 0, "%d of its chunks are freed, and its head says %d", frees, b.frees)
	}
	if live == 0 && !current {
		s.Flaw(addr, 0, "it is empty, and was not released")
	}
}

// chunks walks through those of a block, which is cut up to end.
func (s *sweep) chunks(b *block, end uintptr) (live uint64, frees uint32, ok bool) {
	for at := b.Address() + head; at < end; {
		if at == s.c.Cur && s.c.End > at {
			at = s.c.End
			continue
		}
		p := at + chunk.HeaderSize
		tag := chunk.Header(p) ^ b.tag
		if tag == gap {
			at = p
			continue
		}
		whole := chunk.TotalSize(tag % chunk.Classes)
		switch {
		case tag&^freedBit >= chunk.Classes:
			return 0, 0, s.Stop(b.Address(), p, "the header is %#016x, and no chunk of this block begins with that", chunk.Header(p))
		case whole > end-at:
			return 0, 0, s.Stop(b.Address(), p, "the header says %d bytes, and the block was cut for %d more", whole, end-at)
		case tag&freedBit != 0:
			frees++
		default:
			live += uint64(whole)
			s.CheckAligned(&b.Block, p, whole-chunk.HeaderSize)
		}
		at += whole
	}
	return live, frees, true
}

// freedBit is what changes in a header when the chunk is freed.
const freedBit = chunk.Generation ^ chunk.GenerationFreed

func (Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) {
	kind.LayOut(c, head, func(b *kind.Block, addr uintptr) kind.Part { return part(at(b), addr) }, report)
}

// part returns what begins at an address of a block.
func part(b *block, addr uintptr) kind.Part {
	if b.tail != 0 && addr == b.End()-uintptr(b.tail) {
		return kind.Part{Use: kind.UseLost, Size: uintptr(b.tail)}
	}
	tag := chunk.Header(addr+chunk.HeaderSize) ^ b.tag
	size := chunk.TotalSize(tag % chunk.Classes)
	switch {
	case tag == gap:
		return kind.Part{Use: kind.UseLost, Size: chunk.HeaderSize}
	case tag&^freedBit >= chunk.Classes:
		return kind.Part{}
	case tag&freedBit != 0:
		return kind.Part{Use: kind.UseFreed, Size: size}
	}
	return kind.Part{Use: kind.UseLive, Size: size}
}

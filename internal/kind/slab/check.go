package slab

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// The check of a Slab: along what is local, then through the headers of each block and
// along its free list; and its layout, through the headers.
//
// Invariant: as in package kind. A chunk whose header says freed is on the free list of
// its block or local. The rest of the current block, which is local, too, has no headers
// yet.
//
// Cost: two steps for each chunk of a block, three for freed ones.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	x := kind.Inspect(c, report)
	if x == nil {
		return
	}
	s := sweep{Inspection: x, c: c, stride: stride(c), local: map[uintptr]kind.Tally{}}
	s.partly, s.current = s.sort(x.List("blocks", c.Blocks), false), c.Cookie
	s.full = s.sort(x.List("large and full blocks", c.Large), true)
	if len(s.partly) > 0 && s.partly[0].Address() == c.Blocks {
		s.current = s.partly[0].tag
	}
	x.CheckSums()
	s.followLocal()
	for _, b := range s.partly {
		s.stands(b, false)
		s.block(b)
	}
	for _, b := range s.full {
		s.stands(b, true)
		s.block(b)
	}
	x.CheckTails(s.tails)
	x.CheckPrefix(s.current)
	x.CheckReset(true)
	s.counts()
	if c.Cur|c.End != 0 {
		x.Flaw(0, 0, "the core allocates from %#x to %#x, which a Slab does not", c.Cur, c.End)
	}
}

// sweep is what a check has found so far.
type sweep struct {
	*kind.Inspection
	c        *kind.Core
	stride   uintptr
	partly   []*block               // the current one, and those with freed chunks
	full     []*block               // those with none
	current  uint64                 // the tag of the current block
	cut      uintptr                // the next chunk of the current block that was never allocated, 0 for none
	local    map[uintptr]kind.Tally // local freed chunks, by their block
	tails    uintptr
	capacity uint32
	empties  uint32
}

// sort looks at the heads of the blocks of a list, as far as chunks need them to be
// found, and returns those that chunks share.
func (s *sweep) sort(list []*kind.Block, largeToo bool) (shared []*block) {
	for _, b := range list {
		switch {
		case largeToo && b.Dedicated != 0:
			s.CheckLarge(b)
		case s.IsShared(b) && s.framed(at(b)):
			shared = append(shared, at(b))
			s.capacity += at(b).chunks
			s.tails += waste(s.c, b.Size)
		}
	}
	return shared
}

// framed reports whether the head of a block tells where its chunks are, and they lead
// to it.
func (s *sweep) framed(b *block) bool {
	if _, ok := b.Order(); !ok || b.tag != tag(s.c, &b.Block) {
		return s.Stop(b.Address(), 0, "its tag is %#016x, which is not that of a block of %d bytes here", b.tag, b.Size)
	}
	if n := uint32((b.Size - head) / s.stride); b.chunks != n {
		return s.Stop(b.Address(), 0, "it has space for %d chunks of %d bytes, and its head says %d", n, s.c.ChunkSize, b.chunks)
	}
	return true
}

// begins reports whether a chunk of the block can begin at p.
func (s *sweep) begins(b *block, p uintptr) bool {
	off := p - b.Address() - head - chunk.HeaderSize
	return off%s.stride == 0 && off/s.stride < uintptr(b.chunks)
}

// followLocal follows the local free list.
func (s *sweep) followLocal() {
	o := own(s.c)
	n := s.rest()
	for p := o.list; p != 0; p = *link(p) {
		b := s.blockOf(p)
		switch {
		case b == nil:
			s.Stop(0, p, "the local chunks lead here, where none begins")
		case chunk.Header(p) != b.tag^chunk.Slab^chunk.SlabFreed:
			s.Stop(b.Address(), p, "the chunk is local, and its header is %#016x, which is not that of a freed one", chunk.Header(p))
		case n >= o.local || n >= s.capacity:
			s.Stop(b.Address(), p, "the local chunks go on here, beyond the %d that the core counts", o.local)
		default:
			t := s.local[b.Address()]
			t.Add(p)
			s.local[b.Address()] = t
			n++
			continue
		}
		return
	}
	if n != o.local && !s.Partial() {
		s.Flaw(0, 0, "%d chunks are local, and the core counts %d", n, o.local)
	}
}

// rest returns how many chunks of the current block were never allocated.
func (s *sweep) rest() uint32 {
	o := own(s.c)
	if o.cur == o.end || s.Partial() {
		return 0
	}
	if b := s.blockOf(o.cur); b == nil || b.Address() != s.c.Blocks || o.end != b.first()+uintptr(b.chunks)*s.stride || o.stride != s.stride {
		s.Stop(s.c.Blocks, 0, "it is the current block, and the core has chunks from %#x to %#x left, %d bytes each", o.cur, o.end, o.stride)
		return 0
	}
	s.cut = o.cur
	return uint32((o.end - o.cur) / s.stride)
}

// first returns where the first chunk of the block is.
func (b *block) first() uintptr { return b.Address() + head + chunk.HeaderSize }

// blockOf returns the block whose chunk can begin at p, nil when none's can.
func (s *sweep) blockOf(p uintptr) *block {
	b := s.BlockOf(p, s.stride-chunk.HeaderSize)
	if b == nil || !s.begins(at(b), p) {
		return nil
	}
	return at(b)
}

// block compares the head of a block with its chunks and its free list.
func (s *sweep) block(b *block) {
	addr := b.Address()
	headers, ok := s.headers(b)
	listed, whole := s.list(b)
	if !ok || !whole {
		return
	}
	if uintptr(b.frees) != listed.N {
		s.Flaw(addr, 0, "its free list has %d chunks, and its head says %d", listed.N, b.frees)
	}
	if all := listed.Plus(s.local[addr]); all != headers && !s.Partial() {
		s.Flaw(addr, 0, "%d of its chunks are on its free list and %d local, and are not the %d whose headers say that they are freed",
			listed.N, s.local[addr].N, headers.N)
	}
}

// stands checks that the block is on the list for its number of freed chunks.
func (s *sweep) stands(b *block, full bool) {
	addr, turn := b.Address(), b.chunks
	switch {
	case addr == s.c.Blocks:
		turn = never
	case full:
		turn = 1
		if b.frees != 0 {
			s.Flaw(addr, 0, "it is on the list of full blocks, and its head says that %d of its chunks are freed", b.frees)
		}
	case b.frees == 0:
		s.Flaw(addr, 0, "it is on the list of blocks with freed chunks, and its head says that it has none")
	case b.frees == b.chunks:
		s.empties++
	}
	if b.moveAt != turn {
		s.Flaw(addr, 0, "it is to be moved at %d freed chunks, and its head says %d", turn, b.moveAt)
	}
}

// headers walks through the chunks of a block and returns those that are freed.
func (s *sweep) headers(b *block) (freed kind.Tally, ok bool) {
	end := b.first() + uintptr(b.chunks)*s.stride
	if o := own(s.c); b.Address() == s.c.Blocks && o.cur != o.end {
		end = s.cut // 0 if the rest is unknown, which was reported
	}
	for p := b.first(); p < end; p += s.stride {
		switch h := chunk.Header(p); h {
		case b.tag:
		case b.tag ^ chunk.Slab ^ chunk.SlabFreed:
			freed.Add(p)
		default:
			s.Flaw(b.Address(), p, "the header is %#016x, and no chunk of this block begins with that", h)
			return freed, false
		}
	}
	return freed, true
}

// list follows the free list of a block, no further than its head says.
func (s *sweep) list(b *block) (found kind.Tally, whole bool) {
	for p := b.freed; p != 0; p = *link(p) {
		switch {
		case s.blockOf(p) != b:
			s.Flaw(b.Address(), p, "its free list leads here, where no chunk of it begins")
			return found, false
		case chunk.Header(p) != b.tag^chunk.Slab^chunk.SlabFreed:
			s.Flaw(b.Address(), p, "the chunk is on the free list, and its header is %#016x, which is not that of a freed one", chunk.Header(p))
			return found, false
		case found.N == uintptr(min(b.frees, b.chunks)):
			s.Flaw(b.Address(), p, "its free list goes on here, beyond the %d chunks that its head says", b.frees)
			return found, false
		}
		found.Add(p)
	}
	return found, true
}

// counts compares the counts of the node with the blocks.
func (s *sweep) counts() {
	o := own(s.c)
	if s.Partial() {
		return
	}
	if o.capacity != s.capacity {
		s.Flaw(0, 0, "its shared blocks have space for %d chunks, and the core counts %d", s.capacity, o.capacity)
	}
	if o.empties != s.empties {
		s.Flaw(0, 0, "%d blocks are empty, and the core counts %d", s.empties, o.empties)
	}
}

func (Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) {
	kind.LayOut(c, head, func(b *kind.Block, addr uintptr) kind.Part { return part(c, at(b), addr) }, report)
}

// part returns what begins at an address of a block.
func part(c *kind.Core, b *block, addr uintptr) kind.Part {
	p, o := addr+chunk.HeaderSize, own(c)
	switch h := chunk.Header(p); {
	case p == b.first()+uintptr(b.chunks)*stride(c):
		return kind.Part{Use: kind.UseLost, Size: b.End() - addr}
	case p == o.cur && p < o.end:
		return kind.Part{Use: kind.UseUnused, Size: o.end - p}
	case h == b.tag:
		return kind.Part{Use: kind.UseLive, Size: stride(c)}
	case h == b.tag^chunk.Slab^chunk.SlabFreed:
		return kind.Part{Use: kind.UseFreed, Size: stride(c)}
	}
	return kind.Part{}
}

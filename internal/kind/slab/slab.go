// Package slab is the kind for many objects of one size.
//
// It holds: blocks cut into chunks of one size, a free list in each block. A chunk too
// large to share a block has one of its own.
//
// Cannot: allocate any other size, nor resize a chunk.
//
// Choose it for nodes, entries, connections: anything that comes and goes one by one and
// has always the same size. Unlike those of an AllocSet, blocks that become empty are
// released.
//
// Invariant: the current block, from which chunks are allocated, is the first on Blocks.
// Behind it are those with freed chunks, and on Large the full ones. At most keepEmpty
// blocks other than the current one are empty. Blocks are aligned, so that a chunk leads
// to its block.
//
// Cost: an 8-byte header; sizes are rounded up to 8.
//
// PostgreSQL: mmgr/slab.c.
package slab

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

const (
	// keepEmpty is how many empty blocks are kept.
	keepEmpty = 2
	// minChunks is how many chunks the later blocks hold at least, within the context's
	// largest block.
	minChunks = 8
	// lookAhead is how many blocks are compared to find a full one.
	lookAhead = 8
	// worthShift is the fraction of a block, an eighth, that must be free before its
	// free list becomes the local one. Chunks that are freed in the order in which they
	// were allocated would otherwise become local one by one.
	worthShift = 3
	// maxBlock bounds the blocks, in bytes, so that sparse ones become empty.
	maxBlock = 64 << 10
	// maxShared is the largest chunk that shares a block, in bytes.
	maxShared = 1 << 20
)

// ID is the kind's.
const ID = kind.NoClasses | 5

func (Methods) Name() string { return "Slab" }

// Traits: a Slab's node is not cached, since others read the chunk size under the tree's
// lock.
func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: ID, Headers: true, Frees: true, OneSize: true, CountsEmpty: true, Head: head}
}

// Fix sets the size of all chunks of a Slab, before Open. It reports false for a size of
// 2 GiB or more.
func Fix(c *kind.Core, size uintptr) bool {
	if size >= 1<<31 {
		return false
	}
	relaxed.Store32(&c.ChunkSize, uint32(size)) // a reader of the statistics of a former context may come late
	return true
}

// stride returns the distance from one chunk to the next.
func stride(c *kind.Core) uintptr {
	return chunk.HeaderSize + max(uintptr(relaxed.Load32(&c.ChunkSize))+chunk.Align-1, chunk.Align)&^(chunk.Align-1)
}

// waste returns how many bytes the chunks of a block of size bytes leave of it.
func waste(c *kind.Core, size uintptr) uintptr { return (size - head) % stride(c) }

func (Methods) Open(c *kind.Core) {
	c.NeedsReset, c.Dirty = 1, kind.DirtyPrivate
	if c.Blocks == 0 {
		return
	}
	b := kind.BlockAt(c.Blocks)
	if _, ok := b.Order(); !ok || b.Size < head+stride(c) {
		c.DropKeeper()
		return
	}
	c.CloseCurrent() // a Slab allocates from its own part
	begin(c, b)
}

// begin makes a block that is on the list, empty, the current one.
func begin(c *kind.Core, b *kind.Block) {
	*at(b) = block{Block: *b, moveAt: never, chunks: uint32((b.Size - head) / stride(c)), tag: tag(c, b)}
	o := own(c)
	o.stride = stride(c)
	relaxed.Store32(&o.capacity, o.capacity+at(b).chunks)
	relaxed.Store32(&o.local, at(b).chunks)
	relaxed.Store(&c.Tails, c.Tails+waste(c, b.Size))
	first := b.Address() + head + chunk.HeaderSize
	relaxed.Store(&o.cur, first)
	o.end = first + uintptr(at(b).chunks)*o.stride
	c.Prefix = at(b).tag
}

// tag returns the header of live chunks of a block.
func tag(c *kind.Core, b *kind.Block) uint64 {
	frame, _ := b.Order()
	return c.Cookie ^ chunk.Slab | frame
}

// Alloc is the slow path: a wrong size, a large chunk, or nothing local.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size != uintptr(c.ChunkSize) {
		return 0, kind.Misuse(fmt.Sprintf("this Slab has chunks of %d bytes, not of %d", c.ChunkSize, int(size)))
	}
	if size > maxShared {
		return c.AllocLarge(size)
	}
	if own(c).list == 0 && own(c).cur == own(c).end {
		if err := refill(c); err != nil {
			return 0, err
		}
	}
	return Pop(c, "", size, Take, Cut, nil), nil
}

// refill makes a block's free chunks local: those freed in the current block, else those
// of a block with freed chunks, else a new block.
func refill(c *kind.Core) error {
	if c.Blocks == 0 {
		return refillNew(c)
	}
	current := at(kind.BlockAt(c.Blocks))
	if err := c.Owns(&current.Block); err != nil {
		return err
	}
	best := current
	if !current.worth() {
		best = fullest(current.Next)
	}
	if best == nil {
		best = further(c, current)
	}
	if best == nil {
		err := refillNew(c)
		if err == nil || current.frees == 0 && current.Next == 0 {
			return err
		}
		if best = current; current.frees == 0 { // the system refuses: take the little that is free
			best = at(kind.BlockAt(current.Next))
		}
	}
	if best == current {
		takeLocal(c, current)
		return nil
	}
	pass(c, best)
	kind.Unlink(&c.Blocks, &best.Block)
	kind.Link(&c.Blocks, &best.Block)
	retire(c, current)
	takeLocal(c, best)
	return nil
}

// worth reports whether enough of the block is free for it to become local.
func (b *block) worth() bool { return b.frees > b.chunks>>worthShift }

// fullest returns the fullest of the next few blocks that are worth it, nil when there
// is none: sparse blocks are left to become empty.
func fullest(addr uintptr) (best *block) {
	for range lookAhead {
		if addr == 0 {
			break
		}
		next := at(kind.BlockAt(addr))
		if next.worth() && (best == nil || next.frees < best.frees) {
			best = next
		}
		addr = next.Next
	}
	return best
}

// further is fullest for blocks further on, a few more each time: of those next to the
// current one few chunks are freed yet.
func further(c *kind.Core, current *block) *block {
	o := own(c)
	if o.next == 0 || o.next == c.Blocks {
		o.next = current.Next
	}
	best := fullest(o.next)
	for n := 0; o.next != 0 && n < lookAhead; n++ {
		o.next = kind.BlockAt(o.next).Next
	}
	return best
}

// pass moves the place to look at next off a block that is about to be unlinked.
func pass(c *kind.Core, b *block) {
	if o := own(c); o.next == b.Address() {
		o.next = b.Next
	}
}

// retire moves the current block, of which nothing is local, to those with freed chunks,
// or to the full ones.
func retire(c *kind.Core, b *block) {
	kind.Unlink(&c.Blocks, &b.Block)
	if b.frees != 0 {
		b.moveAt = b.chunks
		linkSecond(c, b)
		return
	}
	kind.Link(&c.Large, &b.Block)
	b.moveAt = 1
}

// takeLocal makes the freed chunks of the first block the local free list.
func takeLocal(c *kind.Core, b *block) {
	o := own(c)
	if b.frees == b.chunks && b.moveAt != never {
		relaxed.Dec(&o.empties)
	}
	relaxed.Store32(&o.local, b.frees)
	o.list, b.freed = b.freed, 0
	b.frees, b.moveAt = 0, never
	c.Prefix = b.tag
}

func refillNew(c *kind.Core) error {
	one := head + stride(c)
	need := c.NeedOf(one, head+minChunks*stride(c), kind.OrderSize(chunk.MaxSlabOrder))
	b, err := c.AcquireAligned(need, max(maxBlock, need))
	if err != nil && need > one {
		b, err = c.AcquireAligned(one, one)
	}
	if err != nil {
		return err
	}
	if c.Blocks != 0 {
		old := at(kind.BlockAt(c.Blocks))
		kind.Link(&c.Blocks, b)
		retire(c, old)
	} else {
		kind.Link(&c.Blocks, b)
	}
	begin(c, b)
	return nil
}

// move is separate from ToBlock since few frees change where a block is listed: the
// first one of a full block, and the last one of any.
func move(c *kind.Core, b *block) {
	if b.frees == 1 {
		b.moveAt = b.chunks
		kind.Unlink(&c.Large, &b.Block)
		linkSecond(c, b)
	}
	if b.frees != b.chunks {
		return
	}
	relaxed.Inc(&own(c).empties)
	if own(c).empties > keepEmpty {
		releaseBlock(c, b)
	}
}

// linkSecond puts a block behind the current one.
func linkSecond(c *kind.Core, b *block) {
	first := kind.BlockAt(c.Blocks)
	b.Prev, b.Next = first.Address(), first.Next
	if b.Next != 0 {
		kind.BlockAt(b.Next).Prev = b.Address()
	}
	first.Next = b.Address()
}

// releaseBlock releases an empty block.
func releaseBlock(c *kind.Core, b *block) {
	o := own(c)
	relaxed.Dec(&o.empties)
	relaxed.Store32(&o.capacity, o.capacity-b.chunks)
	relaxed.Store(&c.Tails, c.Tails-waste(c, b.Size))
	pass(c, b)
	kind.Unlink(&c.Blocks, &b.Block)
	c.Release(&b.Block)
}

// Free frees what the hot path does not: large chunks. Anything else is a Misuse.
func (Methods) Free(c *kind.Core, p uintptr, tag uint64) error {
	switch {
	case tag == chunk.Large:
		return c.FreeLarge(p)
	case !isLive(tag):
		return kind.TagFault(Methods{}, tag)
	}
	ok := true
	Sort(p, c.Cookie^tag, c, Keep, ToBlock, func(uintptr, uint64, *kind.Core) { ok = false })
	if !ok {
		return kind.NotAChunk
	}
	return nil
}

// isLive reports whether a tag is that of a live chunk in a shared block.
func isLive(tag uint64) bool { return tag-chunk.Slab <= chunk.MaxSlabOrder }

// isFreed reports whether a tag is that of a freed chunk in a shared block.
func isFreed(tag uint64) bool { return tag-chunk.SlabFreed <= chunk.MaxSlabOrder }

// Realloc leaves a chunk of the one size where it is.
func (m Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	if m.Capacity(c, p, tag) == 0 {
		return 0, kind.TagFault(Methods{}, tag)
	}
	if size != uintptr(c.ChunkSize) {
		return 0, kind.Misuse(fmt.Sprintf("this Slab has chunks of %d bytes, and none can be resized to %d", c.ChunkSize, int(size)))
	}
	return p, nil
}

func (Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	switch {
	case isLive(tag):
		return stride(c) - chunk.HeaderSize
	case tag == chunk.Large:
		return c.LargeCapacity(p)
	}
	return 0
}

func (Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return 0, kind.Misuse(fmt.Sprintf("an alignment of %d: a Slab's chunks lie on multiples of %d", align, chunk.Align))
}

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) SizeOf(c *kind.Core, tag uint64) uintptr {
	if isLive(tag) || isFreed(tag) {
		return stride(c) - chunk.HeaderSize
	}
	return 0
}

func (Methods) Freed(tag uint64) bool { return isFreed(tag) }

func (Methods) Reset(c *kind.Core) {
	b := c.Retire()
	c.NeedsReset, c.Dirty = 1, kind.DirtyPrivate
	if b != nil {
		begin(c, b)
	}
}

// Compact releases the blocks without a live chunk. While there are full blocks, one to
// allocate from is kept.
func (Methods) Compact(c *kind.Core) uintptr {
	before := c.Total
	if c.Blocks == 0 {
		return 0
	}
	putBack(c)
	for addr := kind.BlockAt(c.Blocks).Next; addr != 0; {
		b := at(kind.BlockAt(addr))
		addr = b.Next
		if b.frees == b.chunks {
			releaseBlock(c, b)
		}
	}
	releaseCurrent(c)
	return before - c.Total
}

// putBack moves the local free chunks to the free lists of their blocks.
func putBack(c *kind.Core) {
	o := own(c)
	for o.list != 0 {
		p := o.list
		o.list = *link(p)
		relaxed.Dec(&o.local)
		chunk.SetHeader(p, chunk.Header(p)^(chunk.Slab^chunk.SlabFreed))
		ToBlock(p, chunk.Header(p), c, nil) // with the header of a live chunk, which agrees
	}
}

// releaseCurrent releases the current block if it has no live chunk, and another one can
// take its place or none needs to.
func releaseCurrent(c *kind.Core) {
	o, b := own(c), at(kind.BlockAt(c.Blocks))
	rest := uint32((o.end - o.cur) / o.stride)
	if b.frees+rest != b.chunks || b.Next == 0 && c.Large != 0 {
		return
	}
	next := b.Next
	relaxed.Store32(&o.local, o.local-rest)
	o.cur, o.end = 0, 0
	relaxed.Inc(&o.empties) // releaseBlock subtracts it
	releaseBlock(c, b)
	if next == 0 {
		c.Prefix = c.Cookie
		return
	}
	takeLocal(c, at(kind.BlockAt(next)))
}

// Stats counts the current block as empty only when all are. A block of a large chunk never
// is.
func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	o := own(c)
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	s.FreeChunks = min(relaxed.Load32(&o.local)+freed(c), relaxed.Load32(&o.capacity))
	s.EmptyBlocks = relaxed.Load32(&o.empties)
	s.Free = uintptr(s.FreeChunks)*stride(c) + relaxed.Load(&c.Tails)
	large := s.Blocks != 0 && uintptr(relaxed.Load32(&c.ChunkSize)) > maxShared
	if s.Live = large || s.FreeChunks != relaxed.Load32(&o.capacity); !s.Live {
		s.EmptyBlocks = s.Blocks
	}
	return s
}

// freed returns how many chunks are on free lists. The owner may be at work, at which the
// race detector must not look.
//
//go:norace
func freed(c *kind.Core) (n uint32) {
	left := relaxed.Load32(&c.BlockCount)
	for b := c.PeekBlock(&c.Blocks); b != nil && left > 0; left-- {
		n += at(b).frees
		b = c.PeekBlock(&b.Next)
	}
	return n
}

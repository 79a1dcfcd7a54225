// Package slab is the kind for many objects of one size.
//
// It holds: blocks cut into chunks of one size, a freelist in each block.
//
// Cannot: sell any other size, nor resize a chunk.
//
// Choose it for nodes, entries, connections: anything that comes and goes one by
// one and is always alike. Unlike in an AllocSet, blocks that became empty go
// back to the warehouse.
//
// Invariant: a block with room stands on Blocks, a full one on Large; the first
// on Blocks is the current one, from which chunks are sold. No more than
// keepEmpty blocks other than the current one are empty.
//
// Cost: an 8-byte header; sizes are rounded up to 8. A free asks the warehouse
// for the block.
//
// PostgreSQL: mmgr/slab.c.
package slab

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// block is the head of a block. It stands in the block itself.
type block struct {
	kind.Block
	freed uintptr // the chunk freed last, 0 when none; each has the next in its first word
	fresh uintptr // first chunk that was never sold
	live  uint32
	most  uint32 // chunks in the block
}

const (
	head = 56 // room for a block, the same on every machine

	// keepEmpty is how many empty blocks wait for a chunk.
	keepEmpty = 2
	// leastChunks is how many chunks the later blocks have room for, at least,
	// within the largest block that the context is to buy.
	leastChunks = 8
	// lookAhead is how many blocks are compared to find a full one.
	lookAhead = 8
)

// The two counts that a Slab keeps in its core.
const (
	countFree    = iota // chunks that could be sold from the blocks at hand
	countEmpties        // blocks without a live chunk
)

var _ [head - unsafe.Sizeof(block{})]byte // a block fits

func at(b *kind.Block) *block { return (*block)(unsafe.Pointer(b)) } // every block of a slab has this head

func (Methods) Name() string { return "Slab" }

// Fix sets the one size that a slab sells, before Open. It says false when the
// size is 2 GiB or more.
func Fix(c *kind.Core, size uintptr) bool {
	if size >= 1<<31 {
		return false
	}
	c.Fixed = uint32(size)
	return true
}

// stride is the way from one chunk to the next.
func stride(c *kind.Core) uintptr {
	return chunk.HeaderSize + max(uintptr(c.Fixed)+chunk.Align-1, chunk.Align)&^(chunk.Align-1)
}

func (Methods) Open(c *kind.Core) {
	if c.Blocks == 0 {
		return
	}
	if b := kind.BlockAt(c.Blocks); b.Size < head+stride(c) {
		c.DropKeeper()
	} else {
		begin(c, b)
	}
}

// begin makes a block empty.
func begin(c *kind.Core, b *kind.Block) {
	*at(b) = block{
		Block: *b,
		fresh: b.Address() + head + chunk.HeaderSize,
		most:  uint32((b.Size - head) / stride(c)),
	}
	relaxed.Store32(&c.FreeCount[countFree], c.FreeCount[countFree]+at(b).most)
	relaxed.Inc(&c.FreeCount[countEmpties])
	relaxed.Store(&c.Tails, c.Tails+(b.Size-head)%stride(c))
}

func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size != uintptr(c.Fixed) {
		return 0, kind.Misuse(fmt.Sprintf("this Slab sells chunks of %d bytes, not of %d", c.Fixed, int(size)))
	}
	if c.Blocks == 0 {
		if err := refill(c); err != nil {
			return 0, err
		}
	}
	b := at(kind.BlockAt(c.Blocks))
	p := b.freed
	if p != 0 {
		b.freed = *link(p)
	} else {
		p = b.fresh
		b.fresh += stride(c)
	}
	if b.live == 0 {
		relaxed.Dec(&c.FreeCount[countEmpties])
	}
	b.live++
	relaxed.Dec(&c.FreeCount[countFree])
	chunk.SetHeader(p, c.Stamp|chunk.Slab)
	if b.live == b.most {
		fill(c, b)
	}
	return p, nil
}

func refill(c *kind.Core) error {
	need := head + stride(c)
	if c.Total > 0 {
		need = max(need, min(head+leastChunks*stride(c), uintptr(c.MostBlock)))
	}
	b, err := c.BuyShared(need)
	if err != nil {
		return err
	}
	kind.Link(&c.Blocks, b)
	begin(c, b)
	return nil
}

// fill moves the current block, now full, to the full ones, and makes the
// fullest of the next few current: sparse blocks are left to become empty.
func fill(c *kind.Core, b *block) {
	kind.Unlink(&c.Blocks, &b.Block)
	kind.Link(&c.Large, &b.Block)
	var best *block
	addr := c.Blocks
	for range lookAhead {
		if addr == 0 {
			break
		}
		next := at(kind.BlockAt(addr))
		if best == nil || next.live > best.live {
			best = next
		}
		addr = next.Next
	}
	if best != nil && best.Address() != c.Blocks {
		kind.Unlink(&c.Blocks, &best.Block)
		kind.Link(&c.Blocks, &best.Block)
	}
}

func (Methods) Free(c *kind.Core, p uintptr, what uint64) error {
	if what != chunk.Slab {
		return kind.WhatFault(what)
	}
	found := c.BlockOf(p)
	if found == nil {
		return kind.NotAChunk
	}
	b := at(found)
	chunk.SetHeader(p, c.Stamp|chunk.SlabFreed)
	*link(p) = b.freed
	b.freed = p
	relaxed.Inc(&c.FreeCount[countFree])
	if b.live == b.most {
		reopen(c, b)
	}
	if b.live--; b.live == 0 {
		relaxed.Inc(&c.FreeCount[countEmpties])
		if c.FreeCount[countEmpties] > keepEmpty && b.Address() != c.Blocks {
			letGo(c, b)
		}
	}
	return nil
}

// reopen puts a block that was full behind the current one, or makes it current
// when there is none.
func reopen(c *kind.Core, b *block) {
	kind.Unlink(&c.Large, &b.Block)
	if c.Blocks == 0 {
		kind.Link(&c.Blocks, &b.Block)
		return
	}
	first := kind.BlockAt(c.Blocks)
	b.Prev, b.Next = first.Address(), first.Next
	if b.Next != 0 {
		kind.BlockAt(b.Next).Prev = b.Address()
	}
	first.Next = b.Address()
}

// letGo sells an empty block.
func letGo(c *kind.Core, b *block) {
	relaxed.Dec(&c.FreeCount[countEmpties])
	relaxed.Store32(&c.FreeCount[countFree], c.FreeCount[countFree]-b.most)
	relaxed.Store(&c.Tails, c.Tails-(b.Size-head)%stride(c))
	kind.Unlink(&c.Blocks, &b.Block)
	c.Sell(&b.Block)
}

// Realloc leaves a chunk of the one size where it is.
func (Methods) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	if what != chunk.Slab {
		return 0, kind.WhatFault(what)
	}
	if size != uintptr(c.Fixed) {
		return 0, kind.Misuse(fmt.Sprintf("this Slab has chunks of %d bytes, and none can be made %d", c.Fixed, int(size)))
	}
	return p, nil
}

func (Methods) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	if what != chunk.Slab {
		return 0
	}
	return stride(c) - chunk.HeaderSize
}

func (Methods) Reset(c *kind.Core) {
	if b := c.Retire(); b != nil {
		begin(c, b)
	}
}

func (Methods) Stats(c *kind.Core) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	s.FreeChunks = relaxed.Load32(&c.FreeCount[countFree])
	s.Empties = relaxed.Load32(&c.FreeCount[countEmpties])
	s.Free = uintptr(s.FreeChunks)*stride(c) + relaxed.Load(&c.Tails)
	s.Live = s.Empties != s.Blocks
	return s
}

// link is the first word of a freed chunk.
func link(p uintptr) *uintptr { return (*uintptr)(osmem.At(p)) }

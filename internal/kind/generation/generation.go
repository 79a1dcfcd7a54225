// Package generation is the kind for queues: what was sold first is freed first.
//
// It holds: blocks that are filled from the front and never filled twice; a
// block goes back when the last of its chunks is freed.
//
// Cannot: sell a freed chunk again before its whole block is free. One chunk
// that lives on pins its block.
//
// Choose it for messages, tuples and changes that come and go in order, or in
// groups.
//
// Invariant: freed bytes of a block never pass those it sold; when they are
// equal the block is empty. The current block is the first of the list, and its
// sold bytes are known from Cur; those of the others stand in their head.
//
// Cost: an 8-byte header; sizes are rounded up to 8. A free asks the warehouse
// for the block.
//
// PostgreSQL: mmgr/generation.c.
package generation

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// block is the head of a shared block.
type block struct {
	kind.Block
	sold  uintptr // bytes of chunks with their headers, once the block is not current
	freed uintptr // of them, taken back
	frees uint32  // how many chunks that were
}

// The two counts that a Generation keeps in its core.
const (
	countFreed  = iota // freed chunks in blocks that are not empty
	countChunks        // those and the live ones
)

const (
	head = 56 // room for a block, the same on every machine

	// mostShared is the largest chunk that shares a block, in bytes.
	mostShared = 8 << 10
	// mostBlock bounds the blocks: one live chunk pins no more than this.
	mostBlock = 32 << 10
)

var _ [head - unsafe.Sizeof(block{})]byte // a block fits

func at(b *kind.Block) *block { return (*block)(unsafe.Pointer(b)) } // every shared block has this head

func (Methods) Name() string { return "Generation" }

func (Methods) Open(c *kind.Core) {
	c.MostBlock = min(c.MostBlock, mostBlock)
	c.NextBlock = min(c.NextBlock, c.MostBlock)
	if c.Blocks != 0 {
		begin(c, kind.BlockAt(c.Blocks))
	}
}

// begin makes a block, empty, the one to sell from.
func begin(c *kind.Core, b *kind.Block) {
	if b != nil {
		at(b).sold, at(b).freed, at(b).frees = 0, 0, 0
	}
	c.Sellable(b, head)
}

func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size > mostShared {
		return allocLarge(c, size)
	}
	size = max(size+chunk.Align-1, chunk.Align) &^ (chunk.Align - 1)
	whole := size + chunk.HeaderSize
	if whole > c.Room() {
		if err := refill(c, whole); err != nil {
			return 0, err
		}
	}
	p := c.Cur + chunk.HeaderSize
	relaxed.Store(&c.Cur, c.Cur+whole)
	chunk.SetHeader(p, c.Stamp|chunk.Generation|uint64(size/chunk.Align))
	relaxed.Inc(&c.FreeCount[countChunks])
	return p, nil
}

func allocLarge(c *kind.Core, size uintptr) (uintptr, error) {
	p, err := c.AllocLarge(size)
	if err == nil {
		relaxed.Inc(&c.FreeCount[countChunks])
	}
	return p, err
}

func freeLarge(c *kind.Core, p uintptr) error {
	err := c.FreeLarge(p)
	if err == nil {
		relaxed.Dec(&c.FreeCount[countChunks])
	}
	return err
}

// refill makes a new block the current one. The old one, if everything in it is
// freed by now, was already begun anew by Free.
func refill(c *kind.Core, whole uintptr) error {
	b, err := c.BuyShared(whole + head)
	if err != nil {
		return err
	}
	if c.Blocks != 0 {
		old := at(kind.BlockAt(c.Blocks))
		old.sold = c.Cur - old.Address() - head
		relaxed.Store(&c.Tails, c.Tails+c.Room())
	}
	kind.Link(&c.Blocks, b)
	begin(c, b)
	return nil
}

func (Methods) Free(c *kind.Core, p uintptr, what uint64) error {
	if what == chunk.Large {
		return freeLarge(c, p)
	}
	size := shared(what)
	if size == 0 {
		return kind.WhatFault(what)
	}
	found := c.BlockOf(p)
	if found == nil {
		return kind.NotAChunk
	}
	b := at(found)
	chunk.SetHeader(p, c.Stamp|chunk.GenerationFreed|what&chunk.GenerationSize)
	b.freed += size + chunk.HeaderSize
	b.frees++
	relaxed.Inc(&c.FreeCount[countFreed])
	if b.Address() == c.Blocks {
		if b.freed == c.Cur-b.Address()-head {
			uncount(c, b)
			begin(c, found)
		}
	} else if b.freed == b.sold {
		letGo(c, b)
	}
	return nil
}

// letGo sells an empty block that is not the current one.
func letGo(c *kind.Core, b *block) {
	uncount(c, b)
	relaxed.Store(&c.Tails, c.Tails-(b.Size-head-b.sold))
	kind.Unlink(&c.Blocks, &b.Block)
	c.Sell(&b.Block)
}

// uncount takes the chunks of an empty block off the counts: they are no chunks
// any more.
func uncount(c *kind.Core, b *block) {
	relaxed.Store32(&c.FreeCount[countFreed], c.FreeCount[countFreed]-b.frees)
	relaxed.Store32(&c.FreeCount[countChunks], c.FreeCount[countChunks]-b.frees)
}

func (m Methods) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	return kind.Resize(m, c, p, what, size)
}

func (Methods) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	if what == chunk.Large {
		return c.LargeCapacity(p)
	}
	return shared(what)
}

// shared is the size of a live chunk that shares a block, 0 when what is not
// such a chunk's.
func shared(what uint64) uintptr {
	size := uintptr(what&chunk.GenerationSize) * chunk.Align
	if what&^chunk.GenerationSize != chunk.Generation || size > mostShared {
		return 0
	}
	return size
}

func (Methods) Reset(c *kind.Core) { begin(c, c.Retire()) }

// Stats counts as PostgreSQL does: what a freed chunk held is used until its
// block is empty.
func (Methods) Stats(c *kind.Core) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	s.Free = c.Room() + relaxed.Load(&c.Tails)
	s.FreeChunks = relaxed.Load32(&c.FreeCount[countFreed])
	s.Chunks = relaxed.Load32(&c.FreeCount[countChunks])
	s.Live = s.Chunks != s.FreeChunks
	return s
}

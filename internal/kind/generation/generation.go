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
// equal the block is empty. The current block is the first of the list, and what
// it sold is known from what is left of it; what the others sold stands in their
// head. Shared blocks are frames, so that a chunk leads to its block.
//
// Cost: an 8-byte header; sizes are rounded up to 8.
//
// PostgreSQL: mmgr/generation.c.
package generation

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// room is the unsold rest of the current block.
func room(c *kind.Core) uintptr {
	cur, end := relaxed.Load(&own(c).cur), relaxed.Load(&own(c).end)
	return end - min(cur, end) // they may be read between the owner's two stores
}

func (Methods) Name() string { return "Generation" }

func (Methods) Open(c *kind.Core) {
	c.Busy, c.Stirred = 1, kind.StirredPrivate
	c.MostBlock = min(c.MostBlock, mostBlock)
	if c.Blocks == 0 {
		return
	}
	if _, ok := kind.BlockAt(c.Blocks).FrameOf(); !ok {
		c.DropKeeper()
		return
	}
	c.Close() // what is sold here is sold from private
	begin(c, kind.BlockAt(c.Blocks))
}

// begin makes a block, empty, the one to sell from.
func begin(c *kind.Core, b *kind.Block) {
	at(b).sold, at(b).freed = stillSelling, 0
	frame, _ := b.FrameOf()
	o := own(c)
	o.tag = c.Stamp | chunk.Generation | frame<<chunk.GenerationFrame
	relaxed.Store(&o.cur, b.Address()+head)
	relaxed.Store(&o.end, b.End())
}

// Alloc is the slow path: sizes that have a block of their own, and a block that
// has no room.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size > mostShared {
		return allocLarge(c, size)
	}
	size = max(size, 1)
	if p := Alloc(c, size); p != 0 {
		return p, nil
	}
	whole := (size+chunk.Align-1)&^(chunk.Align-1) + chunk.HeaderSize
	if err := refill(c, whole); err != nil {
		return 0, err
	}
	return Alloc(c, size), nil
}

func allocLarge(c *kind.Core, size uintptr) (uintptr, error) {
	p, err := c.AllocLarge(size)
	if err == nil {
		relaxed.Inc(&own(c).sold)
	}
	return p, err
}

func freeLarge(c *kind.Core, p uintptr) error {
	err := c.FreeLarge(p)
	if err == nil {
		relaxed.Dec(&own(c).sold)
	}
	return err
}

// refill makes another block the current one, or the same when all of its chunks
// are freed by now.
func refill(c *kind.Core, whole uintptr) error {
	if c.Blocks != 0 {
		old := at(kind.BlockAt(c.Blocks))
		sold := uint64(own(c).cur - old.Address() - head)
		if old.freed&bytesMask == sold && whole <= old.Size-head {
			uncount(c, old)
			begin(c, &old.Block)
			return nil
		}
		return turn(c, old, sold, whole)
	}
	b, err := c.BuyFrame(whole+head, mostBlock)
	if err == nil {
		kind.Link(&c.Blocks, b)
		begin(c, b)
	}
	return err
}

// turn buys a new block and leaves the old one to be freed.
func turn(c *kind.Core, old *block, sold uint64, whole uintptr) error {
	b, err := c.BuyFrame(whole+head, mostBlock)
	if err != nil {
		return err
	}
	old.sold = sold
	relaxed.Store(&c.Tails, c.Tails+room(c))
	kind.Link(&c.Blocks, b)
	begin(c, b)
	if old.freed&bytesMask == sold {
		letGo(c, old)
	}
	return nil
}

// letGo is apart from Free because it sells: an empty block that is not the
// current one.
func letGo(c *kind.Core, b *block) {
	uncount(c, b)
	relaxed.Store(&c.Tails, c.Tails-(b.Size-head-uintptr(b.sold)))
	kind.Unlink(&c.Blocks, &b.Block)
	c.Sell(&b.Block)
}

// uncount takes the chunks of an empty block off the counts: they are no chunks
// any more.
func uncount(c *kind.Core, b *block) {
	n, o := uint32(b.freed>>countShift), own(c)
	relaxed.Store32(&o.freed, o.freed-n)
	relaxed.Store32(&o.sold, o.sold-n)
}

// Free takes what the hot path does not: large chunks, and what is no chunk.
func (Methods) Free(c *kind.Core, p uintptr, what uint64) error {
	switch {
	case Is(what):
		if !Free(c, p, c.Stamp|what, what) {
			return kind.NotAChunk
		}
		return nil
	case what == chunk.Large:
		return freeLarge(c, p)
	}
	return kind.WhatFault(what)
}

func (m Methods) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	return kind.Resize(m, c, p, what, size)
}

func (Methods) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	if what == chunk.Large {
		return c.LargeCapacity(p)
	}
	if !Is(what) {
		return 0
	}
	return uintptr(what&chunk.GenerationSize) * chunk.Align
}

func (Methods) Reset(c *kind.Core) {
	b := c.Retire()
	c.Busy, c.Stirred = 1, kind.StirredPrivate
	if b != nil {
		begin(c, b)
	}
}

// Stats counts as PostgreSQL does: what a freed chunk held is used until its
// block is empty.
func (Methods) Stats(c *kind.Core) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	s.Free = room(c) + relaxed.Load(&c.Tails)
	s.FreeChunks = relaxed.Load32(&own(c).freed)
	s.Chunks = relaxed.Load32(&own(c).sold)
	s.Live = s.Chunks != s.FreeChunks
	return s
}

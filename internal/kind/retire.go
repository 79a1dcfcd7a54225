package kind

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Calm says that Rewind is enough to take every chunk back: there is at most a
// keeper, and the kind keeps nothing but freelists.
func (c *Core) IsClean() bool { return c.NeedsReset == 0 }

// Settle makes the freelists of a calm context empty: it comes before Rewind. It
// is a few words to look at and, where chunks were freed, a call.
func (c *Core) ClearDirty() {
	if c.Dirty != 0 {
		c.clearDirty()
	}
}

// Rewind takes every chunk of a calm and settled context back. One that sold
// nothing is left alone: PostgreSQL's isReset.
func (c *Core) Rewind() {
	if start := c.Blocks + BlockHeader; c.Cur > start {
		relaxed.Store(&c.Cur, start)
		c.RenewCookie()
	}
}

// RenewCookie makes every header of the context's chunks void.
func (c *Core) RenewCookie() {
	c.Prefix = chunk.Renew(c.Cookie)
	relaxed.Store64(&c.Cookie, c.Prefix)
}

// Retire is what every kind's reset begins with: chunks are void, the blocks
// sold but for the keeper, which it answers; nil when there is none.
func (c *Core) Retire() *Block {
	c.RenewCookie()
	c.ClearDirty()
	if c.NeedsReset&ResetSpans != 0 {
		c.Spans().forget()
	}
	if c.Tails != 0 {
		relaxed.Store(&c.Tails, 0)
	}
	if c.BlockCount != 1 || c.Blocks == 0 || BlockAt(c.Blocks).Size > MaxKeeper {
		c.releaseBlocks()
	}
	c.NeedsReset = 0
	if c.Blocks == 0 {
		return nil
	}
	return BlockAt(c.Blocks)
}

// releaseBlocks is apart from Retire because a context that cycles within its
// keeper has nothing to sell. What took several blocks and fits a keeper gets one
// of that size the next time: a context that does the same again comes to hold
// one block for it. From what is larger the largest keeper is kept.
func (c *Core) releaseBlocks() {
	keeper := c.keeper()
	if used := c.Total - c.Remaining(); used <= MaxKeeper {
		keeper = 0
		c.learn(used)
	}
	c.releaseList(c.Large, keeper)
	c.releaseList(c.Blocks, keeper)
	c.Large, c.Blocks = 0, keeper
	if keeper != 0 {
		BlockAt(keeper).Next, BlockAt(keeper).Prev = 0, 0
	}
}

// keeper chooses the block to keep, the largest that is not too large, of several the
// latest; 0 when every block is.
func (c *Core) keeper() (best uintptr) {
	for addr, most := c.Blocks, uintptr(0); addr != 0 && most < MaxKeeper; {
		b := BlockAt(addr)
		if b.Size <= MaxKeeper && b.Size > most {
			best, most = addr, b.Size
		}
		addr = b.Next
	}
	return best
}

// DropKeeper sells the block that a core without an owner kept.
func (c *Core) DropKeeper() {
	if c.Blocks != 0 {
		c.Release(BlockAt(c.Blocks))
		c.Blocks = 0
		c.CloseCurrent()
	}
}

// SetCurrent lays the current block open: all of b behind its head, head bytes
// long, can be sold from.
func (c *Core) SetCurrent(b *Block, head uintptr) {
	if b == nil {
		c.CloseCurrent()
		return
	}
	relaxed.Store(&c.Cur, b.Address()+head)
	relaxed.Store(&c.End, b.End())
}

// Close leaves nothing to sell from.
func (c *Core) CloseCurrent() {
	relaxed.Store(&c.Cur, 0)
	relaxed.Store(&c.End, 0)
}

// Room is the unsold rest of the current block.
func (c *Core) Remaining() uintptr {
	cur, end := relaxed.Load(&c.Cur), relaxed.Load(&c.End)
	if cur > end { // read between the owner's two stores
		return 0
	}
	return end - cur
}

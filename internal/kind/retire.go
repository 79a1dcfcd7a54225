package kind

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// IsClean reports whether Rewind is enough to free every chunk: the node has at most a
// keeper, and the kind keeps nothing but free lists.
func (c *Core) IsClean() bool { return c.NeedsReset == 0 }

// ClearDirty empties the free lists of a clean node. It comes before Rewind. It reads
// one word and, if chunks were freed, makes a call.
func (c *Core) ClearDirty() {
	if c.Dirty != 0 {
		c.clearDirty()
	}
}

// Rewind frees every chunk of a node that is clean and not dirty. It leaves alone one
// that allocated nothing: PostgreSQL's isReset.
func (c *Core) Rewind() {
	if !c.Untouched() {
		relaxed.Store(&c.Cur, c.Blocks+BlockHeader)
		c.RenewCookie()
	}
}

// RenewCookie invalidates every header of the context's chunks.
func (c *Core) RenewCookie() {
	c.Prefix = chunk.NextCookie(c.Cookie)
	relaxed.Store64(&c.Cookie, c.Prefix)
}

// Retire begins every kind's reset: it invalidates all chunks and releases all blocks
// but the keeper, which it returns; nil when there is none.
func (c *Core) Retire() *Block {
	c.RenewCookie()
	c.ClearDirty()
	if c.NeedsReset&ResetSpans != 0 {
		c.Spans().forget()
	}
	if c.NeedsReset&ResetElsewhere != 0 {
		RetireElsewhere(c)
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

// RetireElsewhere releases what a node has of memory that is not the page heap's. Package checked
// sets it.
var RetireElsewhere func(c *Core)

// HeldElsewhere returns how many bytes and blocks that are. Package checked sets it.
var HeldElsewhere func(c *Core) (bytes uintptr, blocks uint32)

// releaseBlocks is separate since a context that stays within its keeper has nothing to
// release. A context that took several blocks but would fit a keeper gets a block of
// that size the next time, so that one that does the same again comes to hold one block
// for it. Of what is larger the largest keeper is kept.
func (c *Core) releaseBlocks() {
	keeper := uintptr(0)
	if used := c.Total - c.Remaining(); used <= MaxKeeper && relaxed.Load32(&c.Has)&KeepsBlock == 0 {
		c.learn(used)
	} else {
		keeper = c.keeper()
	}
	c.releaseList(c.Large, keeper)
	c.releaseList(c.Blocks, keeper)
	c.Large, c.Blocks = 0, keeper
	if keeper != 0 {
		BlockAt(keeper).Next, BlockAt(keeper).Prev = 0, 0
	}
}

// keeper chooses the block to keep: the largest that is not too large, of several the
// latest; 0 when all are too large.
func (c *Core) keeper() (best uintptr) {
	for addr, most := c.Blocks, uintptr(0); addr != 0 && most < MaxKeeper; {
		if !plausible(addr) {
			return 0 // releaseList notes it
		}
		b := BlockAt(addr)
		if b.Size <= MaxKeeper && b.Size > most {
			best, most = addr, b.Size
		}
		addr = b.Next
	}
	return best
}

// KeepsBlock is the bit of Core.Has for a context that always has a block of MaxKeeper.
const KeepsBlock = 1 << 29

// MustKeep reports whether the context must not release a block, as its last of MaxKeeper.
func (c *Core) MustKeep(b *Block) bool {
	if relaxed.Load32(&c.Has)&KeepsBlock == 0 || b.Size != MaxKeeper {
		return false
	}
	for addr := c.Blocks; addr != 0; addr = BlockAt(addr).Next {
		if other := BlockAt(addr); other != b && other.Size == MaxKeeper {
			return false
		}
	}
	return true
}

// DropKeeper releases the block that a node without a context kept.
func (c *Core) DropKeeper() {
	if c.Blocks != 0 {
		c.Release(BlockAt(c.Blocks))
		c.Blocks = 0
		c.CloseCurrent()
	}
}

// SetCurrent makes all of a block behind its head, of head bytes, available to allocate
// from.
func (c *Core) SetCurrent(b *Block, head uintptr) {
	if b == nil {
		c.CloseCurrent()
		return
	}
	relaxed.Store(&c.Cur, b.Address()+head)
	relaxed.Store(&c.End, b.End())
}

// CloseCurrent leaves nothing to allocate from.
func (c *Core) CloseCurrent() {
	relaxed.Store(&c.Cur, 0)
	relaxed.Store(&c.End, 0)
}

// Remaining returns how many bytes of the current block are not allocated.
func (c *Core) Remaining() uintptr {
	cur, end := relaxed.Load(&c.Cur), relaxed.Load(&c.End)
	if cur > end { // read between the owner's two stores
		return 0
	}
	return end - cur
}

package kind

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Retire is what every kind's reset begins with: chunks are void, the blocks
// sold but for the keeper, which it answers; nil when there is none. The latest
// block is the largest; if it is small enough it is the keeper, so that a
// context that does the same again finds room for all of it in one block.
func (c *Core) Retire() *Block {
	c.Stamp = chunk.Renew(c.Stamp)
	if c.anyFreed() {
		c.clearFreelists()
	}
	if c.Tails != 0 {
		relaxed.Store(&c.Tails, 0)
	}
	if c.BlockCount != 1 || c.Blocks == 0 || BlockAt(c.Blocks).Size > KeeperMost {
		c.sellBlocks()
	}
	c.Grow(c.FirstBlock, c.MostBlock)
	if c.Blocks == 0 {
		return nil
	}
	return BlockAt(c.Blocks)
}

// sellBlocks is apart from Retire because a context that cycles within its
// keeper has nothing to sell.
func (c *Core) sellBlocks() {
	keeper := c.keeper()
	c.sellList(c.Large, keeper)
	c.sellList(c.Blocks, keeper)
	c.Large, c.Blocks = 0, keeper
	if keeper != 0 {
		BlockAt(keeper).Next, BlockAt(keeper).Prev = 0, 0
	}
}

// Grow sets the sizes of blocks to buy. A keeper counts as bought: the next block
// is larger, so that a context that needs more than its keeper every time comes
// to keep enough.
func (c *Core) Grow(first, most uint32) {
	c.FirstBlock, c.MostBlock = first, most
	if c.Blocks != 0 {
		first = max(first, min(2*uint32(BlockAt(c.Blocks).Size), doubleUntil))
	}
	c.NextBlock = min(first, most)
}

// keeper chooses the block to keep, 0 when every block is too large.
func (c *Core) keeper() uintptr {
	for addr := c.Blocks; addr != 0; addr = BlockAt(addr).Next {
		if BlockAt(addr).Size <= KeeperMost {
			return addr
		}
	}
	return 0
}

// DropKeeper sells the block that a core without an owner kept.
func (c *Core) DropKeeper() {
	if c.Blocks != 0 {
		c.Sell(BlockAt(c.Blocks))
		c.Blocks = 0
	}
}

// Sellable lays the current block open: all of b behind its head, head bytes
// long, can be sold from.
func (c *Core) Sellable(b *Block, head uintptr) {
	if b == nil {
		c.Close()
		return
	}
	relaxed.Store(&c.Cur, b.Address()+head)
	relaxed.Store(&c.End, b.End())
}

// Close leaves nothing to sell from.
func (c *Core) Close() {
	relaxed.Store(&c.Cur, 0)
	relaxed.Store(&c.End, 0)
}

// Room is the unsold rest of the current block.
func (c *Core) Room() uintptr {
	cur, end := relaxed.Load(&c.Cur), relaxed.Load(&c.End)
	if cur > end { // read between the owner's two stores
		return 0
	}
	return end - cur
}

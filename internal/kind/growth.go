package kind

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/block"
)

// How blocks grow: all that sets, reads or learns FirstBlock and MaxBlock.
//
// A context's first block has FirstBlock bytes: the default, or what earlier contexts of
// its name needed, or what BlockSizes sets. Later blocks grow with the context, up to
// MaxBlock.
//
// Invariant: what is learned is at most MaxKeeper. So a FirstBlock beyond MaxKeeper was
// set by BlockSizes, and holds for every block.
//
// Cost: some instructions for each block.

// Sizes of blocks, in bytes.
const (
	// DefaultFirst and DefaultMax are the sizes of the first and of the largest block
	// of a context that nothing else is known of.
	DefaultFirst = 1 << 10
	DefaultMax   = 1 << 20

	// MaxKeeper is the largest block that a context keeps over a reset, and
	// a node over a deletion. It is PostgreSQL's default first block.
	MaxKeeper = 8 << 10

	// BlockUnit is the page heap's unit: all sizes of blocks are multiples of it.
	BlockUnit = block.MinSize

	growthShift = 5 // a later block of a large context is a 32nd of what it holds
	forgetShift = 3 // a size hint that was not needed decreases by an eighth
	ownShift    = 2 // a chunk of a quarter of the next block has a block of its own
)

// SetSizes sets the first and the largest block of a context that begins.
func (c *Core) SetSizes(first, largest uint32) { c.FirstBlock, c.MaxBlock = first, largest }

// ForgetSizes sets the sizes to the defaults for the next context, except for what was
// learned.
func (c *Core) ForgetSizes() { c.SetSizes(min(c.FirstBlock, MaxKeeper), DefaultMax) }

// LimitBlocks bounds the largest block that chunks share, for a kind that needs small
// ones.
func (c *Core) LimitBlocks(limit uint32) { c.MaxBlock = min(c.MaxBlock, limit) }

// learn makes the first block of the next life large enough for the used bytes of this
// one.
func (c *Core) learn(used uintptr) {
	c.FirstBlock = min(max(c.FirstBlock, uint32(used+BlockUnit-1)&^(BlockUnit-1)), c.MaxBlock)
}

// Hint returns the size hint of a name after a life in which the context held used
// bytes: the size of a first block that would have been enough, 0 for none. What was
// needed is there at once the next time, and what was not is forgotten slowly.
func Hint(hint uint32, used uintptr) uint32 {
	remembered := uintptr(hint - hint>>forgetShift)
	return uint32(min(max(used, remembered)+BlockUnit-1, MaxKeeper)) &^ (BlockUnit - 1)
}

// HintedFirst returns the size of the first block of a context whose name has a size
// hint.
func HintedFirst(hint uint32) uint32 { return max(hint, DefaultFirst) }

// NextSize returns the size of the block to acquire for a chunk that needs need bytes of
// it, so that the unused rest of the last block stays a small part of the whole: a
// quarter of the first block, since many contexts need a little more than that; then
// half of what the context holds, and a 32nd when that is much.
func (c *Core) NextSize(need uintptr) uintptr {
	size := uintptr(c.FirstBlock)
	switch {
	case c.Blocks == 0:
	case c.Total <= DefaultFirst:
		size = max(c.Total/4, BlockUnit)
	default:
		size = max(min(c.Total/2, MaxKeeper), c.Total>>growthShift)
	}
	if c.FirstBlock > MaxKeeper {
		size = max(size, uintptr(c.FirstBlock))
	}
	return max(min(size, uintptr(c.MaxBlock))&^(BlockUnit-1), need)
}

// nextShared is NextSize for a block of at most limit bytes, unless need is more.
func (c *Core) nextShared(need, limit uintptr) uintptr {
	return max(min(c.NextSize(need), limit), need)
}

// nextAligned is NextSize for an aligned block, and the smallest that is enough. The
// first block is rounded up to a power of two, as it was chosen to be enough; later ones
// down.
func (c *Core) nextAligned(need, limit uintptr) (size, smallest uintptr) {
	smallest = ceil(max(need, BlockUnit))
	size = min(c.NextSize(need), limit)
	if c.Blocks != 0 {
		size = size/2 + 1
	}
	return max(ceil(size), smallest), smallest
}

// NeedOf returns how many bytes a block needs at least: one for the first, and later
// many, which is more, as far as the largest block and limit allow.
func (c *Core) NeedOf(one, many, limit uintptr) uintptr {
	if c.Total == 0 {
		return one
	}
	return max(one, min(many, uintptr(c.MaxBlock), limit))
}

// WantsOwn reports whether a chunk of size bytes, if that is at least floor, gets a
// block of its own rather than end the current one.
func (c *Core) WantsOwn(size, floor uintptr) bool {
	return size >= max(floor, c.NextSize(0)>>ownShift)
}

// ceil returns the least power of two that is at least n.
func ceil(n uintptr) uintptr { return 1 << bits.Len64(uint64(n-1)) }

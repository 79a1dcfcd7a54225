package kind

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/block"
)

// Aligned blocks: of a power of two, at a multiple of their size. A kind that keeps
// counts in the head of a block finds it from a chunk's address and the order in the
// chunk's header, without asking the page heap.
//
// Invariant: the order of a block is the exponent of its size over that of the smallest.
//
// Cost: that of any block.

// OrderSize returns the size of an aligned block of an order, in bytes.
func OrderSize(order uint64) uintptr { return block.MinSize << order }

// Order returns the order of a block; false when it is not an aligned one.
func (b *Block) Order() (order uint64, ok bool) {
	order = uint64(bits.TrailingZeros64(uint64(b.Size / block.MinSize)))
	return order, b.Size == OrderSize(order) && b.Address()%b.Size == 0
}

// AcquireAligned gets an aligned block of at most most bytes for many chunks, the first
// of which needs need bytes, the head of the block included. When the system refuses, it
// asks for less.
func (c *Core) AcquireAligned(need, most uintptr) (*Block, error) {
	size, least := c.nextAligned(need, most)
	b, err := c.acquireAligned(size)
	for err != nil && size > least {
		size /= 2
		b, err = c.acquireAligned(size)
	}
	return b, err
}

func (c *Core) acquireAligned(size uintptr) (*Block, error) {
	return c.acquire(size, func() (addr, got uintptr, err error) {
		addr, err = block.AcquireAligned(size)
		return addr, size, err
	})
}

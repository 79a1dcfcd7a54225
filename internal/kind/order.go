package kind

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/block"
)

// Frames: blocks of a power of two on a multiple of their size. A kind that keeps
// accounts in the head of a block finds it from a chunk's address and the frame
// that the chunk's header names, without asking the warehouse.
//
// Invariant: a frame is the exponent of the size over that of the smallest one.
//
// Cost: none beyond that of any block.

// OrderSize is the size of a frame in bytes.
func OrderSize(frame uint64) uintptr { return block.LeastFrame << frame }

// Order is the frame of a block, false when it is none.
func (b *Block) Order() (frame uint64, ok bool) {
	frame = uint64(bits.TrailingZeros64(uint64(b.Size / block.LeastFrame)))
	return frame, b.Size == OrderSize(frame) && b.Address()%b.Size == 0
}

// AcquireAligned gets a block of a frame of at most most bytes for many chunks, the
// first of which needs need bytes, the block's own head included. It asks for
// less when the system refuses.
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
	p, err := c.reserve(size)
	if err != nil {
		return nil, err
	}
	addr, err := block.BuyFrame(size)
	if err != nil {
		c.cancel(p)
		return nil, err
	}
	return c.adopt(p, addr, size), nil
}

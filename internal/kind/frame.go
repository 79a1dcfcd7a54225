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

// FrameSize is the size of a frame in bytes.
func FrameSize(frame uint64) uintptr { return block.LeastFrame << frame }

// FrameOf is the frame of a block, false when it is none.
func (b *Block) FrameOf() (frame uint64, ok bool) {
	frame = uint64(bits.TrailingZeros64(uint64(b.Size / block.LeastFrame)))
	return frame, b.Size == FrameSize(frame) && b.Address()%b.Size == 0
}

// BuyFrame gets a block of a frame of at most most bytes for many chunks, the
// first of which needs need bytes, the block's own head included. It asks for
// less when the system refuses.
func (c *Core) BuyFrame(need, most uintptr) (*Block, error) {
	size, least := c.nextFrame(need, most)
	b, err := c.buyFrame(size)
	for err != nil && size > least {
		size /= 2
		b, err = c.buyFrame(size)
	}
	return b, err
}

func (c *Core) buyFrame(size uintptr) (*Block, error) {
	p, err := c.bid(size)
	if err != nil {
		return nil, err
	}
	addr, err := block.BuyFrame(size)
	if err != nil {
		c.lost(p)
		return nil, err
	}
	return c.own(p, addr, size), nil
}

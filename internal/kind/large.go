package kind

import "github.com/gopalloc/palloc/internal/chunk"

// Large chunks have a block of their own, on the list Large of their core. The
// kinds with headers share what is here.

// AllocLarge sells a chunk in a block of its own.
func (c *Core) AllocLarge(size uintptr) (uintptr, error) {
	if size > MostChunk {
		return 0, TooLarge(size)
	}
	b, err := c.Buy(size + headroom)
	if err != nil {
		return 0, err
	}
	b.Alone = 1
	Link(&c.Large, b)
	p := b.Address() + headroom
	chunk.SetHeader(p, c.Stamp|chunk.Large)
	return p, nil
}

// FreeLarge takes a large chunk and its block back.
func (c *Core) FreeLarge(p uintptr) error {
	b := c.BlockOf(p)
	if b == nil || b.Alone == 0 || b.Address()+headroom != p {
		return NotAChunk
	}
	chunk.SetHeader(p, c.Stamp|chunk.LargeFreed)
	Unlink(&c.Large, b)
	c.Sell(b)
	return nil
}

// LargeCapacity is the usable size of a large chunk.
func (c *Core) LargeCapacity(p uintptr) uintptr {
	return BlockAt(p-headroom).Size - headroom
}

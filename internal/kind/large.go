package kind

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

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

// KeepsPlace says whether a chunk of capacity bytes stays where it is when it is
// made size bytes large: it fits, and would not waste three quarters.
func KeepsPlace(capacity, size uintptr) bool {
	return size <= capacity && (capacity <= chunk.MostSize || size >= capacity/4)
}

// Move is how a chunk gets another size in another place: sold anew, copied,
// the old one freed.
func Move(m Methods, c *Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	old := m.Capacity(c, p, what)
	to, err := m.Alloc(c, size)
	if err != nil {
		return 0, err
	}
	copy(osmem.Bytes(to, size), osmem.Bytes(p, min(old, size)))
	return to, m.Free(c, p, what)
}

// NotAChunk: the bytes before the pointer pass for a header, the rest does not.
const NotAChunk = Misuse("the address is not the start of a chunk")

// TooLarge refuses a size beyond MostChunk.
func TooLarge(size uintptr) Misuse {
	return Misuse(fmt.Sprintf("a size of %d bytes (%d as a signed number) is not a size", size, int(size)))
}

// WhatFault explains a what that is no live chunk's of the kind.
func WhatFault(what uint64) Misuse {
	freed := what >= chunk.Freed && what < 2*chunk.Classes || what == chunk.LargeFreed ||
		what == chunk.SlabFreed || what == chunk.Redirected || what&chunk.GenerationFreed != 0
	if freed {
		return "the chunk is already free"
	}
	return NotAChunk
}

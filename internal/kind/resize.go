package kind

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Resizing, as the kinds that sell any size do it.
//
// Invariant: the old chunk is freed last, and lives on when there is no new one.
//
// Cost: nothing within the capacity; else a copy.

// Resize makes a chunk size bytes large, where it is if it can.
func Resize(m Methods, c *Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	capacity := m.Capacity(c, p, what)
	if capacity == 0 {
		return 0, WhatFault(what)
	}
	if keepsPlace(capacity, size) {
		return p, nil
	}
	if what == chunk.Large && size > capacity {
		return c.GrowLarge(p, size)
	}
	to, err := c.sellGrown(m, what, size)
	if err != nil {
		return 0, err
	}
	copy(osmem.Bytes(to, size), osmem.Bytes(p, min(capacity, size)))
	return to, m.Free(c, p, what)
}

// sellGrown sells the new chunk of one that is resized: with room to grow further
// when one of the classes grows beyond them.
func (c *Core) sellGrown(m Methods, what uint64, size uintptr) (uintptr, error) {
	if what < chunk.Classes && size > chunk.MostSize && size <= MostChunk {
		return c.allocRoom(size)
	}
	return m.Alloc(c, size)
}

// keepsPlace says whether a chunk of capacity bytes stays where it is when it is
// made size bytes large: it fits, and would not waste three quarters.
func keepsPlace(capacity, size uintptr) bool {
	return size <= capacity && (capacity <= chunk.MostSize || size >= capacity/4)
}

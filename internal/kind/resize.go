package kind

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Resizing, as the kinds that sell any size do it.
//
// Invariant: the old chunk is freed last, and lives on when there is no new one.
//
// Cost: nothing within the capacity; little for the chunk cut last, whose block goes
// on behind it, and for a large one; else a copy.

// Resize makes a chunk size bytes large, where it is if it can.
func Resize(m Methods, c *Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	capacity := m.Capacity(c, p, what)
	if capacity == 0 {
		return 0, TagFault(m, what)
	}
	if keepsPlace(capacity, size) {
		return p, nil
	}
	if what == chunk.Large && size > capacity {
		return c.GrowLarge(p, size)
	}
	to, err := c.allocGrown(m, what, size)
	switch {
	case err != nil && size <= capacity:
		return p, nil // to become smaller needs no memory
	case err != nil:
		return 0, err
	}
	copy(osmem.Bytes(to, size), osmem.Bytes(p, min(capacity, size)))
	return to, m.Free(c, p, what)
}

// Extend makes a chunk of a class, cut last of the current block, size bytes large
// where it is, if the block has room for the class and no freed chunk of it waits: who
// passed those by would grow for ever. It says false, and does nothing, when it cannot.
func (c *Core) Extend(p, capacity, size uintptr) bool {
	if p+capacity != c.Cur || size > chunk.MostSize {
		return false
	}
	class := chunk.Class(size)
	end := p + chunk.Size(class)
	if end > c.End || *c.FreeList(class) != 0 {
		return false
	}
	chunk.SetHeader(p, chunk.Header(p)&^(chunk.Classes-1)|class)
	relaxed.Store(&c.Cur, end)
	return true
}

// allocGrown sells the new chunk of one that is resized: with room to grow further
// when one of the classes grows beyond them.
func (c *Core) allocGrown(m Methods, what uint64, size uintptr) (uintptr, error) {
	if what < chunk.Classes && size > chunk.MostSize && size <= MaxChunk {
		return c.allocGrowable(size)
	}
	return m.Alloc(c, size)
}

// keepsPlace says whether a chunk of capacity bytes stays where it is when it is
// made size bytes large: it fits, and would not waste three quarters.
func keepsPlace(capacity, size uintptr) bool {
	return size <= capacity && (capacity <= chunk.MostSize || size >= capacity/4)
}

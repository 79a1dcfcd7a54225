package kind

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Resizing, for the kinds that allocate any size.
//
// Invariant: the old chunk is freed last, and lives on when there is no new one.
//
// Cost: nothing within the capacity; little for the chunk cut last, which is extended
// into its block, and for a large one; else a copy.

// Resize makes a chunk size bytes large, in place if it can.
func Resize(m Methods, c *Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	capacity := m.Capacity(c, p, tag)
	if capacity == 0 {
		return 0, TagFault(m, tag)
	}
	if keepsPlace(capacity, size) {
		return p, nil
	}
	if tag == chunk.Large && size > capacity {
		return c.GrowLarge(p, size)
	}
	to, err := c.allocGrown(m, tag, size)
	switch {
	case err != nil && size <= capacity:
		return p, nil // shrinking needs no memory
	case err != nil:
		return 0, err
	}
	Copy(to, p, min(capacity, size))
	return to, m.Free(c, p, tag)
}

// Extend extends a chunk of a class, the last one cut off the current block, to size
// bytes in place, and reports whether it did. The block must have space for the new
// class, and the class no freed chunk: a caller that passed those by would grow for
// ever.
func (c *Core) Extend(p, capacity, size uintptr) bool {
	if p+capacity != c.Cur || size > chunk.MaxSize {
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

// allocGrown allocates the new chunk of one that is resized. One that outgrows the
// classes can grow further in place.
func (c *Core) allocGrown(m Methods, tag uint64, size uintptr) (uintptr, error) {
	if tag < chunk.Classes && size > chunk.MaxSize && size <= MaxChunk {
		return c.allocGrowable(size)
	}
	return m.Alloc(c, size)
}

// Copy copies size bytes from one chunk to another.
func Copy(to, from, size uintptr) { copy(osmem.Bytes(to, size), osmem.Bytes(from, size)) }

// keepsPlace reports whether a chunk of capacity bytes stays in place when it is resized
// to size bytes: it fits, and would not waste three quarters.
func keepsPlace(capacity, size uintptr) bool {
	return size <= capacity && (capacity <= chunk.MaxSize || size >= capacity/4)
}

package allocset

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// An AllocSet out of sight of the hot path, for kinds that put something in front of one
// in the same node.
//
// Invariant: between two calls Cur equals End, no chunk is on a free list by class, and
// headers are marked as those of a shard are: all free memory is pieces.
//
// Cost: some 50 instructions more for each chunk that is freed, which is joined at once,
// and for each that is allocated.

// Cold has an AllocSet's methods. A kind that uses it returns addresses further inside
// of its chunks, each behind a header with a tag of the kind's own.
type Cold struct{ Methods }

// Unmark returns the tag that an AllocSet has for a marked one. A tag that should be
// marked and is not becomes that of a freed chunk.
func Unmark(tag uint64) uint64 {
	switch class := tag % chunk.Classes; {
	case tag-class == chunk.Shared:
		return class
	case tag-class == chunk.SharedFreed:
		return chunk.Freed | class
	case tag < chunk.Classes:
		return chunk.Freed
	}
	return tag
}

// Open makes a kept block one free piece.
func (Cold) Open(c *kind.Core) {
	c.Prefix = c.Cookie ^ chunk.Shared
	begin(c)
	Methods{}.Open(c)
	abandon(c)
}

// Alloc allocates from pieces, and makes the rest of a new block one.
func (Cold) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	p, err := Methods{}.Alloc(c, size)
	abandon(c)
	return p, err
}

// Free joins the chunk at once.
func (Cold) Free(c *kind.Core, p uintptr, tag uint64) error {
	class := Unmark(tag)
	if class >= chunk.Classes {
		return Methods{}.Free(c, p, class)
	}
	addr := p - chunk.HeaderSize
	release(c, addr, chunk.TotalSize(class), blockAt(addr))
	return nil
}

// Realloc copies, except for a large chunk that can grow in place.
func (m Cold) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	return kind.Resize(m, c, p, tag, size)
}

// AllocAligned is an AllocSet's.
func (m Cold) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return kind.AllocAligned(m, c, size, align)
}

// Capacity is an AllocSet's.
func (Cold) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	return Methods{}.Capacity(c, p, Unmark(tag))
}

// SizeOf is an AllocSet's, except for tags that no marked header has.
func (Cold) SizeOf(c *kind.Core, tag uint64) uintptr {
	if tag < 2*chunk.Classes {
		return 0
	}
	return Methods{}.SizeOf(c, Unmark(tag))
}

// Freed is an AllocSet's.
func (Cold) Freed(tag uint64) bool { return Methods{}.Freed(Unmark(tag)) }

// Reset is an AllocSet's, followed by Open.
func (m Cold) Reset(c *kind.Core) {
	c.Retire()
	m.Open(c)
}

// Check is an AllocSet's, of marked headers.
func (Cold) Check(c *kind.Core, report func(kind.Flaw)) { check(c, report, c.Cookie^chunk.Shared) }

// Layout is an AllocSet's, of marked headers.
func (Cold) Layout(c *kind.Core, report func(kind.BlockLayout)) {
	layOut(c, report, c.Cookie^chunk.Shared)
}

package shared

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
)

// Part has the methods of a part: what a chunk's header leads to.
//
// Invariant: the part's lock is held while the AllocSet below is at work.
type Part struct{ allocset.Methods }

// PartID is the ID of the kind of a part.
const PartID kind.ID = 3

// set is the kind that a part is of, once its lock is held.
var set allocset.Methods

// hired is the part's slot, where its lock is.
func hired(c *kind.Core) *kind.Hired { return kind.Slot[kind.Hired](c) }

// Alloc is an AllocSet's, under the lock: an aligned chunk that grows does so where it
// came from.
func (Part) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return patiently(hired(c), func() (uintptr, error) { return set.Alloc(c, size) })
}

// still says whether the chunk is what it was before the lock was had.
func still(c *kind.Core, p uintptr, what uint64) bool { return chunk.Header(p)^c.Stamp == what }

// Free takes a chunk back, whoever of the context's users calls.
func (Part) Free(c *kind.Core, p uintptr, what uint64) error {
	h := hired(c)
	h.Lock()
	if !still(c, p, what) {
		h.Unlock()
		return kind.AlreadyFree
	}
	err := set.Free(c, p, allocset.Unmark(what))
	h.Unlock()
	return err
}

// Realloc is an AllocSet's, under the lock.
func (Part) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	return patiently(hired(c), func() (uintptr, error) {
		if !still(c, p, what) {
			return 0, kind.AlreadyFree
		}
		return set.Realloc(c, p, allocset.Unmark(what), size)
	})
}

// Capacity is an AllocSet's. It reads what does not change while the chunk lives.
func (Part) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	return set.Capacity(c, p, allocset.Unmark(what))
}

// SizeOf is an AllocSet's whose headers are marked.
func (Part) SizeOf(c *kind.Core, what uint64) uintptr { return allocset.Cold{}.SizeOf(c, what) }

// Freed is an AllocSet's.
func (Part) Freed(what uint64) bool { return allocset.Cold{}.Freed(what) }

// AllocAligned is an AllocSet's, under the lock.
func (Part) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return patiently(hired(c), func() (uintptr, error) { return set.AllocAligned(c, size, align) })
}

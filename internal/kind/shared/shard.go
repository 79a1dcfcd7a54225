package shared

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
)

// Part has the methods of a part: what a chunk's header leads to.
//
// Invariant: the part's lock is held while the AllocSet below is at work.
type Shard struct{ allocset.Methods }

// ShardID is the ID of the kind of a part.
const ShardID kind.ID = 3

// set is the kind that a part is of, once its lock is held.
var set allocset.Methods

// hired is the part's slot, where its lock is.
func slot(c *kind.Core) *kind.Shard { return kind.Slot[kind.Shard](c) }

// Alloc is an AllocSet's, under the lock: an aligned chunk that grows does so where it
// came from.
func (Shard) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return patiently(slot(c), func() (uintptr, error) { return set.Alloc(c, size) })
}

// still says whether the chunk is what it was before the lock was had.
func unchanged(c *kind.Core, p uintptr, what uint64) bool { return chunk.Header(p)^c.Cookie == what }

// Free takes a chunk back, whoever of the context's users calls.
func (Shard) Free(c *kind.Core, p uintptr, what uint64) error {
	h := slot(c)
	h.Lock()
	if !unchanged(c, p, what) {
		h.Unlock()
		return kind.AlreadyFree
	}
	err := set.Free(c, p, allocset.Unmark(what))
	h.Unlock()
	return err
}

// Realloc is an AllocSet's, under the lock.
func (Shard) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	return patiently(slot(c), func() (uintptr, error) {
		if !unchanged(c, p, what) {
			return 0, kind.AlreadyFree
		}
		return set.Realloc(c, p, allocset.Unmark(what), size)
	})
}

// Capacity is an AllocSet's. It reads what does not change while the chunk lives.
func (Shard) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	return set.Capacity(c, p, allocset.Unmark(what))
}

// SizeOf is an AllocSet's whose headers are marked.
func (Shard) SizeOf(c *kind.Core, what uint64) uintptr { return allocset.Cold{}.SizeOf(c, what) }

// Freed is an AllocSet's.
func (Shard) Freed(what uint64) bool { return allocset.Cold{}.Freed(what) }

// AllocAligned is an AllocSet's, under the lock.
func (Shard) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return patiently(slot(c), func() (uintptr, error) { return set.AllocAligned(c, size, align) })
}

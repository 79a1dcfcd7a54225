package shared

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
)

// Shard has the methods of a shard: what a chunk's header leads to.
//
// Invariant: the shard's lock is held while the AllocSet below is at work.
type Shard struct{ allocset.Methods }

// ShardID is the ID of the kind of a shard.
const ShardID kind.ID = 3

// set is the kind of a shard once its lock is held.
var set allocset.Methods

// slot returns the shard's slot, which has its lock.
func slot(c *kind.Core) *kind.Shard { return kind.Slot[kind.Shard](c) }

// Alloc allocates as an AllocSet does, under the lock: an aligned chunk that grows stays in its
// shard.
func (Shard) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return patiently(slot(c), func() (uintptr, error) { return set.Alloc(c, size) })
}

// IsUncut reports whether an address is in the part of a shard's block from which chunks are still
// cut. Any goroutine.
func IsUncut(c *kind.Core, p uintptr) bool {
	h := slot(c)
	h.Lock()
	uncut := p-c.Cur < c.End-c.Cur
	h.Unlock()
	return uncut
}

// unchanged reports whether the chunk has the header that it had before the lock was
// taken.
func unchanged(c *kind.Core, p uintptr, tag uint64) bool { return chunk.Header(p)^c.Cookie == tag }

// Free frees a chunk. Any goroutine that uses the context.
func (Shard) Free(c *kind.Core, p uintptr, tag uint64) error {
	h := slot(c)
	h.Lock()
	if !unchanged(c, p, tag) {
		h.Unlock()
		return kind.AlreadyFree
	}
	err := set.Free(c, p, allocset.Unmark(tag))
	h.Unlock()
	return err
}

// Realloc does what an AllocSet's does, under the lock.
func (Shard) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	return patiently(slot(c), func() (uintptr, error) {
		if !unchanged(c, p, tag) {
			return 0, kind.AlreadyFree
		}
		return set.Realloc(c, p, allocset.Unmark(tag), size)
	})
}

// Capacity returns what an AllocSet's does. It reads what does not change while the chunk lives.
func (Shard) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	return set.Capacity(c, p, allocset.Unmark(tag))
}

// SizeOf returns that of an AllocSet with marked headers.
func (Shard) SizeOf(c *kind.Core, tag uint64) uintptr { return allocset.Cold{}.SizeOf(c, tag) }

// Freed reports that of an AllocSet with marked headers.
func (Shard) Freed(tag uint64) bool { return allocset.Cold{}.Freed(tag) }

// AllocAligned allocates as an AllocSet does, under the lock.
func (Shard) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return patiently(slot(c), func() (uintptr, error) { return set.AllocAligned(c, size, align) })
}

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

// hired is the part's slot, where its lock is.
func hired(c *kind.Core) *kind.Hired { return kind.Slot[kind.Hired](c) }

// plain is what an AllocSet's header would say.
func plain(what uint64) uint64 {
	if what&^(chunk.Classes-1) == chunk.Shared {
		return what % chunk.Classes
	}
	if what < chunk.Classes {
		return chunk.Freed // no chunk of a part says so
	}
	return what
}

// Alloc is an AllocSet's, under the lock: an aligned chunk that grows does so where it
// came from.
func (Part) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return patiently(hired(c), func() (uintptr, error) { return allocset.Methods{}.Alloc(c, size) })
}

// taken is the answer when a chunk was freed before the lock was had.
const taken = kind.Misuse("the chunk is already free")

// still says whether the chunk is what it was before the lock was had.
func still(c *kind.Core, p uintptr, what uint64) bool { return chunk.Header(p)^c.Stamp == what }

// Free takes a chunk back, whoever of the context's users calls.
func (Part) Free(c *kind.Core, p uintptr, what uint64) error {
	h := hired(c)
	h.Lock()
	if !still(c, p, what) {
		h.Unlock()
		return taken
	}
	err := allocset.Methods{}.Free(c, p, plain(what))
	h.Unlock()
	return err
}

// Realloc is an AllocSet's, under the lock.
func (Part) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	return patiently(hired(c), func() (uintptr, error) {
		if !still(c, p, what) {
			return 0, taken
		}
		return allocset.Methods{}.Realloc(c, p, plain(what), size)
	})
}

// Capacity is an AllocSet's. It reads what does not change while the chunk lives.
func (Part) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	return allocset.Methods{}.Capacity(c, p, plain(what))
}

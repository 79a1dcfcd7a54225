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

// Free takes a chunk back, whoever of the context's users calls.
func (Part) Free(c *kind.Core, p uintptr, what uint64) error {
	h := hired(c)
	h.Lock()
	if chunk.Header(p)^c.Stamp != what {
		h.Unlock()
		return kind.WhatFault(chunk.SharedFreed) // it was freed meanwhile
	}
	err := allocset.Methods{}.Free(c, p, plain(what))
	h.Unlock()
	return err
}

// Realloc is an AllocSet's, under the lock.
func (Part) Realloc(c *kind.Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	h := hired(c)
	h.Lock()
	defer h.Unlock()
	return allocset.Methods{}.Realloc(c, p, plain(what), size)
}

// Capacity is an AllocSet's. It reads what does not change while the chunk lives.
func (Part) Capacity(c *kind.Core, p uintptr, what uint64) uintptr {
	return allocset.Methods{}.Capacity(c, p, plain(what))
}

package kind

import (
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
)

// What lies around an address, for who has to say what is wrong with it.
//
// Invariant: headers are followed from the beginning of the block, and only genuine
// ones: what is answered was cut there.
//
// Cost: a step for each chunk before the address.

// Around is the last chunk that begins before the address p in a block of the core, and
// its size, 0 where none is certain: headers lead to it from the beginning of the block.
func (c *Core) Around(p uintptr) (at, size uintptr) {
	b := c.BlockOf(p)
	if b == nil {
		return 0, 0
	}
	defer c.exclude()()
	if b.Alone != 0 {
		return b.Address() + headroom, block.CapacityAt(b.Address()) - headroom
	}
	end := b.Address() + block.CapacityAt(b.Address())
	for q := b.Address() + headOf(c.Kind()) + chunk.HeaderSize; q < min(p, end); {
		next := c.sizeBy(chunk.Header(q) ^ c.Stamp)
		if next == 0 {
			break
		}
		at, size = q, next
		q += size + chunk.HeaderSize
	}
	return at, size
}

// What the shared blocks of a kind begin with, where that is not BlockHeader, in bytes.
const (
	GenerationHead = 56
	SlabHead       = 64
)

// headOf is what the blocks of a kind begin with before the first chunk.
func headOf(id ID) uintptr {
	switch id {
	case Generation:
		return GenerationHead
	case Slab:
		return SlabHead
	}
	return BlockHeader
}

// sizeBy is the size of a chunk of a shared block, by what its header says; 0 where that
// is no chunk's of the kind, live or freed.
func (c *Core) sizeBy(what uint64) uintptr {
	class, isClass := what%chunk.Classes, false
	switch rest := what &^ (chunk.Classes - 1); c.Kind() {
	case AllocSet:
		isClass = rest == 0 || rest == chunk.Freed
	case SharedPart:
		isClass = rest == chunk.Shared || rest == chunk.SharedFreed
	case Generation:
		rest &^= chunk.GenerationMask
		isClass = rest == chunk.Generation || rest == chunk.GenerationFreed
	case Slab:
		if what-chunk.Slab <= chunk.MaxSlabOrder || what-chunk.SlabFreed <= chunk.MaxSlabOrder {
			return max(uintptr(c.Fixed)+chunk.Align-1, chunk.Align) &^ (chunk.Align - 1)
		}
	}
	if !isClass {
		return 0
	}
	return chunk.Size(class)
}

// SaysFreed says whether a header that says what, of a chunk at p, is that of a freed
// chunk of the core: one that was written over may be another kind's, or lead beyond what
// was cut.
func (c *Core) SaysFreed(p uintptr, what uint64) bool {
	b := c.BlockOf(p)
	switch {
	case b == nil || what == chunk.LargeFreed || what == chunk.RedirectFreed || what == chunk.Coalesced:
		return true
	case c.sizeBy(what) == 0:
		return false
	}
	defer c.exclude()()
	end := b.Address() + block.CapacityAt(b.Address())
	if b.Address() == c.Blocks && c.Cur != 0 {
		end = c.Cur
	}
	return c.sizeBy(what) <= end-p
}

// exclude keeps others out of a part until the function that it answers is called.
func (c *Core) exclude() (end func()) {
	if c.Payer() == c {
		return func() {}
	}
	h := Slot[Hired](c)
	h.Lock()
	return h.Unlock
}

package kind

import (
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
)

// What lies around an address, to say what is wrong with it.
//
// Invariant: headers are followed from the beginning of the block, and only valid
// ones: a chunk that is returned was cut there.
//
// Cost: a step for each chunk before the address.

// Around returns the last chunk that begins before the address p in a block of the node,
// and its size; a size of 0 where none is certain. m is nil for a node without a context.
func Around(m Methods, c *Core, p uintptr) (at, size uintptr) {
	b := c.BlockOf(p)
	if b == nil || m == nil {
		return 0, 0
	}
	defer c.lockShard()()
	if b.Dedicated != 0 {
		return b.Address() + largeHead, block.CapacityAt(b.Address()) - largeHead
	}
	end := b.Address() + block.CapacityAt(b.Address())
	for q := b.Address() + m.Traits().Head + chunk.HeaderSize; q < min(p, end); {
		tag := chunk.Header(q) ^ c.Cookie
		next := m.SizeOf(c, tag)
		if next == 0 && chunk.IsGap(tag) {
			q += chunk.HeaderSize
			continue
		}
		if next == 0 {
			break
		}
		at, size = q, next
		q += size + chunk.HeaderSize
	}
	return at, size
}

// SaysFreed reports whether a tag, of the header before p, is that of a freed chunk of
// the node: a header that was written over may have another kind's, or a size beyond
// what was cut.
func SaysFreed(m Methods, c *Core, p uintptr, tag uint64) bool {
	b, size := c.BlockOf(p), m.SizeOf(c, tag)
	switch {
	case b == nil || size == 0 && isFreed(m, tag):
		return true
	case size == 0:
		return false
	}
	defer c.lockShard()()
	end := b.Address() + block.CapacityAt(b.Address())
	if b.Address() == c.Blocks && c.Cur != 0 {
		end = c.Cur
	}
	return size <= end-p
}

// lockShard locks the node if it is a shard, and returns the function that unlocks it.
func (c *Core) lockShard() (end func()) {
	if c.Owner() == c {
		return func() {}
	}
	h := Slot[Shard](c)
	h.Lock()
	return h.Unlock
}

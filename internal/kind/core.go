package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Core is the retail part of a context's core, and the first part of its slot
// in the table of cores.
//
// Invariant: it lies in memory that only ever holds cores and is never unmapped;
// it has no Go pointers; only the owner of the context writes to it, and the
// words that others read are written through package relaxed. Cur never passes
// End, both are multiples of 8, and both are 0 when there is no block to sell
// from, when the core has no owner, and for kinds that sell by a call only.
type Core struct {
	Epoch uint64  // changes at creation and at deletion; the low bits are the kind
	Stamp uint64  // what the headers of this context's chunks have in common
	Cur   uintptr // next byte to sell of the current block
	End   uintptr // end of the current block

	Blocks uintptr // the blocks that chunks are cut from, the current one first
	Large  uintptr // blocks of one large chunk each; Slab: its full blocks

	Total uintptr // bytes of all blocks
	Tails uintptr // bytes lost at the ends of blocks that are no longer cut

	BlockCount uint32
	Fixed      uint32 // Slab: the one size it sells
	NextBlock  uint32 // size of the next block to buy
	FirstBlock uint32 // size of the first block after creation or reset
	MostBlock  uint32 // largest block to buy for chunks to share
	Number     uint32 // of the core, in the table; never changes

	Freelist  [chunk.Classes]uintptr // AllocSet: freed chunks by class, the latest first
	FreeCount [chunk.Classes]uint32  // how many
}

// SlotSize is the size of a core's slot: what Core leaves is the tree's.
const SlotSize = 1 << slotShift

// Default sizes of blocks, in bytes.
const (
	DefaultFirst = 1 << 10
	DefaultMost  = 1 << 20
	doubleUntil  = KeeperMost
	growthShift  = 5 // from there on a block is a 32nd of what the context holds
)

// Kind is the kind of the context that owns the core, None when none does. It
// may change under the eyes of anyone but the owner.
func (c *Core) Kind() ID { return ID(relaxed.Load64(&c.Epoch) & IDMask) }

// account adds to the bytes and the number of blocks held.
func (c *Core) account(size uintptr, blocks int) {
	relaxed.Store(&c.Total, c.Total+size)
	relaxed.Store32(&c.BlockCount, c.BlockCount+uint32(blocks))
}

// NextSize is the size of the block to buy for a chunk that needs need bytes of
// it, and moves the growth on: twice the last block while blocks are small, then
// a fixed part of what the context holds, so that the untouched rest of the last
// block stays a small part of the whole.
func (c *Core) NextSize(need uintptr) uintptr {
	size := max(uintptr(c.NextBlock), need)
	next := c.NextBlock
	if next < doubleUntil {
		next *= 2
	} else if held := c.Total >> growthShift; held > uintptr(next) {
		next = uint32(min(held, 1<<30))
	}
	c.NextBlock = min(next, c.MostBlock)
	return size
}

// anyFreed says whether any freelist has a chunk, or any other count is not 0.
func (c *Core) anyFreed() bool {
	pairs := (*[chunk.Classes / 2]uint64)(unsafe.Pointer(&c.FreeCount)) // the same words, two at a time
	n := uint64(0)
	for i := 0; i < len(pairs); i += 4 {
		n |= pairs[i] | pairs[i+1] | pairs[i+2] | pairs[i+3]
	}
	return n != 0
}

// clearFreelists forgets every freed chunk.
func (c *Core) clearFreelists() {
	c.Freelist = [chunk.Classes]uintptr{}
	relaxed.Clear(c.FreeCount[:])
}

var _ [SlotSize - unsafe.Sizeof(Core{})]byte // the core fits its slot

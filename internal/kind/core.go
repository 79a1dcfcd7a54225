package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Core is the retail part of a context's core, and the first part of its slot
// in the table of cores.
//
// What a reset and the hot paths look at is one cache line.
//
// Invariant: it lies in memory that only ever holds cores and is never unmapped;
// it has no Go pointers; only the owner of the context writes to it, but for
// the words that are the tree's, and the words that others read are written through package relaxed. Cur never passes
// End, both are multiples of 8, and both are 0 when there is no block to sell
// from, and for a Slab.
type Core struct {
	Epoch  uint64 // changes at creation and at deletion; the highest bits are the kind
	Cookie uint64 // what the headers of this context's chunks have in common
	Prefix uint64 // the Cookie, and what else those of chunks cut at Cur have in common

	Cur    uintptr // next byte to sell of the current block
	End    uintptr // end of the current block
	Blocks uintptr // the blocks that chunks are cut from, the current one first

	Parked     uint32 // the tree's: the kind that the core was parked as, or 0
	NeedsReset uint16 // not 0: blocks were bought, or the kind keeps more to be reset; see below
	Dirty      uint16 // which parts beside are no longer all zero, see below
	FirstChild uint32 // the tree's: the number of a core, 0 for none
	Has        uint32 // the tree's: which side tables know the context

	Large uintptr // blocks of one large chunk each; Slab: its full blocks
	Total uintptr // bytes of all blocks
	Tails uintptr // bytes lost at the ends of blocks that are no longer cut

	BlockCount uint32
	ChunkSize  uint32 // Slab: the one size it sells
	FirstBlock uint32 // size of the first block to buy
	MaxBlock   uint32 // largest block to buy for chunks to share
}

// What Dirty says. A free stores it, so that a reset knows without a look.
const (
	DirtyPrivate = 1 // the kind's own part
	DirtyLists   = 2 // that and the freelists
)

// What NeedsReset says.
const (
	ResetBlocks = 1 // blocks were bought, or the kind keeps more to be reset
	ResetSpans  = 2 // an AllocSet has spans, see Spans
)

// Private is a kind's own part of the core, the second half of its slot. It is all
// zero when the context is created, and set to zero by Retire. Who writes there
// says so in Dirty.
func Private[T any](c *Core) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(c), PrivateAt)) // sound while T fits, which the kind asserts, and has no pointers
}

// A core's slot. What Core leaves of the first half is the tree's.
const (
	SlotSize  = 1 << slotShift
	PrivateAt = SlotSize / 2
)

// lists are the heads of an AllocSet's freelists by class, the chunk freed last,
// 0 when there is none. They lie in a plane of their own, a fixed way behind the
// cores: a context that frees nothing takes no memory for them, and the way to
// one is an addition that the processor does by itself.
type freeLists [chunk.Classes]uint64

func (c *Core) freeLists() *freeLists {
	return (*freeLists)(unsafe.Add(unsafe.Pointer(c), listPlane)) // of the same segment
}

// List is the head of the freelist of a class, which must be below Classes.
func (c *Core) FreeList(class uint64) *uintptr {
	return (*uintptr)(unsafe.Add(unsafe.Pointer(c), listPlane+class*8)) // as lists
}

// Freed is how many chunks the freelist of a class has, an AllocSet's own part,
// where relaxed.Counts.
func (c *Core) FreeCount(class uint64) *uint32 {
	return (*uint32)(unsafe.Add(unsafe.Pointer(c), PrivateAt+class*4)) // a class is below twice the words
}

var _ [2*relaxed.Words - chunk.Classes]byte // they all fit

// Cut is how many chunks were cut at Cur, the first word of a Generation's own
// part, where relaxed.Counts.
func (c *Core) CutCount() *uint32 { return (*uint32)(unsafe.Add(unsafe.Pointer(c), PrivateAt)) } // as Private

// Kind is the kind of the context that owns the core, None when none does. It
// may change under the eyes of anyone but the owner.
func (c *Core) Kind() ID { return KindOf(relaxed.Load64(&c.Epoch)) }

// Number is the core's in the table. It never changes.
func (c *Core) Number() uint32 { return chunk.Index(relaxed.Load64(&c.Cookie)) }

// settle sets to zero what was stirred. It is apart from its callers because a
// context that frees nothing leaves nothing there.
//
//go:noinline
func (c *Core) clearDirty() {
	relaxed.Clear(Private[[relaxed.Words]uint64](c))
	if c.Dirty == DirtyLists {
		*c.freeLists() = freeLists{}
	}
	c.Dirty = 0
}

var _ [SlotSize - PrivateAt - 8*relaxed.Words]byte // what is cleared is within the slot

package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Core is the part of a context's node that allocates, and the first part of the node's
// slot in the table. The words that a reset and the hot path read share a cache line.
//
// Invariant: it lies in memory that only ever holds nodes and is never unmapped. It has
// no Go pointers. Only the owner of the context writes to it, except for the words that
// are the tree's; words that others read are written through package relaxed. Cur never
// passes End, both are multiples of 8, and both are 0 when there is no block to allocate
// from, and for a Slab.
type Core struct {
	Epoch  uint64 // changes at creation and at deletion; the highest bits are the ID of the kind
	Cookie uint64 // common to the headers of all chunks of the context
	Prefix uint64 // the Cookie, and tag bits common to the headers of chunks cut at Cur

	CachedAs   uint32 // the tree's: the kind as which the node is cached, or 0
	NeedsReset uint16 // not 0: a reset must do more than Rewind, see below
	Dirty      uint16 // which planes are no longer all zero, see below
	FirstChild uint32 // the tree's: the number of a node, 0 for none
	Has        uint32 // the tree's: which side tables know the context

	Cur    uintptr // next byte to allocate of the current block
	End    uintptr // end of the current block
	Blocks uintptr // the blocks that chunks are cut from, the current one first

	Large uintptr // blocks of one large chunk each; Slab: its full blocks
	Total uintptr // bytes of all blocks
	Tails uintptr // bytes lost at the ends of blocks that are no longer cut

	BlockCount uint32
	ChunkSize  uint32 // the size of all chunks, for a kind of one size
	FirstBlock uint32 // size of the first block, in bytes
	MaxBlock   uint32 // size of the largest block that chunks share
}

// The values of Dirty. A free stores one, so that a reset need not look.
const (
	DirtyPrivate = 1 // the kind's own part
	DirtyLists   = 2 // that and the free lists
)

// MoreThanRewind is not 0 if a reset, or the deletion, of the context may have more to do
// than Rewind: it reads the five words from CachedAs to Has as two. A number, since the
// compiler makes worse code of a bool here.
func (c *Core) MoreThanRewind() uint64 {
	const words = unsafe.Offsetof(c.CachedAs)
	return relaxed.Peek64((*uint64)(unsafe.Add(unsafe.Pointer(c), words))) |
		relaxed.Peek64((*uint64)(unsafe.Add(unsafe.Pointer(c), words+8))) // the words, on a boundary of 8
}

var _ [-(unsafe.Offsetof(Core{}.CachedAs) % 8)]byte

// Untouched reports whether nothing was allocated from the blocks since Rewind.
func (c *Core) Untouched() bool { return c.Cur <= c.Blocks+BlockHeader }

// The bits of NeedsReset.
const (
	ResetBlocks = 1 // blocks were acquired, or the kind has more to reset
	ResetSpans  = 2 // an AllocSet has spans, see Spans

	// ResetAligned is a bit for each alignment, from 16 to 4096, that an AllocSet notes:
	// the alignment itself.
	ResetAligned = 1<<13 - 1<<4

	acquiring = 1 << 13 // a goroutine is acquiring a block, see occupy

	ResetElsewhere = 1 << 14 // memory that is not the page heap's, see AcquireElsewhere
)

// Private returns a kind's own part of the node, the second half of its slot. It is all
// zero when a context is created, and Retire clears it. A kind that writes there sets
// Dirty.
func Private[T any](c *Core) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(c), PrivateAt)) // sound: the kind asserts that T fits, and T has no pointers
}

// The slot of a node. The first half that Core leaves is the tree's.
const (
	SlotSize  = 1 << slotShift
	PrivateAt = SlotSize / 2
)

// freeLists are the heads of an AllocSet's free lists by class: the chunk freed last, 0
// for none. They lie in a plane of their own, a fixed distance behind the nodes: a
// context that frees nothing takes no memory for them, and the processor adds the
// distance as part of the load.
type freeLists [chunk.Classes]uint64

func (c *Core) freeLists() *freeLists {
	return (*freeLists)(unsafe.Add(unsafe.Pointer(c), listPlane)) // of the same segment
}

// FreeList returns the head of the free list of a class, which must be below
// chunk.Classes.
func (c *Core) FreeList(class uint64) *uintptr {
	return (*uintptr)(unsafe.Add(unsafe.Pointer(c), listPlane+class*8)) // as lists
}

// Kind returns the kind of the context that owns the node, None when none does. Any
// goroutine; for others than the owner it may be old at once.
func (c *Core) Kind() ID { return KindOf(relaxed.Load64(&c.Epoch)) }

// Number returns the node's number in the table. It never changes.
func (c *Core) Number() uint32 { return chunk.Index(relaxed.Load64(&c.Cookie)) }

// clearDirty sets to zero what is dirty. It is separate since a context that frees
// nothing has nothing there.
//
//go:noinline
func (c *Core) clearDirty() {
	if c.Dirty == DirtyLists {
		*c.freeLists() = freeLists{}
	}
	if c.Dirty == DirtyPrivate || c.NeedsReset != 0 { // else only lists were written
		relaxed.Clear(Private[[relaxed.Words]uint64](c))
	}
	c.Dirty = 0
}

var _ [SlotSize - PrivateAt - 8*relaxed.Words]byte // all that is cleared lies in the slot

package slab

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// private is a Slab's own part of its node. Local are the rest of the current block that
// was never allocated, the chunks taken over from its free list, and few that were freed
// when little else was local. Chunks that are allocated and freed in turns never touch
// their blocks: to a block all local chunks are allocated.
type private struct {
	list     uintptr // the local freed chunks, each with the next in its first word
	cur, end uintptr // the local chunks that were never allocated
	stride   uintptr // from one chunk to the next
	next     uintptr // the block with freed chunks to look at next, 0 for the one behind the current
	capacity uint32  // chunks of all blocks that chunks share
	local    uint32  // local ones
	empties  uint32  // blocks that are not current and have no live chunk
}

func own(c *kind.Core) *private { return kind.Private[private](c) }

// block is the head of a block, inside it.
type block struct {
	kind.Block
	freed  uintptr // the chunk freed last, 0 when none; each has the next in its first word
	frees  uint32  // how many those are
	moveAt uint32  // at how many the block is moved; never for the current block
	chunks uint32  // chunks in the block
	tag    uint64  // the header of its live chunks
}

const (
	fewLocal = 8  // so few local chunks that a freed one becomes local
	head     = 64 // bytes of a block's head, the same on every machine
	never    = ^uint32(0)
)

var _ [head - unsafe.Sizeof(block{})]byte // a block fits

func at(b *kind.Block) *block { return (*block)(unsafe.Pointer(b)) } // every block of a slab has this head

// Alloc allocates, on the hot path, the local chunk that was freed last, or the next
// one that was never allocated. Other kinds, another size, and nothing local go the slow
// way, with the name of the operation.
func Alloc(c *kind.Core, op string, size uintptr, pop popper, take taker, cut cutter, slow raiser) uintptr {
	if c.Kind() != ID || size != uintptr(c.ChunkSize) {
		return slow(c, op, size)
	}
	return pop(c, op, size, take, cut, slow)
}

// Pop looks for a local freed chunk: it is the second stage.
func Pop(c *kind.Core, op string, size uintptr, take taker, cut cutter, slow raiser) uintptr {
	o := own(c)
	if p := o.list; p != 0 {
		return take(o, p)
	}
	return cut(c, o, op, size, slow)
}

// Take takes it: it is the third stage when there is one.
func Take(o *private, p uintptr) uintptr {
	o.list = *link(p)
	chunk.SetHeader(p, chunk.Header(p)^(chunk.Slab^chunk.SlabFreed))
	relaxed.Dec(&o.local)
	return p
}

// Cut takes, as the third stage when there is none, the next chunk that was never
// allocated.
func Cut(c *kind.Core, o *private, op string, size uintptr, slow raiser) uintptr {
	p := o.cur
	if p == o.end {
		return slow(c, op, size)
	}
	relaxed.Store(&o.cur, p+o.stride)
	chunk.SetHeader(p, c.Prefix)
	relaxed.Dec(&o.local)
	return p
}

type (
	popper func(c *kind.Core, op string, size uintptr, take taker, cut cutter, slow raiser) uintptr
	taker  func(o *private, p uintptr) uintptr
	cutter func(c *kind.Core, o *private, op string, size uintptr, slow raiser) uintptr
	raiser func(c *kind.Core, op string, size uintptr) uintptr
)

// Free frees, on the hot path, a chunk in a shared block. For anything else it calls other.
func Free(p uintptr, h uint64, c *kind.Core, sort sorter, keep keeper, toBlock returner, other kind.Next) {
	if h^c.Cookie-chunk.Slab > chunk.MaxSlabOrder {
		other(p, h, c)
		return
	}
	sort(p, h, c, keep, toBlock, other)
}

// Sort makes the chunk local, or gives it to its block: it is the second stage.
func Sort(p uintptr, h uint64, c *kind.Core, keep keeper, toBlock returner, wrong kind.Next) {
	if own(c).local < fewLocal {
		keep(own(c), p, h)
		return
	}
	toBlock(p, h, c, wrong)
}

// Keep makes a chunk local: it is the last stage of one that becomes so.
func Keep(o *private, p uintptr, h uint64) {
	chunk.SetHeader(p, h^(chunk.Slab^chunk.SlabFreed))
	*link(p) = o.list
	o.list = p
	relaxed.Inc(&o.local)
}

type (
	sorter   func(p uintptr, h uint64, c *kind.Core, keep keeper, toBlock returner, wrong kind.Next)
	keeper   func(o *private, p uintptr, h uint64)
	returner func(p uintptr, h uint64, c *kind.Core, wrong kind.Next)
)

// orders is a power of two beyond the orders that headers have.
const orders = chunk.SlabFreed - chunk.Slab

// ToBlock puts the chunk on the free list of its block, to which the order in its header
// leads, and which must have that header, too. It is separate from Sort since few frees
// need it.
func ToBlock(p uintptr, h uint64, c *kind.Core, wrong kind.Next) {
	b := at(kind.BlockAt(p &^ (kind.OrderSize(h%orders) - 1)))
	if h != b.tag {
		wrong(p, h, c)
		return
	}
	chunk.SetHeader(p, h^(chunk.Slab^chunk.SlabFreed))
	*link(p) = b.freed
	b.freed = p
	b.frees++
	if b.frees == b.moveAt {
		move(c, b)
	}
}

// link returns the first word of a freed chunk.
func link(p uintptr) *uintptr { return (*uintptr)(osmem.At(p)) }

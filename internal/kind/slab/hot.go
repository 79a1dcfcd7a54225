package slab

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// private is what a Slab keeps in its core. What is in hand is what the current
// block has to sell: chunks that were taken over from its freelist, and the rest
// that was never sold.
type private struct {
	list     uintptr // the freed chunks in hand, each with the next in its first word
	cur, end uintptr // the rest in hand
	stride   uintptr // from one chunk to the next
	tag      uint64  // the header of the current block's chunks
	capacity uint32  // chunks of all blocks
	sold     uint32  // chunks sold, ever, and chunks freed: their difference lives
	freed    uint32
	empties  uint32 // blocks that are not current and have no live chunk
}

func own(c *kind.Core) *private { return kind.Private[private](c) }

// block is the head of a block. It stands in the block itself.
type block struct {
	kind.Block
	freed uintptr // the chunk freed last, 0 when none; each has the next in its first word
	frees uint32  // how many those are
	turn  uint32  // at how many the block is to be moved; never in the current block
	most  uint32  // chunks in the block
}

const (
	head  = 56 // room for a block, the same on every machine
	never = ^uint32(0)
)

var _ [head - unsafe.Sizeof(block{})]byte // a block fits

func at(b *kind.Block) *block { return (*block)(unsafe.Pointer(b)) } // every block of a slab has this head

// Alloc is the hot path: the chunk in hand that was freed last, or the next that
// was never sold. It answers 0 for another size than the one, and when there is
// nothing in hand.
func Alloc(c *kind.Core, size uintptr) uintptr {
	o := own(c)
	if size != uintptr(c.Fixed) {
		return 0
	}
	p := o.list
	if p != 0 {
		o.list = *link(p)
	} else {
		if p = o.cur; p == o.end {
			return 0
		}
		relaxed.Store(&o.cur, p+o.stride)
	}
	chunk.SetHeader(p, o.tag)
	relaxed.Inc(&o.sold)
	return p
}

// Is says whether what is that of a live chunk in a shared block.
func Is(what uint64) bool { return what-chunk.Slab <= chunk.SlabFrame }

// Free is the hot path for such a chunk: it goes to the freelist of its block,
// which the frame in its header leads to. It says false, and does nothing, when
// it does not.
func Free(c *kind.Core, p uintptr, h, what uint64) bool {
	size := kind.FrameSize(what - chunk.Slab)
	b := at(kind.BlockAt(p &^ (size - 1)))
	if b.Owner != chunk.Index(h) || b.Size != size {
		return false
	}
	chunk.SetHeader(p, h^chunk.Slab^chunk.SlabFreed)
	*link(p) = b.freed
	b.freed = p
	b.frees++
	relaxed.Inc(&own(c).freed)
	if b.frees == b.turn {
		move(c, b)
	}
	return true
}

// link is the first word of a freed chunk.
func link(p uintptr) *uintptr { return (*uintptr)(osmem.At(p)) }

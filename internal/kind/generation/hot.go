package generation

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// private is what a Generation keeps in its core.
type private struct {
	tag      uint64  // what the headers of the current block's chunks have in common
	cur, end uintptr // the unsold rest of the current block
	sold     uint32  // chunks of blocks that are not empty,
	freed    uint32  // and those of them that were taken back
}

func own(c *kind.Core) *private { return kind.Private[private](c) }

// block is the head of a shared block.
type block struct {
	kind.Block
	sold  uint64 // bytes of chunks with their headers; stillSelling in the current block
	freed uint64 // of them, taken back: the bytes below, how many chunks above countShift
}

const (
	head = 56 // room for a block, the same on every machine

	// mostShared is the largest chunk that shares a block, in bytes.
	mostShared = 8 << 10
	// mostBlock bounds the blocks: one live chunk pins no more than this.
	mostBlock = 32 << 10

	countShift   = 32
	bytesMask    = 1<<countShift - 1
	stillSelling = bytesMask // more than any block holds
)

var _ [head - unsafe.Sizeof(block{})]byte // a block fits

func at(b *kind.Block) *block { return (*block)(unsafe.Pointer(b)) } // every shared block has this head

// Alloc is the hot path: cut a chunk off the current block. It answers 0 for
// what it cannot do: sizes of 0 and beyond mostShared, and no room.
func Alloc(c *kind.Core, size uintptr) uintptr {
	o := own(c)
	start := o.cur
	whole := (size+chunk.Align-1)&^(chunk.Align-1) + chunk.HeaderSize
	if size-1 >= mostShared || whole > o.end-start {
		return 0
	}
	relaxed.Store(&o.cur, start+whole)
	*(*uint64)(osmem.At(start)) = o.tag | uint64(whole/chunk.Align-1) // the header
	relaxed.Inc(&o.sold)
	return start + chunk.HeaderSize
}

// Is says whether what is that of a live chunk in a shared block.
func Is(what uint64) bool {
	return what&^(chunk.Generation-1) == chunk.Generation && what&chunk.GenerationSize-1 < mostShared/chunk.Align
}

// Free is the hot path for such a chunk: count it in its block, which the frame
// in its header leads to. It says false, and does nothing, when it does not.
func Free(c *kind.Core, p uintptr, h, what uint64) bool {
	size := kind.FrameSize(what >> chunk.GenerationFrame % frames)
	b := at(kind.BlockAt(p &^ (size - 1)))
	if b.Owner != chunk.Index(h) || b.Size != size {
		return false
	}
	chunk.SetHeader(p, h^chunk.Generation^chunk.GenerationFreed)
	relaxed.Inc(&own(c).freed)
	b.freed += 1<<countShift + (what&chunk.GenerationSize+1)*chunk.Align
	if b.freed&bytesMask == b.sold {
		letGo(c, b)
	}
	return true
}

// frames is how many frames the headers tell apart.
const frames = chunk.Generation >> chunk.GenerationFrame

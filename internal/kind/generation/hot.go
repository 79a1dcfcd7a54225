package generation

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
)

// private is a Generation's own part of its node. The heads of the blocks have the
// numbers of chunks.
type private struct {
	cursor uintptr // the block to look at next, which is not the current one; 0 for none
}

func own(c *kind.Core) *private { return kind.Private[private](c) }

// block is the head of a shared block.
type block struct {
	kind.Block
	left  uint64 // bytes of live chunks, with their headers; in the current block currentBias more, less those allocated
	tag   uint64 // the node's Prefix while this is the current block; never the header of a large chunk
	frees uint32 // freed chunks
	tail  uint16 // bytes at its end that were not allocated, 0 in the current block
	seen  uint16 // see seenBits
}

const (
	head = 56 // bytes of a block's head, the same on every machine

	// maxShared is the largest chunk that shares a block, in bytes.
	maxShared = 2 << 10
	// maxBlock bounds the blocks, in bytes: one live chunk pins no more than this, and
	// the mask of its addresses fits a header.
	maxBlock = 32 << 10

	currentBias = 1 << 32 // more than any block holds
)

var (
	_ [head - unsafe.Sizeof(block{})]byte // a block fits
	_ [chunk.GenerationMask - (maxBlock - kind.BlockUnit)]byte
)

func at(b *kind.Block) *block { return (*block)(unsafe.Pointer(b)) } // every shared block has this head

// Free frees, on the hot path, a chunk that shares a block: as an AllocSet does, but for the
// Prefix. For anything else it calls other.
func Free(p uintptr, h uint64, c *kind.Core, find finder, match matcher, count counter, letGo releaser, other, wrong kind.Next) {
	if (h^c.Cookie)&^(chunk.GenerationMask|chunk.Classes-1) != chunk.Generation {
		other(p, h, c)
		return
	}
	find(p, h, c, match, count, letGo, wrong)
}

// Find goes from the chunk to its block: it is the second stage.
func Find(p uintptr, h uint64, c *kind.Core, match matcher, count counter, letGo releaser, wrong kind.Next) {
	match(p, h, c, blockOf(p, h), count, letGo, wrong)
}

// blockOf returns where the block of a chunk would be.
func blockOf(p uintptr, h uint64) *block {
	return at(kind.BlockAt(p &^ uintptr(h&chunk.GenerationMask|(kind.BlockUnit-1))))
}

// Match checks that chunk and block agree: it is the third stage.
func Match(p uintptr, h uint64, c *kind.Core, b *block, count counter, letGo releaser, wrong kind.Next) {
	if h^b.tag >= chunk.Classes {
		wrong(p, h, c)
		return
	}
	count(c, b, p, h, letGo)
}

// Count counts, as the last stage, the chunk in its block, which is released when it
// was the last.
func Count(c *kind.Core, b *block, p uintptr, h uint64, letGo releaser) {
	chunk.SetHeader(p, h^(chunk.Generation^chunk.GenerationFreed))
	b.frees++
	if b.left -= uint64(chunk.TotalSize(h % chunk.Classes)); b.left == 0 {
		letGo(c, b)
	}
}

type (
	finder   func(p uintptr, h uint64, c *kind.Core, match matcher, count counter, letGo releaser, wrong kind.Next)
	matcher  func(p uintptr, h uint64, c *kind.Core, b *block, count counter, letGo releaser, wrong kind.Next)
	counter  func(c *kind.Core, b *block, p uintptr, h uint64, letGo releaser)
	releaser func(c *kind.Core, b *block)
)

// Package generation is the kind for queues: what was allocated first is freed first.
//
// It holds: blocks that are filled from the front. A block is released when the last of
// its chunks is freed. Sparse ones are filled again, see reopen.go.
//
// Cannot: release a block while one chunk of it is live. Freed chunks of a block serve
// again when the block is sparse, and when there is nothing else.
//
// Choose it for messages, tuples and changes that come and go in order, or in groups.
//
// Invariant: a block other than the current one has live chunks, and its head has the
// number of their bytes. The current block is the first of the list; what was allocated
// from it follows from what remains of it. Shared blocks are aligned, so that a chunk
// leads to its block. Chunks have an AllocSet's classes and are cut by its hot path;
// what their headers have in addition is in the node's Prefix.
//
// Cost: an 8-byte header, and on average 8 % of rounding; beyond 2 KiB a block of its
// own. Statistics look at each block, and the number of chunks takes a walk through all
// of them.
//
// PostgreSQL: mmgr/generation.c.
package generation

import (
	pages "github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// ID is the kind's. A cached node of it is opened, since its block needs a head.
const ID = kind.Reopens | 2

func (Methods) Name() string { return "Generation" }

func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: ID, Headers: true, Frees: true, Cached: true, CountsChunks: true, Head: head}
}

func (Methods) Open(c *kind.Core) {
	c.NeedsReset, c.Dirty = 1, kind.DirtyPrivate
	c.LimitBlocks(maxBlock)
	if c.Blocks == 0 {
		return
	}
	if _, ok := kind.BlockAt(c.Blocks).Order(); !ok {
		c.DropKeeper()
		return
	}
	begin(c, kind.BlockAt(c.Blocks))
}

// begin makes a block, empty, the one to allocate from.
func begin(c *kind.Core, b *kind.Block) {
	c.Prefix = c.Cookie ^ chunk.Generation | uint64(b.Size-kind.BlockUnit)
	*at(b) = block{Block: *b, tag: c.Prefix, left: currentBias}
	c.SetCurrent(b, head)
}

// allocated returns how many bytes of the current block b are allocated.
func allocated(c *kind.Core, b *kind.Block) uint64 {
	return uint64(relaxed.Load(&c.Cur) - b.Address() - head)
}

// isEmpty reports whether every chunk that was allocated from the current block b is
// freed.
//
//go:norace
func isEmpty(c *kind.Core, b *kind.Block) bool { return at(b).left+allocated(c, b) == currentBias }

// Alloc is the slow path: sizes that the hot path does not know, and a block without
// space.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size > maxShared {
		return c.AllocLarge(size)
	}
	class := chunk.Class(size)
	whole := chunk.TotalSize(class)
	if whole > c.End-c.Cur { // plain loads, after which the race detector sees another goroutine
		if err := refill(c, whole); err != nil {
			return 0, err
		}
	}
	p := c.Cur + chunk.HeaderSize
	relaxed.Store(&c.Cur, c.Cur+whole)
	chunk.SetHeader(p, c.Prefix|class)
	return p, nil
}

// refill makes another block the current one, or the same one when all of its chunks are
// freed.
func refill(c *kind.Core, whole uintptr) error {
	if c.Blocks != 0 {
		b := kind.BlockAt(c.Blocks)
		if err := c.Owns(b); err != nil {
			return err
		}
		if isEmpty(c, b) && whole <= b.Size-head {
			begin(c, b)
			return nil
		} else if goOn(c, at(b), whole) || reopen(c, whole, lookAhead, (*block).isSparse) {
			return nil
		}
	}
	b, err := c.AcquireAligned(whole+head, maxBlock)
	if err != nil {
		if c.Blocks != 0 && reopen(c, whole, c.BlockCount, func(b *block) bool { return b.Size-head-uintptr(b.left) >= whole }) {
			return nil
		}
		return err
	}
	if c.Blocks != 0 {
		retire(c)
	}
	kind.Link(&c.Blocks, b)
	begin(c, b)
	return nil
}

// retire leaves the current block to be freed.
func retire(c *kind.Core) {
	b := at(kind.BlockAt(c.Blocks))
	if c.End == b.End() {
		b.tail = uint16(c.Remaining())
		relaxed.Store(&c.Tails, c.Tails+c.Remaining())
	} else {
		fill(b, c.Cur, c.End)
	}
	if b.left -= currentBias - allocated(c, &b.Block); b.left == 0 {
		ReleaseBlock(c, b)
		return
	}
	line(c, b)
}

// ReleaseBlock releases an empty block that is not the current one. It is separate from
// Count since it is rare.
func ReleaseBlock(c *kind.Core, b *block) {
	relaxed.Store(&c.Tails, c.Tails-uintptr(b.tail))
	leave(c, b)
	kind.Unlink(&c.Blocks, &b.Block)
	giveBack(c, b)
}

// giveBack releases a block. Its tag, which would pass for the header of a chunk of 8 bytes,
// must not stay in memory that another context gets.
func giveBack(c *kind.Core, b *block) {
	b.tag = 0
	c.Release(&b.Block)
}

// Free frees what the hot path does not: large chunks. Anything else is a Misuse.
func (Methods) Free(c *kind.Core, p uintptr, tag uint64) error {
	switch {
	case tag == chunk.Large:
		return c.FreeLarge(p)
	case !isLive(tag):
		return kind.TagFault(Methods{}, tag)
	}
	h := c.Cookie ^ tag
	b := blockOf(p, h)
	if h^b.tag >= chunk.Classes {
		return kind.NotAChunk
	}
	Count(c, b, p, h, ReleaseBlock)
	return nil
}

// sizeOf returns the size of a chunk by its tag.
func sizeOf(tag uint64) uintptr { return chunk.Size(tag % chunk.Classes) }

// isLive reports whether a tag is that of a live chunk in a shared block.
func isLive(tag uint64) bool {
	return tag&^(chunk.GenerationMask|chunk.Classes-1) == chunk.Generation
}

// isFreed reports whether a tag is that of a freed chunk in a shared block.
func isFreed(tag uint64) bool {
	return tag&^(chunk.GenerationMask|chunk.Classes-1) == chunk.GenerationFreed
}

func (m Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	if old := sizeOf(tag); isLive(tag) && size > old && size <= maxShared && c.Extend(p, old, size) {
		return p, nil
	}
	return kind.Resize(m, c, p, tag, size)
}

func (Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	switch {
	case tag == chunk.Large:
		return c.LargeCapacity(p)
	case isLive(tag):
		return sizeOf(tag)
	}
	return 0
}

func (m Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	return kind.AllocAligned(m, c, size, align)
}

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) SizeOf(c *kind.Core, tag uint64) uintptr {
	if isLive(tag) || isFreed(tag) {
		return sizeOf(tag)
	}
	return 0
}

func (Methods) Freed(tag uint64) bool { return isFreed(tag) }

func (Methods) Reset(c *kind.Core) {
	b := c.Retire()
	c.NeedsReset, c.Dirty = 1, kind.DirtyPrivate
	if b == nil {
		c.CloseCurrent()
		return
	}
	begin(c, b)
}

// Stats counts freed chunks as free: PostgreSQL counts them as used. The owner may be at
// work, at which the race detector must not look.
//
//go:norace
func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	if chunks {
		s.Chunks = countChunks(c)
	}
	s.Free = c.Remaining() + relaxed.Load(&c.Tails)
	b := c.PeekBlock(&c.Blocks)
	s.Live = s.Blocks > 1 || c.Large != 0 || b != nil && !isEmpty(c, b)
	for left := s.Blocks; b != nil && left > 0; left-- {
		s.FreeChunks += at(b).frees
		s.Free += void(c, at(b))
		b = c.PeekBlock(&b.Next)
	}
	s.Free = min(s.Free, s.Total)
	return s
}

// void returns how many bytes the freed chunks of a block hold; 0 when the owner is just
// beginning or ending the block.
//
//go:norace
func void(c *kind.Core, b *block) uintptr {
	cut, live := uint64(b.Size)-head-uint64(b.tail), b.left
	if live > currentBias/2 { // the current one
		cut -= uint64(c.Remaining())
		live += allocated(c, &b.Block) - currentBias
	}
	if cut > maxBlock || live > cut {
		return 0
	}
	return uintptr(cut - live)
}

// countChunks counts the live chunks, and the freed ones whose block is not empty. The
// owner may be at work: a step leads on only from a chunk of the context.
func countChunks(c *kind.Core) (n uint32) {
	left := relaxed.Load32(&c.BlockCount)
	cur, end := relaxed.Load(&c.Cur), relaxed.Load(&c.End)
	for b := c.PeekBlock(&c.Blocks); b != nil && left > 0; left-- {
		n += chunksOf(c, b, cur, end)
		cur, end = 0, 0
		b = c.PeekBlock(&b.Next)
	}
	return n + left // large chunks, each with a block of its own
}

// chunksOf counts those of a block that is allocated from between cur and end.
//
//go:norace
func chunksOf(c *kind.Core, b *kind.Block, cur, end uintptr) (n uint32) {
	const freed = chunk.Generation ^ chunk.GenerationFreed
	start := b.Address() + head
	last := b.End() - uintptr(at(b).tail)
	for at := start; at < last && last-start <= maxBlock && pages.Readable(at); {
		if at == cur && end > cur {
			at = end
			continue
		}
		tag := (chunk.Header(at+chunk.HeaderSize) ^ relaxed.Load64(&c.Cookie)) &^ freed
		if tag&^chunk.GenerationMask == chunk.GenerationGap&^freed {
			at += chunk.HeaderSize
			continue
		}
		if !isLive(tag) {
			break
		}
		at += chunk.TotalSize(tag % chunk.Classes)
		n++
	}
	return n
}

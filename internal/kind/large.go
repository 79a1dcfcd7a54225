package kind

import (
	"runtime"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Large chunks have a block of their own, on the list Large of their node. The kinds
// with headers share this file.
//
// Invariant: the word Dedicated in the head of such a block is notGrowable, or the
// block's capacity in pages of 4 KiB: a chunk that grew once is likely to grow again.
//
// Cost: a block acquired and released; to grow within the capacity, a lock.
const (
	notGrowable   = 1
	capacityShift = 12

	// A chunk that grows gets a capacity of growFactor times what it needs, and at least
	// minGrowable bytes. One of huge bytes or more, of which memory has few, gets
	// hugeFactor times. maxGrowable is the largest capacity. minGrowable is small since the
	// capacity may lie in free memory that is resident, which no other request gets meanwhile.
	minGrowable = 128 << 10
	growFactor  = 8
	huge        = 32 << 20
	hugeFactor  = 64
	maxGrowable = 1 << (30 + 5*osmem.WideShift) // 1 TiB

	// plentiful: address space is, and the system does not count what was made usable
	// against its memory, so that a larger capacity costs nothing.
	plentiful = osmem.WideShift != 0 && runtime.GOOS != "windows"
)

// AllocLarge allocates a chunk in a block of its own.
func (c *Core) AllocLarge(size uintptr) (uintptr, error) {
	if size > MaxChunk {
		return 0, TooLarge(size)
	}
	b, err := c.Acquire(size + largeHead)
	if err != nil {
		return 0, err
	}
	b.Dedicated = notGrowable
	return c.begin(b), nil
}

// FreeLarge frees a large chunk and releases its block.
func (c *Core) FreeLarge(p uintptr) error {
	b := c.largeAt(p)
	if b == nil {
		return NotAChunk
	}
	if b.Next != 0 && !plausible(b.Next) {
		return headOverwritten(b.Address())
	}
	chunk.SetHeader(p, c.Cookie^chunk.LargeFreed)
	Unlink(&c.Large, b)
	c.Release(b)
	return nil
}

// largeAt returns the block of the large chunk at p, nil when there is none. The header
// before p must be that of a large chunk of the node, so that the memory before it can be
// read. That the head of a block of the node lies there is certain enough: the block is
// not looked up in the page heap.
func (c *Core) largeAt(p uintptr) *Block {
	if (p-largeHead)%BlockUnit != 0 {
		return nil
	}
	if b := BlockAt(p - largeHead); b.Owner == c.Number() && b.Dedicated != 0 {
		return b
	}
	return nil
}

// capacity returns how large the block can become where it is, in bytes.
func (b *Block) capacity() uintptr {
	if b.Dedicated <= notGrowable {
		return b.Size
	}
	return uintptr(b.Dedicated) << capacityShift
}

// GrowLarge resizes the large chunk at p to size bytes, in place if its block has the
// capacity. On an error the old chunk lives on.
func (c *Core) GrowLarge(p, size uintptr) (uintptr, error) {
	b := c.largeAt(p)
	if b == nil {
		return 0, NotAChunk
	}
	old := b.Size
	if need := size + largeHead; need <= b.capacity() {
		owner, err := c.reserve(block.RoundUpGrowable(need) - old)
		if err != nil {
			return 0, err
		}
		b.Size = block.Grow(b.Address(), old, b.capacity(), need)
		c.charge(owner, b.Size-old, 0)
		return p, nil
	}
	to, err := c.allocGrowable(size)
	if err != nil {
		return 0, err
	}
	copy(osmem.Bytes(to, size), osmem.Bytes(p, old-largeHead))
	return to, c.FreeLarge(p)
}

// allocGrowable allocates a large chunk that can grow in place where address space is
// plentiful, else one that cannot.
func (c *Core) allocGrowable(size uintptr) (uintptr, error) {
	need := size + largeHead
	factor := uintptr(growFactor)
	if need >= huge {
		factor = hugeFactor
	}
	if !plentiful || need > maxGrowable/factor {
		return c.AllocLarge(size)
	}
	owner, err := c.reserve(block.RoundUpGrowable(need))
	if err != nil {
		return 0, err
	}
	addr, got, room, err := block.AcquireGrowable(need, max(minGrowable, factor*need))
	if err != nil {
		c.cancel(owner)
		return c.AllocLarge(size)
	}
	b := c.adopt(owner, addr, got)
	b.Dedicated = uint32(room >> capacityShift)
	return c.begin(b), nil
}

// begin makes a block a large chunk, and returns its address.
func (c *Core) begin(b *Block) uintptr {
	Link(&c.Large, b)
	p := b.Address() + largeHead
	chunk.SetHeader(p, c.Cookie^chunk.Large)
	return p
}

// LargeCapacity returns the usable size of a large chunk.
func (c *Core) LargeCapacity(p uintptr) uintptr {
	return BlockAt(p-largeHead).Size - largeHead
}

// Blank reports whether the chunk of size bytes at p, just allocated, is known to be all
// zero: it lies in a block that came so from the page heap, and its memory was not
// allocated before. That is known of chunks larger than any block that is kept over a
// reset: those with a block of their own, and all of a kind that frees no chunks.
func Blank(m Methods, p, size uintptr) bool {
	return size > MaxKeeper && (!m.Traits().Frees || isLarge(p)) && inBlank(p)
}

// BlankBeyond reports what Blank does for the bytes that a resized chunk at p has beyond its former
// capacity.
func BlankBeyond(p uintptr) bool { return isLarge(p) && inBlank(p) }

// isLarge reports whether the live chunk at p, or the one around it if it is aligned, has a block of its own.
func isLarge(p uintptr) bool {
	h := chunk.Header(p)
	tag := h ^ At(chunk.Index(h)).Cookie
	return tag == chunk.Large || tag == chunk.Redirect && isLarge(p-uintptr(*wayBack(p)>>8))
}

func inBlank(p uintptr) bool {
	addr, ok := block.Find(p)
	return ok && block.KnownZero(addr)
}

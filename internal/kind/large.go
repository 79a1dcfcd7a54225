package kind

import (
	"runtime"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Large chunks have a block of their own, on the list Large of their core. The
// kinds with headers share what is here.
//
// Invariant: the word Alone in the head of such a block is fixed, or says how
// much room the block has, in pages of 4 KiB: a chunk that grew once is likely to
// grow again.
//
// Cost: a purchase and a sale; to grow within the room, a lock.
const (
	notGrowable   = 1
	capacityShift = 12

	// minGrowable and growFactor are what a chunk that grows gets to grow further, and
	// hugeFactor one of at least huge bytes, of which memory has few; maxGrowable is the
	// end of it.
	minGrowable = 2 << 20
	growFactor  = 8
	huge        = 32 << 20
	hugeFactor  = 64
	maxGrowable = 1 << (30 + 5*osmem.WideShift) // 1 TiB

	// roomy says that room costs nothing: address space is plentiful, and the
	// system does not count what was made usable against its memory.
	plentiful = osmem.WideShift != 0 && runtime.GOOS != "windows"
)

// AllocLarge sells a chunk in a block of its own.
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

// FreeLarge takes a large chunk and its block back.
func (c *Core) FreeLarge(p uintptr) error {
	b := c.largeAt(p)
	if b == nil {
		return NotAChunk
	}
	chunk.SetHeader(p, c.Cookie|chunk.LargeFreed)
	Unlink(&c.Large, b)
	c.Release(b)
	return nil
}

// largeAt is the block of the large chunk at p, nil when there is none.
func (c *Core) largeAt(p uintptr) *Block {
	b := c.BlockOf(p)
	if b == nil || b.Dedicated == 0 || b.Address()+largeHead != p {
		return nil
	}
	return b
}

// room is how large the block can become where it is.
func (b *Block) capacity() uintptr {
	if b.Dedicated <= notGrowable {
		return b.Size
	}
	return uintptr(b.Dedicated) << capacityShift
}

// GrowLarge makes the large chunk at p size bytes large, where it is if there is
// room, else where there is. On an error the old chunk lives on.
func (c *Core) GrowLarge(p, size uintptr) (uintptr, error) {
	b := c.largeAt(p)
	if b == nil {
		return 0, NotAChunk
	}
	old := b.Size
	if need := size + largeHead; need <= b.capacity() {
		payer, err := c.reserve(block.Grained(need) - old)
		if err != nil {
			return 0, err
		}
		b.Size = block.Widen(b.Address(), old, b.capacity(), need)
		c.charge(payer, b.Size-old, 0)
		return p, nil
	}
	to, err := c.allocGrowable(size)
	if err != nil {
		return 0, err
	}
	copy(osmem.Bytes(to, size), osmem.Bytes(p, old-largeHead))
	return to, c.FreeLarge(p)
}

// allocGrowable sells a large chunk with room to grow where address space is
// plentiful, else one without.
func (c *Core) allocGrowable(size uintptr) (uintptr, error) {
	need := size + largeHead
	factor := uintptr(growFactor)
	if need >= huge {
		factor = hugeFactor
	}
	if !plentiful || need > maxGrowable/factor {
		return c.AllocLarge(size)
	}
	payer, err := c.reserve(block.Grained(need))
	if err != nil {
		return 0, err
	}
	addr, got, room, err := block.BuyRoom(need, max(minGrowable, factor*need))
	if err != nil {
		c.cancel(payer)
		return c.AllocLarge(size)
	}
	b := c.adopt(payer, addr, got)
	b.Dedicated = uint32(room >> capacityShift)
	return c.begin(b), nil
}

// begin makes a block a large chunk.
func (c *Core) begin(b *Block) uintptr {
	Link(&c.Large, b)
	p := b.Address() + largeHead
	chunk.SetHeader(p, c.Cookie|chunk.Large)
	return p
}

// LargeCapacity is the usable size of a large chunk.
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

// BlankBeyond is Blank for what a chunk at p has beyond the capacity that it had
// before it was resized.
func BlankBeyond(p uintptr) bool { return isLarge(p) && inBlank(p) }

// isLarge says whether the live chunk at p has a block of its own.
func isLarge(p uintptr) bool {
	h := chunk.Header(p)
	return h^At(chunk.Index(h)).Cookie == chunk.Large
}

func inBlank(p uintptr) bool {
	addr, ok := block.Find(p)
	return ok && block.Blank(addr)
}

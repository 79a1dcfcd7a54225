// Package bump is the kind that only allocates.
//
// It holds: blocks that are filled from the front, chunks without a header.
//
// Cannot: free a chunk, resize one, or tell how large one is.
//
// Choose it for what is built, used and thrown away as a whole: a parsed document, a
// plan, the result of one step.
//
// Invariant: the current block is the first of the list, allocated up to Cur. The other
// blocks on the list are full but for a tail. Requests too large to share a block have
// one of their own, so that the current block is not abandoned.
//
// Cost: the size rounded up to 8; one addition and one compare a chunk.
//
// PostgreSQL: mmgr/bump.c.
package bump

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Methods of the kind.
type Methods struct{}

// Alloc cuts, on the hot path of the kinds without size classes, the chunk off the
// current block. A size of 0 wraps around and does not fit. What does not fit goes to
// the next stage, that of the kinds with classes: it finds no freed chunk in a Bump, nor
// space for a header, and goes the slow way. So the slow way has one call site, and the
// caller's registers are saved only there.
func Alloc(c *kind.Core, classless bool, size uintptr, next kind.Stage, slow kind.Slow) uintptr {
	if classless {
		p := c.Cur
		if size-1 < c.End-p {
			if relaxed.PlainStores {
				c.Cur = p + (size+7)&^7
			} else {
				relaxed.Store(&c.Cur, p+(size+7)&^7)
			}
			return p
		}
	}
	return next(c, size, slow)
}

// AllocConst does what Alloc does for a constant size, which must be one that cannot wrap around.
func AllocConst(c *kind.Core, classless bool, size uintptr, next kind.Stage, slow kind.Slow) uintptr {
	if classless {
		p := c.Cur
		end := p + (size+7)&^7
		if end <= c.End && size != 0 && size <= maxConst {
			if relaxed.PlainStores {
				c.Cur = end
			} else {
				relaxed.Store(&c.Cur, end)
			}
			return p
		}
	}
	return next(c, size, slow)
}

// maxConst is a size that cannot wrap around. With 64 bits that is any size for which
// there are addresses.
const maxConst = chunk.MaxSize << (17 * osmem.WideShift)

// ID is the kind's.
const ID = kind.NoClasses | 4

func (Methods) Name() string { return "Bump" }

func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: ID, Cached: true, Head: kind.BlockHeader}
}

func (Methods) Open(c *kind.Core) {
	if c.Blocks != 0 {
		c.SetCurrent(kind.BlockAt(c.Blocks), kind.BlockHeader)
	}
}

// minOwn is the size of the smallest chunk that may get a block of its own, in bytes.
const minOwn = 2 << 10

// Alloc is the slow path: a new block, or one for this chunk alone.
func (Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	if size > kind.MaxChunk {
		return 0, kind.TooLarge(size)
	}
	size = max(size+chunk.Align-1, chunk.Align) &^ (chunk.Align - 1)
	if size > c.End-c.Cur { // plain loads, after which the race detector sees another goroutine
		if c.WantsOwn(size, minOwn) && c.Cur != 0 {
			return allocOwn(c, size)
		}
		if err := refill(c, size); err != nil {
			return 0, err
		}
	}
	p := c.Cur
	relaxed.Store(&c.Cur, p+size)
	return p, nil
}

func allocOwn(c *kind.Core, size uintptr) (uintptr, error) {
	b, err := c.Acquire(size + kind.BlockHeader)
	if err != nil {
		return 0, err
	}
	kind.Link(&c.Large, b)
	relaxed.Store(&c.Tails, c.Tails+b.Size-kind.BlockHeader-size)
	return b.Address() + kind.BlockHeader, nil
}

func refill(c *kind.Core, size uintptr) error {
	b, err := c.AcquireShared(size+kind.BlockHeader, ^uintptr(0))
	if err != nil {
		return err
	}
	relaxed.Store(&c.Tails, c.Tails+c.Remaining())
	kind.Link(&c.Blocks, b)
	c.SetCurrent(b, kind.BlockHeader)
	return nil
}

// Free is refused: nothing tells where the chunk ends.
func (m Methods) Free(c *kind.Core, p uintptr, tag uint64) error { return kind.Headerless(m) }

// Realloc is refused: nothing tells how large the chunk is.
func (m Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	return 0, kind.Headerless(m)
}

func (Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr { return 0 }

func (Methods) SizeOf(c *kind.Core, tag uint64) uintptr { return 0 }

func (Methods) Freed(tag uint64) bool { return false }

func (Methods) Reset(c *kind.Core) { c.SetCurrent(c.Retire(), kind.BlockHeader) }

// Compact returns 0: nothing tells which chunks are in use.
func (Methods) Compact(c *kind.Core) uintptr { return 0 }

func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	s := kind.Stats{Total: relaxed.Load(&c.Total), Blocks: relaxed.Load32(&c.BlockCount)}
	s.Free = c.Remaining() + relaxed.Load(&c.Tails)
	s.Live = s.Used() != uintptr(s.Blocks)*kind.BlockHeader
	return s
}

// Extend can where the array ends at the next chunk to be cut, and the block has space
// behind it: a growing slice then stays where it is. An array that ends within the
// rounding of its chunk may be a part of a longer one, and does not grow.
func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool {
	if p+old != c.Cur || size-old > c.End-c.Cur {
		return false
	}
	relaxed.Store(&c.Cur, p+size)
	return true
}

// AllocAligned costs the gap before the chunk, and nothing else.
func (m Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	if size > kind.MaxChunk || align > kind.MaxChunk {
		return 0, kind.TooLarge(max(size, align))
	}
	size = max(size+chunk.Align-1, chunk.Align) &^ (chunk.Align - 1)
	gap := -c.Cur & (align - 1)
	if c.Cur != 0 && gap+size <= c.Remaining() {
		relaxed.Store(&c.Cur, c.Cur+gap)
		return m.Alloc(c, size)
	}
	if size+align-chunk.Align > kind.MaxChunk {
		return 0, kind.NoAddresses(size, align)
	}
	p, err := m.Alloc(c, size+align-chunk.Align)
	return (p + align - 1) &^ (align - 1), err
}

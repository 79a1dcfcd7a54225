package kind

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

// A chunk on a coarser alignment than 8 is a larger chunk, inside which the
// aligned address has a header of its own, a redirect, and before that a word
// that leads back: the distance to the true chunk, and the alignment.
//
// Invariant: the true chunk begins at least redirectSize before the aligned
// address, and its header is that of any other chunk.
const redirectSize = 2 * chunk.HeaderSize

// AllocAligned sells a chunk on a multiple of align, a power of two.
func AllocAligned(m Methods, c *Core, size, align uintptr) (uintptr, error) {
	if size > MostChunk || align > MostChunk {
		return 0, TooLarge(max(size, align))
	}
	if align <= chunk.Align {
		return m.Alloc(c, size)
	}
	p, err := m.Alloc(c, max(size, 1)+align+chunk.HeaderSize) // of no bytes, it might begin where its block ends
	if err != nil {
		return p, err
	}
	q := (p + redirectSize + align - 1) &^ (align - 1)
	*wayBack(q) = uint64(q-p)<<8 | uint64(bits.TrailingZeros64(uint64(align)))
	chunk.SetHeader(q, c.Stamp|chunk.Redirect)
	return q, nil
}

// wayBack is the word that leads from an aligned address to the true chunk.
func wayBack(q uintptr) *uint64 { return (*uint64)(osmem.At(q - redirectSize)) }

// follow is the true chunk behind the aligned address q, and what it is.
func follow(c *Core, q uintptr) (p uintptr, what uint64, err error) {
	p = q - uintptr(*wayBack(q)>>8)
	if c.BlockOf(q) == nil || c.BlockOf(p) != c.BlockOf(q) {
		return 0, 0, NotAChunk
	}
	what = chunk.Header(p) ^ c.Stamp
	if what >= chunk.Whats {
		return 0, 0, NotAChunk
	}
	return p, what, nil
}

// Free takes any chunk of the core back, aligned or not.
func Free(m Methods, c *Core, p uintptr, what uint64) error {
	if what != chunk.Redirect {
		return m.Free(c, p, what)
	}
	whole, what, err := follow(c, p)
	if err != nil {
		return err
	}
	chunk.SetHeader(p, c.Stamp|chunk.Redirected)
	return m.Free(c, whole, what)
}

// Capacity is the usable size of any chunk of the core, 0 when it is none.
func Capacity(m Methods, c *Core, p uintptr, what uint64) uintptr {
	usable, _, _ := Measure(m, c, p, what)
	return usable
}

// Realloc makes any chunk of the core size bytes large; an aligned one keeps its
// alignment.
func Realloc(m Methods, c *Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	if what != chunk.Redirect {
		return m.Realloc(c, p, what, size)
	}
	if _, _, err := follow(c, p); err != nil {
		return 0, err
	}
	if size > MostChunk {
		return 0, TooLarge(size)
	}
	old := Capacity(m, c, p, what)
	if size <= old {
		return p, nil
	}
	to, err := AllocAligned(m, c, size, 1<<(*wayBack(p)&0xff))
	if err != nil {
		return 0, err
	}
	copy(osmem.Bytes(to, old), osmem.Bytes(p, old))
	return to, Free(m, c, p, what)
}

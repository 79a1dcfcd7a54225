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
// address, and its header is that of any other chunk; the aligned address is the
// first in it that can be.
//
// Cost: that of the true chunk, which is larger by up to the alignment and a word.
const redirectSize = 2 * chunk.HeaderSize

// AllocAligned sells a chunk on a multiple of align, a power of two.
func AllocAligned(m Methods, c *Core, size, align uintptr) (uintptr, error) {
	if size > MaxChunk || align > MaxChunk {
		return 0, TooLarge(max(size, align))
	}
	if align <= chunk.Align {
		return m.Alloc(c, size)
	}
	p, err := m.Alloc(c, max(size, 1)+align+chunk.HeaderSize) // of no bytes, it might begin where its block ends
	if err != nil {
		return p, err
	}
	return c.redirect(p, bits.TrailingZeros64(uint64(align))), nil
}

// redirect lays a way from the aligned address in the true chunk at p back to it.
func (c *Core) redirect(p uintptr, shift int) (q uintptr) {
	q = alignedIn(p, shift)
	*wayBack(q) = uint64(q-p)<<8 | uint64(shift)
	chunk.SetHeader(q, c.Cookie|chunk.Redirect)
	return q
}

// wayBack is the word that leads from an aligned address to the true chunk.
func wayBack(q uintptr) *uint64 { return (*uint64)(osmem.At(q - redirectSize)) }

// shiftOf is the alignment of the aligned address q, as a power of two.
func shiftOf(q uintptr) int { return int(*wayBack(q) & 0xff) }

// follow is the true chunk behind the aligned address q, and what it is.
func follow(c *Core, q uintptr) (p uintptr, what uint64, err error) {
	p = q - uintptr(*wayBack(q)>>8)
	if p%chunk.Align != 0 || c.BlockOf(q) == nil || c.BlockOf(p) != c.BlockOf(q) || alignedIn(p, shiftOf(q)) != q {
		return 0, 0, NotAChunk
	}
	what = chunk.Header(p) ^ c.Cookie
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
	chunk.SetHeader(p, c.Cookie|chunk.Redirected)
	return m.Free(c, whole, what)
}

// Capacity is the usable size of any chunk of the core, 0 when it is none.
func Capacity(m Methods, c *Core, p uintptr, what uint64) uintptr {
	usable, _, _ := Measure(m, c, p, what)
	return usable
}

// Realloc makes any chunk of the core size bytes large; an aligned one keeps its
// alignment. On an error the old chunk lives on.
func Realloc(m Methods, c *Core, p uintptr, what uint64, size uintptr) (uintptr, error) {
	if what != chunk.Redirect {
		return m.Realloc(c, p, what, size)
	}
	whole, what, err := follow(c, p)
	if err != nil {
		return 0, err
	}
	if size > MaxChunk {
		return 0, TooLarge(size)
	}
	capacity := m.Capacity(c, whole, what)
	if capacity <= p-whole {
		return 0, TagFault(m, what)
	}
	return c.reallocAligned(m, p, whole, what, capacity, size)
}

// reallocAligned resizes the true chunk, of which capacity bytes may be used, as any
// other, to what an aligned chunk of the new size would take. Where it is then, the
// content may lie before or behind the aligned address, and goes there. It is never
// refused a size that fits.
func (c *Core) reallocAligned(m Methods, p, whole uintptr, what uint64, capacity, size uintptr) (uintptr, error) {
	shift, gap := shiftOf(p), p-whole
	usable := capacity - gap
	need := max(size, 1) + 1<<shift + chunk.HeaderSize
	if size <= usable {
		need = min(need, capacity)
	}
	chunk.SetHeader(p, c.Cookie|chunk.Redirected) // before the true chunk is somebody else's
	to, err := m.Realloc(c, whole, what, need)
	if err != nil {
		chunk.SetHeader(p, c.Cookie|chunk.Redirect)
		if size <= usable && chunk.Header(whole)^c.Cookie == what {
			return p, nil
		}
		return 0, err
	}
	kept := min(usable, size)
	copy(osmem.Bytes(alignedIn(to, shift), kept), osmem.Bytes(to+gap, kept))
	return c.redirect(to, shift), nil
}

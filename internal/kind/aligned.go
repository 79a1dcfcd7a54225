package kind

import (
	"fmt"
	"math/bits"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Aligned chunks that are not simply cut where they should be, as an AllocSet's of the size
// classes and all of a Bump's are. Such a chunk is a larger chunk. Inside it the
// aligned address has a header of its own, a redirect, and before that a word that leads
// back: the distance to the outer chunk, and the alignment.
//
// Invariant: the outer chunk begins at least redirectSize before the aligned address,
// and its header is that of any other chunk. The aligned address is the first one in it
// that can be.
//
// Cost: that of the outer chunk, which is larger by up to the alignment and a word.
const redirectSize = 2 * chunk.HeaderSize

// AllocAligned allocates a chunk at a multiple of align, a power of two, with the Alloc
// of a kind, inside a larger one.
func AllocAligned(m Methods, c *Core, size, align uintptr) (uintptr, error) {
	if size > MaxChunk || align > MaxChunk {
		return 0, TooLarge(max(size, align))
	}
	if align <= chunk.Align {
		return m.Alloc(c, size)
	}
	outer, err := outerOf(size, align)
	if err != nil {
		return 0, err
	}
	p, err := m.Alloc(c, outer)
	if err != nil {
		return p, err
	}
	return c.redirect(p, bits.TrailingZeros64(uint64(align))), nil
}

// AllocGrowableAligned allocates an aligned chunk with a block of its own, which can grow in
// place where address space is plentiful.
func (c *Core) AllocGrowableAligned(size, align uintptr) (uintptr, error) {
	outer, err := outerOf(size, align)
	if err != nil {
		return 0, err
	}
	p, err := c.allocGrowable(outer)
	if err != nil {
		return 0, err
	}
	return c.redirect(p, bits.TrailingZeros64(uint64(align))), nil
}

// outerSize returns the size of the chunk around an aligned one. One of 0 bytes might begin
// at the end of its block.
func outerSize(size, align uintptr) uintptr { return max(size, 1) + align + chunk.HeaderSize }

// outerOf works as outerSize does. The error wraps osmem.ErrNoMemory: no chunk is so large.
func outerOf(size, align uintptr) (uintptr, error) {
	outer := outerSize(size, align)
	if outer > MaxChunk {
		return 0, NoAddresses(size, align)
	}
	return outer, nil
}

// NoAddresses refuses an aligned chunk around which no chunk is large enough, for lack of memory.
func NoAddresses(size, align uintptr) error {
	return fmt.Errorf("%w: %d bytes at a multiple of %d", osmem.ErrNoMemory, size, align)
}

// redirect makes the aligned address in the outer chunk at p lead back to it, and
// returns the address.
func (c *Core) redirect(p uintptr, shift int) (q uintptr) {
	q = alignedIn(p, shift)
	*wayBack(q) = uint64(q-p)<<8 | uint64(shift)
	chunk.SetHeader(q, c.Cookie^chunk.Redirect)
	return q
}

// wayBack returns the word that leads from an aligned address to the outer chunk.
func wayBack(q uintptr) *uint64 { return (*uint64)(osmem.At(q - redirectSize)) }

// shiftOf returns the alignment of the aligned address q, as a power of two.
func shiftOf(q uintptr) int { return int(*wayBack(q) & 0xff) }

// follow returns the outer chunk of the aligned address q, and its tag.
func follow(c *Core, q uintptr) (p uintptr, tag uint64, err error) {
	p = q - uintptr(*wayBack(q)>>8)
	if p%chunk.Align != 0 || c.BlockOf(q) == nil || c.BlockOf(p) != c.BlockOf(q) || alignedIn(p, shiftOf(q)) != q {
		return 0, 0, NotAChunk
	}
	tag = chunk.Header(p) ^ c.Cookie
	if tag >= chunk.TagLimit {
		return 0, 0, NotAChunk
	}
	return p, tag, nil
}

// Free frees any chunk of the node, aligned or not.
func Free(m Methods, c *Core, p uintptr, tag uint64) error {
	if tag != chunk.Redirect {
		return m.Free(c, p, tag)
	}
	whole, tag, err := follow(c, p)
	if err != nil {
		return err
	}
	chunk.SetHeader(p, c.Cookie^chunk.RedirectFreed)
	return m.Free(c, whole, tag)
}

// Capacity returns the usable size of any chunk of the node, 0 where there is none.
func Capacity(m Methods, c *Core, p uintptr, tag uint64) uintptr {
	usable, _, _ := Measure(m, c, p, tag)
	return usable
}

// Realloc resizes any chunk of the node to size bytes. An aligned one keeps its
// alignment. On an error the old chunk lives on.
func Realloc(m Methods, c *Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	if tag != chunk.Redirect {
		return m.Realloc(c, p, tag, size)
	}
	whole, tag, err := follow(c, p)
	if err != nil {
		return 0, err
	}
	if size > MaxChunk {
		return 0, TooLarge(size)
	}
	capacity := m.Capacity(c, whole, tag)
	if capacity <= p-whole {
		return 0, TagFault(m, tag)
	}
	return c.reallocAligned(m, p, whole, tag, capacity, size)
}

// reallocAligned resizes an aligned chunk, in an outer one of which capacity bytes may be
// used. To grow, it resizes the outer chunk: in its new place the content may lie before or
// behind the aligned address, and is moved there.
func (c *Core) reallocAligned(m Methods, p, whole uintptr, tag uint64, capacity, size uintptr) (uintptr, error) {
	shift, gap := shiftOf(p), p-whole
	usable := capacity - gap
	if size <= usable {
		return c.shrinkAligned(m, p, whole, tag, capacity, size)
	}
	outer, err := outerOf(size, 1<<shift)
	if err != nil {
		return 0, err
	}
	chunk.SetHeader(p, c.Cookie^chunk.RedirectFreed) // before the outer chunk can be allocated again
	to, err := m.Realloc(c, whole, tag, outer)
	if err != nil {
		chunk.SetHeader(p, c.Cookie^chunk.Redirect)
		return 0, err
	}
	copy(osmem.Bytes(alignedIn(to, shift), usable), osmem.Bytes(to+gap, usable))
	return c.redirect(to, shift), nil
}

// shrinkAligned moves an aligned chunk to a smaller one if it would waste much, and if there
// is memory for that.
func (c *Core) shrinkAligned(m Methods, p, whole uintptr, tag uint64, capacity, size uintptr) (uintptr, error) {
	align := uintptr(1) << shiftOf(p)
	if keepsPlace(capacity, min(outerSize(size, align), capacity)) {
		return p, nil
	}
	to, err := m.AllocAligned(c, size, align)
	if err != nil {
		return p, nil
	}
	Copy(to, p, size)
	chunk.SetHeader(p, c.Cookie^chunk.RedirectFreed)
	return to, m.Free(c, whole, tag)
}

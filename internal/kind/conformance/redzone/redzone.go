// Package redzone is an example of a kind: an AllocSet whose chunks have a red zone on
// either side, bytes that a correct program does not write to.
//
// It holds: chunks of an AllocSet, each with a chunk of the context's inside:
//
//	at                    holds
//	the AllocSet's chunk  nothing, up to align bytes
//	p-32                  the size of the chunk, a multiple of 8
//	p-24                  the front zone, 8 bytes
//	p-16                  the way back to the AllocSet's chunk, and the alignment
//	p-8                   the header, with a tag of the kind's own
//	p                     what the program has
//	p+size                the back zone, 8 bytes or more, up to the AllocSet's end
//
// Cannot: see a write into the rounding of a size, nor any before the chunk is freed.
//
// Choose it to learn how a kind is added. It is in no table but those of tests.
//
// Invariant: an AllocSet writes no more than three words at the beginning and one at the
// end of what is free, so that the header of a freed chunk stays until its memory is
// allocated again.
//
// Cost: 40 bytes a chunk.
package redzone

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Methods of the kind.
type Methods struct{}

// ID is the kind's. A node of the kind is opened each time, since Open hides what a
// reset leaves.
const ID = kind.NoClasses | kind.Reopens | 31

// below is the kind that it stands in front of.
var below allocset.Cold

const (
	front = 32 // bytes before a chunk, of which the zone is zone
	zone  = 8  // bytes of the smallest zone

	live  = chunk.Own // tags
	freed = chunk.Own + 1
)

var untouched = bytes.Repeat([]byte{0xa5}, 64)

func (Methods) Name() string { return "RedZone" }

func (Methods) Traits() kind.Traits {
	return kind.Traits{ShownAs: ID, Headers: true, Frees: true, Cached: true, Joins: true, Head: kind.BlockHeader}
}

func (Methods) Open(c *kind.Core) { below.Open(c) }

func (m Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return m.AllocAligned(c, size, chunk.Align)
}

func (Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	if size > kind.MaxChunk-1<<16 || align > kind.MaxChunk/2 {
		return 0, kind.TooLarge(max(size, align))
	}
	size = max(size+chunk.Align-1, chunk.Align) &^ (chunk.Align - 1)
	q, err := below.Alloc(c, front+size+zone+align-chunk.Align)
	if err != nil {
		return 0, err
	}
	p := (q + front + align - 1) &^ (align - 1)
	*word(p - 16) = uint64(p-q)<<8 | uint64(bits.TrailingZeros64(uint64(align)))
	chunk.SetHeader(p, c.Cookie^live)
	lay(c, p, q, size)
	return p, nil
}

// lay writes the size of the chunk at p and its zones, inside of the chunk at q.
func lay(c *kind.Core, p, q, size uintptr) {
	*word(p - 32) = uint64(size)
	for _, b := range zones(c, p, q, size) {
		for n := 0; n < len(b); {
			n += copy(b[n:], untouched)
		}
	}
}

// zones returns the bytes of both.
func zones(c *kind.Core, p, q, size uintptr) [2][]byte {
	end := q + below.Capacity(c, q, chunk.Header(q)^c.Cookie)
	return [2][]byte{osmem.Bytes(p-24, zone), osmem.Bytes(p+size, end-p-size)}
}

// find returns the chunk at p: its size, and the AllocSet's chunk around it.
func find(c *kind.Core, p uintptr, tag uint64) (size, q uintptr, err error) {
	if tag != live {
		return 0, 0, kind.TagFault(Methods{}, tag)
	}
	size, q = uintptr(*word(p - 32)), p-uintptr(*word(p - 16)>>8)
	if c.BlockOf(p) == nil || c.BlockOf(q) != c.BlockOf(p) || q > p-front {
		return 0, 0, kind.NotAChunk
	}
	if capacity := below.Capacity(c, q, chunk.Header(q)^c.Cookie); size+zone > capacity-(p-q) || p-q > capacity {
		return 0, 0, kind.Misuse(fmt.Sprintf("the size before the chunk was overwritten: it says %d bytes", size))
	}
	return size, q, nil
}

func (Methods) Free(c *kind.Core, p uintptr, tag uint64) error {
	size, q, err := find(c, p, tag)
	if err != nil {
		return err
	}
	for i, b := range zones(c, p, q, size) {
		for len(b) > 0 {
			n := min(len(b), len(untouched))
			if !bytes.Equal(b[:n], untouched[:n]) {
				return kind.Misuse(fmt.Sprintf("the bytes %s the chunk of %d bytes were overwritten", [2]string{"before", "behind"}[i], size))
			}
			b = b[n:]
		}
	}
	chunk.SetHeader(p, c.Cookie^freed)
	return below.Free(c, q, chunk.Header(q)^c.Cookie)
}

// Realloc leaves the chunk where it is when it fits.
func (m Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	if size > kind.MaxChunk {
		return 0, kind.TooLarge(size)
	}
	old, q, err := find(c, p, tag)
	if err != nil {
		return 0, err
	}
	whole := max(size+chunk.Align-1, chunk.Align) &^ (chunk.Align - 1)
	if p+whole+zone <= q+below.Capacity(c, q, chunk.Header(q)^c.Cookie) {
		lay(c, p, q, whole)
		return p, nil
	}
	to, err := m.AllocAligned(c, size, 1<<(*word(p - 16)&0xff))
	if err != nil {
		return 0, err
	}
	copy(osmem.Bytes(to, size), osmem.Bytes(p, min(old, size)))
	return to, m.Free(c, p, tag)
}

func (Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

func (Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	size, _, _ := find(c, p, tag)
	return size
}

func (Methods) SizeOf(c *kind.Core, tag uint64) uintptr { return below.SizeOf(c, tag) }

func (Methods) Freed(tag uint64) bool { return tag == freed || below.Freed(tag) }

func (Methods) Reset(c *kind.Core) { below.Reset(c) }

func (Methods) Compact(c *kind.Core) uintptr { return below.Compact(c) }

func (Methods) Stats(c *kind.Core, chunks bool) kind.Stats { return below.Stats(c, chunks) }

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) { below.Check(c, report) }

func (Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) { below.Layout(c, report) }

// word returns the word at an address of the kind's own.
func word(addr uintptr) *uint64 { return (*uint64)(osmem.At(addr)) }

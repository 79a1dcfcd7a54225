package checked

import (
	"bytes"

	"github.com/gopalloc/palloc/internal/osmem"
)

// The bytes with which memory is filled that a program must not use.
//
// Invariant: no two patterns are the same, so that a dump tells which memory was read.
//
// Cost: that of a copy, and of a compare.

// The patterns.
const (
	Zone  = 0x7e // around a chunk
	Fresh = 0xbd // in a chunk that was allocated and not written to
	Freed = 0xdf // in a chunk that was freed, or whose context was reset or deleted
)

// page is a page of one pattern.
type page [4096]byte

var zonePage, freshPage, freedPage = pageOf(Zone), pageOf(Fresh), pageOf(Freed)

func pageOf(pattern byte) *page {
	var all page
	copy(all[:], bytes.Repeat([]byte{pattern}, len(all)))
	return &all // on Go's heap
}

// fill fills n bytes at p with a pattern.
func fill(p, n uintptr, with *page) {
	for b := osmem.Bytes(p, n); len(b) > 0; {
		b = b[copy(b, with[:]):]
	}
}

// A span is some bytes of memory.
type span struct{ from, to uintptr }

// damage returns the first to the last of n bytes at p that differ from a pattern; the zero span
// if none does.
func damage(p, n uintptr, from *page) (d span) {
	for at, b := p, osmem.Bytes(p, n); len(b) > 0; {
		size := min(len(b), len(from))
		if !bytes.Equal(b[:size], from[:size]) {
			for i, v := range b[:size] {
				if v != from[0] {
					if d.to == 0 {
						d.from = at + uintptr(i)
					}
					d.to = at + uintptr(i) + 1
				}
			}
		}
		at, b = at+uintptr(size), b[size:]
	}
	return d
}

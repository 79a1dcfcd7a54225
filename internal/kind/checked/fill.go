package checked

import (
	"bytes"
	"encoding/binary"

	"github.com/gopalloc/palloc/internal/asan"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The bytes with which memory is filled that a program must not use.
//
// Invariant: memory in which no chunk was allocated yet, and that around chunks, has the pattern of
// what is allocated and not written to, so that it is written once for many chunks.
//
// In a build with -asan such memory is poisoned, so that the sanitizer reports an access at its
// instruction, a read, too. Its bytes are not verified. Code that the sanitizer does not see, as that
// which reads strings, finds the pattern in what was freed.
//
// Cost: that of a copy, and of a compare.

// The patterns.
const (
	Fresh = 0xbd // in a chunk that was allocated and not written to, and around chunks
	Freed = 0xdf // in a chunk that was freed, or whose context was reset or deleted
)

// page is a page of one pattern.
type page [4096]byte

var freshPage, freedPage = pageOf(Fresh), pageOf(Freed)

func pageOf(pattern byte) *page {
	var all page
	copy(all[:], bytes.Repeat([]byte{pattern}, len(all)))
	return &all // on Go's heap
}

// fill ends the use of n bytes at p. p+n is a multiple of 8.
func fill(p, n uintptr, with *page) {
	if with == freedPage || !asan.Enabled {
		asan.Unpoison(p, n)
		paint(p, n, with)
	}
	asan.Poison(p, n)
}

// paint writes a pattern to n bytes at p.
func paint(p, n uintptr, with *page) {
	for b := osmem.Bytes(p, n); len(b) > 0; {
		b = b[copy(b, with[:]):]
	}
}

// isFresh reports whether n bytes at p have the pattern Fresh. p+n is a multiple of 8.
func isFresh(p, n uintptr) bool {
	if n == 0 {
		return true
	}
	if asan.Enabled || n > 256 {
		return damage(p, n, freshPage).to == 0
	}
	at, end := p&^7, p+n
	if (*word(at)^freshWord)&fromByte[p&7] != 0 {
		return false
	}
	for at += 8; at < end; at += 8 {
		if *word(at) != freshWord {
			return false
		}
	}
	return true
}

// freshWord is a word of the pattern Fresh.
const freshWord = Fresh * 0x0101010101010101

// fromByte has, for each byte of a word, a mask of it and those behind it in memory.
var fromByte = func() (masks [8]uint64) {
	for i := range masks {
		var mask [8]byte
		for k := i; k < 8; k++ {
			mask[k] = 0xff
		}
		masks[i] = binary.NativeEndian.Uint64(mask[:])
	}
	return masks
}()

// A span is some bytes of memory.
type span struct{ from, to uintptr }

// damage returns the first to the last of n bytes at p that differ from a pattern; the zero span
// if none does.
func damage(p, n uintptr, from *page) (d span) {
	if asan.Enabled {
		return d // the sanitizer would have ended the program
	}
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

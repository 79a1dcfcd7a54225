package block

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// The block that an address is in, and whether memory there can be read.
//
// Invariant: no lock is taken. The bits of a block that stays acquired do not change;
// those of its neighbours may.
//
// Cost: one to ten loads.

// firstRegion has copies of two fields of the first region, for a hot path.
var firstRegion struct {
	base  uintptr // its base, and 8; written once, before any block is acquired
	words uintptr // words of 8 bytes that are committed, from base
}

// InFirstRegion reports whether addr is a multiple of 8 in the committed part of the
// first region: if so, it is Readable. If not, it may still be.
func InFirstRegion(addr uintptr) bool {
	return uintptr(bits.RotateLeft(uint(addr-firstRegion.base), -3)) < relaxed.Peek(&firstRegion.words)
}

// Readable reports whether addr is a multiple of 8 in committed memory of the page
// heap, and not its first word: the words at addr and before it can be read.
func Readable(addr uintptr) bool {
	r := regionOf(addr)
	return r != nil && addr%8 == 0 && addr != r.base
}

// Find returns the address at which the block begins that holds addr; false if there
// is none. If the block is being acquired or released meanwhile, either answer may be
// returned.
func Find(addr uintptr) (uintptr, bool) {
	r := regionOf(addr)
	if r == nil {
		return 0, false
	}
	off, ok := r.findStart(addr - r.base)
	return r.base + off, ok
}

// regionOf returns the region in whose committed part addr is, or nil.
func regionOf(addr uintptr) *region {
	for _, r := range regions() {
		if addr-r.base < r.frontier.Load() {
			return r
		}
	}
	return nil
}

// findStart returns the offset at which the block begins that holds offset off. It
// looks at the finest units first, where most blocks are: a page that is not in use
// has no bit set.
func (r *region) findStart(off uintptr) (uintptr, bool) {
	for l := 0; l <= r.top; l++ {
		shift := unitShift(l)
		i := off >> (shift + pageShift)
		if first, ok := r.levels[l].pages[i].runStart(uint(off>>shift) % unitsPerPage); ok {
			return (i<<pageShift + uintptr(first)) << shift, true
		}
	}
	return 0, false
}

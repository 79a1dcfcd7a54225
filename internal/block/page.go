package block

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// unitsPerPage is the number of units in a page: one for each bit of a word.
const unitsPerPage = 64

// page is the metadata of 64 units of one size, a bit for each.
//
// Invariant: units in start, split and cached are also in used. Eight units in split
// are one page of the next finer level. A block is the unit of one bit in start and
// the used units that follow, up to the next start, split or cached unit or gap.
//
// Cost: a few instructions to allocate or free a run, whatever is in the page.
type page struct {
	used   uint64 // not free
	start  uint64 // first unit of a block
	split  uint64 // cut into finer units: see the level below
	dirty  uint64 // written since the system gave the memory: resident, used or not
	part   uint64 // of the dirty units, those of which only parts are: see the level below
	cached uint64 // in a cached run, or being returned to the system: see cache.go, scavenge.go

	next, prev uint32 // neighbours in the free list, by page number plus one
	longest    uint32 // length of the longest free run: which free list it is in
	_          uint32 // keeps the words of the next page at multiples of 8
}

// load reads used, start, split or cached of a page, which Find does without the lock.
func load(w *uint64) uint64 { return relaxed.Load64(w) }

// store writes a word that load reads.
func store(w *uint64, v uint64) { relaxed.Store64(w, v) }

// set overwrites a page that is in no free list, word by word, since Find may be
// reading it.
func (p *page) set(to page) {
	store(&p.used, to.used)
	store(&p.start, to.start)
	store(&p.split, to.split)
	store(&p.cached, 0)
	p.dirty, p.part, p.longest, p.next, p.prev = to.dirty, to.part, to.longest, 0, 0
}

// mask returns n bits from bit u up, of a word. n is at least 1. To say that the shifts are
// below 64 spares the processor to look.
func mask(u, n uint) uint64 { return (^uint64(0) >> ((unitsPerPage - n) & 63)) << (u & 63) }

// anyUnit has the bits of all units of a page.
const anyUnit = ^uint64(0)

// alignedUnits returns the bits of the units whose number is a multiple of n, a power
// of two below 64.
func alignedUnits(n uint) uint64 { return anyUnit / (1<<n - 1) }

// firstRun returns the lowest unit of starts that begins a run of n set bits in free,
// or -1.
func firstRun(free uint64, n uint, starts uint64) int {
	for have := uint(1); have < n && free != 0; {
		step := min(have, n-have)
		free &= free >> step
		have += step
	}
	if free &= starts; free == 0 {
		return -1
	}
	return bits.TrailingZeros64(free)
}

// longestRun returns the length of the longest run of set bits in free. It searches
// from the largest power of two that fits downward.
func longestRun(free uint64) uint32 {
	if free == 0 {
		return 0
	}
	var runs [7]uint64 // runs[i]: where 1<<i set bits begin
	runs[0] = free
	top := 0
	for top < 6 {
		next := runs[top] & (runs[top] >> (1 << top))
		if next == 0 {
			break
		}
		top++
		runs[top] = next
	}
	have, at := uint32(1)<<top, runs[top]
	for i := top - 1; i >= 0; i-- {
		if longer := at & (runs[i] >> have); longer != 0 {
			at = longer
			have += 1 << i
		}
	}
	return have
}

// alloc marks n units as a block that begins at one of the units in starts, and
// returns its first unit. Runs that are resident come first.
func (p *page) alloc(n uint, starts uint64) uint {
	u := firstRun(^p.used&p.dirty, n, starts)
	if u < 0 {
		u = firstRun(^p.used, n, starts)
	}
	m := mask(uint(u), n)
	store(&p.start, p.start|1<<u)
	store(&p.used, p.used|m)
	p.longest = longestRun(^p.used)
	return uint(u)
}

// free marks n units as free.
func (p *page) free(u, n uint) {
	m := mask(u, n)
	store(&p.used, p.used&^m)
	store(&p.start, p.start&^m)
	store(&p.split, p.split&^m)
	p.longest = longestRun(^p.used)
}

// runStart returns the first unit of the block that holds unit u; false if u is free,
// split or cached. It takes no lock.
func (p *page) runStart(u uint) (uint, bool) {
	used, start, split, cached := load(&p.used), load(&p.start), load(&p.split), load(&p.cached)
	if used&^split&^cached&(1<<u) == 0 {
		return 0, false
	}
	before := start & mask(0, u+1)
	if before == 0 {
		return 0, false
	}
	return uint(bits.Len64(before)) - 1, true
}

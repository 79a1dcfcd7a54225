package block

import "math/bits"

// unitsPerPage is how many units a page is cut into: one for each bit of a word.
const unitsPerPage = 64

// page is the account of 64 units of one size, a bit for each.
//
// Invariant: start and split are parts of used; eight units that are split are a
// page of the next finer level; a run is one bit of start and the used bits from
// there up to the next start or gap.
//
// Cost: a few instructions for a purchase or a sale, whatever the page holds.
type page struct {
	used  uint64 // sold, or split into a page of finer units
	start uint64 // first unit of a sold run
	split uint64 // cut further: see the level below
	dirty uint64 // written since the system last had it: resident, used or not
	part  uint64 // of the dirty units, those that are so in part: see the level below
	rest  uint64 // of the used units, those of runs that rest: see rest.go

	next, prev uint32 // neighbours on the shelf, by page number plus one
	longest    uint32 // longest run of unused units: the shelf it stands on
	_          uint32 // keeps the words of the next page on multiples of 8
}

// mask has n bits from bit u up.
func mask(u, n uint) uint64 { return (^uint64(0) >> (unitsPerPage - n)) << u }

// firstRun is the lowest of the units in where that begins n set bits of free, or
// -1.
func firstRun(free uint64, n uint, where uint64) int {
	for have := uint(1); have < n && free != 0; {
		step := min(have, n-have)
		free &= free >> step
		have += step
	}
	if free &= where; free == 0 {
		return -1
	}
	return bits.TrailingZeros64(free)
}

// anywhere are all units of a page.
const anywhere = ^uint64(0)

// multiples are the units of a page whose number is a multiple of n, a power of
// two below 64.
func multiples(n uint) uint64 { return anywhere / (1<<n - 1) }

// longestRun is the length of the longest run of set bits in free: it halves
// its way down from the largest power of two that still fits.
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

// take marks n units as one sold run, beginning with one of where, and answers
// the first of them. Units that are already resident go first.
func (p *page) take(n uint, where uint64) uint {
	u := firstRun(^p.used&p.dirty, n, where)
	if u < 0 {
		u = firstRun(^p.used, n, where)
	}
	m := mask(uint(u), n)
	store(&p.start, p.start|1<<u)
	store(&p.used, p.used|m)
	p.longest = longestRun(^p.used)
	return uint(u)
}

// give marks a sold run as unused again.
func (p *page) give(u, n uint) {
	m := mask(u, n)
	store(&p.used, p.used&^m)
	store(&p.start, p.start&^m)
	store(&p.split, p.split&^m)
	p.longest = longestRun(^p.used)
}

// runAt is the first unit of the run that holds unit u; false when u is unused
// or split.
func (p *page) runAt(u uint) (uint, bool) {
	used, start, split, rest := load(&p.used), load(&p.start), load(&p.split), load(&p.rest)
	if used&^split&^rest&(1<<u) == 0 {
		return 0, false
	}
	before := start & mask(0, u+1)
	if before == 0 {
		return 0, false
	}
	return uint(bits.Len64(before)) - 1, true
}

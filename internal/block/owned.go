package block

import "math/bits"

// How much of a run is resident, by the accounts of its page and, where units are so
// in part, of the finer pages below.
//
// Invariant: of a run in somebody's hands nothing below it changes: it is counted with
// the lock let go. Only runs in nobody's hands count as retained.
//
// Cost: an instruction or two for a run that is resident as a whole or not at all. Else
// a step for each unit of the finer pages that is so in part.

// owned is how many bytes of a run in somebody's hands are resident, by what its page
// says. The lock may be let go meanwhile.
func (r *region) owned(l int, off uintptr, n uint) uintptr {
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	sum := uintptr(bits.OnesCount64(p.dirty&^p.part&m)) << unitShift(l)
	if parts := p.part & m; parts != 0 {
		i := r.pageNumber(l, off)
		warehouse.mu.Unlock()
		sum += r.inParts(l, i, parts)
		warehouse.mu.Lock()
	}
	return sum
}

// inParts is how many bytes of those units of page i of level l, which are resident in
// part, are so. It descends at most maxLevels deep.
func (r *region) inParts(l, i int, parts uint64) (sum uintptr) {
	for ; parts != 0; parts &= parts - 1 {
		unit := bits.TrailingZeros64(parts)
		below := i<<levelShift + unit/perPage
		p, m := &r.levels[l-1].pages[below], mask(uint(unit)%perPage*perPage, perPage)
		sum += uintptr(bits.OnesCount64(p.dirty&^p.part&m))<<unitShift(l-1) + r.inParts(l-1, below, p.part&m)
	}
	return sum
}

// soil notes that the first size bytes of a run were written to: it is about to be
// unused.
func (r *region) soil(l int, off, size uintptr) {
	p, u := r.pageOf(l, off)
	m := mask(u, units(l, size))
	p.dirty |= m
	p.part &^= m
	r.touched = max(r.touched, off+size)
}

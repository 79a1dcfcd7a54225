package block

import "math/bits"

// How many bytes of a run are resident, by the bits of its page and, where only parts
// of a unit are, of the finer pages below.
//
// Invariant: below a run that is in use, nothing changes: it is counted without the
// lock. Only runs that are not in use count as retained.
//
// Cost: an instruction or two for a run of whole units. Else a step for each unit of
// the finer pages of which only parts are resident.

// residentBytes returns how many bytes of a run in use are resident, by the bits of its
// page. It may release the lock meanwhile.
func (r *region) residentBytes(l int, off uintptr, n uint) uintptr {
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	sum := uintptr(bits.OnesCount64(p.dirty&^p.part&m)) << unitShift(l)
	if parts := p.part & m; parts != 0 {
		i := r.pageIndex(l, off)
		heap.mu.Unlock()
		sum += r.residentInParts(l, i, parts)
		heap.mu.Lock()
	}
	return sum
}

// residentInParts returns how many bytes are resident of those units of page i of level
// l of which only parts are. It recurses to a depth of at most maxLevels.
func (r *region) residentInParts(l, i int, parts uint64) (sum uintptr) {
	for ; parts != 0; parts &= parts - 1 {
		unit := bits.TrailingZeros64(parts)
		below := i<<levelShift + unit/unitsPerParent
		p, m := &r.levels[l-1].pages[below], mask(uint(unit)%unitsPerParent*unitsPerParent, unitsPerParent)
		sum += uintptr(bits.OnesCount64(p.dirty&^p.part&m))<<unitShift(l-1) + r.residentInParts(l-1, below, p.part&m)
	}
	return sum
}

// markDirty marks units of a run, which is about to be freed, as written. Until then the
// bits still tell whether the run was zero when it was acquired.
func (p *page) markDirty(units uint64) {
	p.dirty |= units
	p.part &^= units
}

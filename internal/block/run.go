package block

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/osmem"
)

// Runs of units in one region: allocating and freeing them, cutting units into pages
// of finer units, and coalescing such pages again. The lock is held.
//
// Invariant: of a page, whose units are all free, only that of the top level stays;
// others become free units of the level above.
//
// Cost: some tens of instructions, and as many again for each level that a unit is cut
// or a page coalesced on.

// maxUnits is the length of the longest run of a level. A larger one is allocated on
// the next, coarser level, so that single runs do not fill pages of 64 units. On all
// levels but the first a run has at least seven units.
const maxUnits = 48

// errFull is the error when a region has no such run; another one may.
var errFull = fmt.Errorf("%w: the region is full", osmem.ErrNoMemory)

// levelFor returns the level and the number of units of a run of size bytes; false if
// no level has units that large.
func levelFor(size uintptr) (l int, n uint, ok bool) {
	for ; l < maxLevels; l++ {
		units := (uint64(size) + 1<<unitShift(l) - 1) >> unitShift(l)
		if units <= maxUnits {
			return l, uint(units), true
		}
	}
	return 0, 0, false
}

// unitsIn returns the number of units of level l that size bytes take.
func unitsIn(l int, size uintptr) uint {
	return uint((size + 1<<unitShift(l) - 1) >> unitShift(l))
}

// allocFresh is like allocRun anywhere in the region, and commits the run.
func (r *region) allocFresh(l int, n uint, starts uint64) (uintptr, error) {
	off, err := r.allocRun(l, n, starts, r.size)
	if err != nil {
		return 0, err
	}
	if err := r.commit(off + uintptr(n)<<unitShift(l)); err != nil {
		r.freeRun(l, off, n)
		return 0, err
	}
	return off, nil
}

// allocRun allocates a run of n units of level l that ends at offset end or before and
// begins at one of the units in starts, and returns its offset. If there is no such
// run, eight units of the next level are cut into a page.
func (r *region) allocRun(l int, n uint, starts uint64, end uintptr) (uintptr, error) {
	if l > r.top {
		return 0, errFull
	}
	v := &r.levels[l]
	i, from := r.findPage(l, n, starts, end)
	if i < 0 && heap.runs > 0 {
		heap.flushCache()
		i, from = r.findPage(l, n, starts, end)
	}
	if i < 0 {
		var err error
		if i, err = r.newPage(l, end); err != nil {
			return 0, err
		}
		from = starts
	}
	p := &v.pages[i]
	v.remove(i)
	u := p.alloc(n, from)
	v.insert(i)
	return (uintptr(i)<<pageShift + uintptr(u)) << unitShift(l), nil
}

// freeRun frees the run of n units of level l at offset off. Pages that are empty then
// are coalesced into the level above. It returns the coarsest run that became free by
// it.
func (r *region) freeRun(l int, off uintptr, n uint) (int, uintptr, uint) {
	for {
		heap.steps++
		v := &r.levels[l]
		i := r.pageIndex(l, off)
		p, u := r.pageOf(l, off)
		v.remove(i)
		p.free(u, n)
		if p.used != 0 || l == r.top {
			v.insert(i)
			return l, off, n
		}
		r.coalesce(l, i)
		p.longest = 0
		l, off, n = l+1, uintptr(i)<<(unitShift(l)+pageShift), unitsPerParent
	}
}

// newPage cuts eight units of the level above, before offset end, into an empty page
// of level l, and returns its number.
func (r *region) newPage(l int, end uintptr) (int, error) {
	off, err := r.allocRun(l+1, unitsPerParent, alignedUnits(unitsPerParent), end)
	if err != nil {
		return 0, err
	}
	i := r.pageIndex(l, off)
	if err := r.commitMetadata(l, i); err != nil {
		r.freeRun(l+1, off, unitsPerParent)
		return 0, err
	}
	r.cut(l, i)
	return i, nil
}

// cut makes page i of level l, empty, from its eight units of the level above, which
// are used.
func (r *region) cut(l, i int) {
	parent, first := r.parent(l, i)
	p := page{longest: unitsPerPage}
	for u := range uint(unitsPerParent) {
		finer := mask(u*unitsPerParent, unitsPerParent)
		switch bit := uint64(1) << (first + u); {
		case parent.part&bit != 0: // the page still has the bits of when it was coalesced
			p.dirty |= r.levels[l].pages[i].dirty & finer
			p.part |= r.levels[l].pages[i].part & finer
		case parent.dirty&bit != 0:
			p.dirty |= finer
		}
	}
	r.levels[l].pages[i].set(p)
	store(&parent.split, parent.split|mask(first, unitsPerParent))
	r.levels[l].insert(i)
}

// coalesce sets the dirty and part bits of the eight units that page i of level l, which
// is empty, becomes in the level above.
func (r *region) coalesce(l, i int) {
	p := &r.levels[l].pages[i]
	parent, first := r.parent(l, i)
	parent.dirty &^= mask(first, unitsPerParent)
	parent.part &^= mask(first, unitsPerParent)
	for u := range uint(unitsPerParent) {
		finer, bit := mask(u*unitsPerParent, unitsPerParent), uint64(1)<<(first+u)
		if p.dirty&finer == 0 {
			continue
		}
		parent.dirty |= bit
		if p.dirty&finer != finer || p.part&finer != 0 {
			parent.part |= bit
		}
	}
}

// parent returns the page of the level above that has page i of level l, and the first
// of the eight units that it is there.
func (r *region) parent(l, i int) (*page, uint) {
	return &r.levels[l+1].pages[i>>levelShift], uint(i%unitsPerParent) * unitsPerParent
}

// pageOf returns the page of level l that has offset off, and the unit of it.
func (r *region) pageOf(l int, off uintptr) (*page, uint) {
	return &r.levels[l].pages[r.pageIndex(l, off)], uint(off>>unitShift(l)) % unitsPerPage
}

// pageIndex returns the number of the page of level l that has offset off.
func (r *region) pageIndex(l int, off uintptr) int {
	return int(off >> ((unitShift(l) + pageShift) & 63))
}

package block

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/osmem"
)

// mostUnits is the longest run a level sells; a larger one comes from the next,
// coarser level, so that pages of 64 units are not blocked by single runs. A run
// of a level but the first has seven units at least.
const mostUnits = 48

// errFull says that a region has no such run left; another one may have.
var errFull = fmt.Errorf("%w: the region is full", osmem.ErrNoMemory)

// plan is the level and the number of units for a purchase of size bytes; false
// when no level has units that large.
func plan(size uintptr) (l int, n uint, ok bool) {
	for ; l < maxLevels; l++ {
		units := (uint64(size) + 1<<unitShift(l) - 1) >> unitShift(l)
		if units <= mostUnits {
			return l, uint(units), true
		}
	}
	return 0, 0, false
}

// commit is buy of whatever the region has, and makes it usable.
func (r *region) commit(l int, n uint, where uint64) (uintptr, error) {
	off, err := r.buy(l, n, where, r.size)
	if err != nil {
		return 0, err
	}
	if err := r.open(off + uintptr(n)<<unitShift(l)); err != nil {
		r.sell(l, off, n)
		return 0, err
	}
	return off, nil
}

// buy takes a run of n units of level l that lies below end and begins at one of the
// units in where, and answers its offset. When there is no such run, eight units of
// the next level are split into a page.
func (r *region) buy(l int, n uint, where uint64, end uintptr) (uintptr, error) {
	if l > r.top {
		return 0, errFull
	}
	v := &r.levels[l]
	i, from := r.seek(l, n, where, end)
	if i < 0 && r.count > 0 {
		r.rouse()
		i, from = r.seek(l, n, where, end)
	}
	if i < 0 {
		var err error
		if i, err = r.split(l, end); err != nil {
			return 0, err
		}
		from = where
	}
	p := &v.pages[i]
	v.pull(i)
	u := p.take(n, from)
	v.put(i)
	return (uintptr(i)<<pageShift + uintptr(u)) << unitShift(l), nil
}

// split turns eight units of the level above, below end, into an empty page of level
// l.
func (r *region) split(l int, end uintptr) (int, error) {
	off, err := r.buy(l+1, perPage, multiples(perPage), end)
	if err != nil {
		return 0, err
	}
	i := r.pageNumber(l, off)
	if err := r.account(l, i); err != nil {
		r.sell(l+1, off, perPage)
		return 0, err
	}
	r.cut(l, i)
	return i, nil
}

// cut makes an empty page i of level l of the eight units of the level above, which
// are taken.
func (r *region) cut(l, i int) {
	above, first := r.above(l, i)
	p := page{longest: unitsPerPage}
	for u := range uint(perPage) {
		finer := mask(u*perPage, perPage)
		switch bit := uint64(1) << (first + u); {
		case above.part&bit != 0: // as it was left
			p.dirty |= r.levels[l].pages[i].dirty & finer
			p.part |= r.levels[l].pages[i].part & finer
		case above.dirty&bit != 0:
			p.dirty |= finer
		}
	}
	r.levels[l].pages[i].reset(p)
	store(&above.split, above.split|mask(first, perPage))
	r.levels[l].put(i)
}

// join is what the level above then knows of page i of level l, when that is
// empty and goes back: which of its eight units are dirty, and which in part.
func (r *region) join(l, i int) {
	p := &r.levels[l].pages[i]
	above, first := r.above(l, i)
	above.dirty &^= mask(first, perPage)
	above.part &^= mask(first, perPage)
	for u := range uint(perPage) {
		finer, bit := mask(u*perPage, perPage), uint64(1)<<(first+u)
		if p.dirty&finer == 0 {
			continue
		}
		above.dirty |= bit
		if p.dirty&finer != finer || p.part&finer != 0 {
			above.part |= bit
		}
	}
}

// above is the page of which page i of level l is eight units, and the first of
// them.
func (r *region) above(l, i int) (*page, uint) {
	return &r.levels[l+1].pages[i>>levelShift], uint(i%perPage) * perPage
}

// sell makes the run of n units of level l at offset off unused. Pages that are
// empty then go back to the level above. It answers the coarsest run that became
// unused by it.
func (r *region) sell(l int, off uintptr, n uint) (int, uintptr, uint) {
	for {
		warehouse.steps++
		v := &r.levels[l]
		i := r.pageNumber(l, off)
		p, u := r.pageOf(l, off)
		v.pull(i)
		p.give(u, n)
		if p.used != 0 || l == r.top {
			v.put(i)
			return l, off, n
		}
		r.join(l, i)
		p.longest = 0
		l, off, n = l+1, uintptr(i)<<(unitShift(l)+pageShift), perPage
	}
}

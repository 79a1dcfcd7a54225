package block

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/osmem"
)

// mostUnits is the longest run a level sells; a larger one comes from the next,
// coarser level, so that pages of 64 units are not blocked by single runs.
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

// purchase sells a run of n units of level l, committed, and answers its address.
func (r *region) purchase(l int, n uint) (uintptr, error) {
	off, err := r.buy(l, n)
	if err != nil {
		return 0, err
	}
	if err := r.open(off + uintptr(n)<<unitShift(l)); err != nil {
		r.sell(l, off, n)
		return 0, err
	}
	r.soil(l, off, n)
	return r.base + off, nil
}

// buy takes a run of n units of level l and answers its offset. When there is no
// such run, a unit of the next level is split into a page.
func (r *region) buy(l int, n uint) (uintptr, error) {
	if l > r.top {
		return 0, errFull
	}
	v := &r.levels[l]
	i := v.find(n)
	if i < 0 {
		var err error
		if i, err = r.split(l); err != nil {
			return 0, err
		}
	}
	p := &v.pages[i]
	v.pull(i)
	u := p.take(n)
	v.put(i)
	r.retained -= p.resident(u, n) << unitShift(l)
	return (uintptr(i)<<levelShift + uintptr(u)) << unitShift(l), nil
}

// split turns one unit of the level above into an empty page of level l.
func (r *region) split(l int) (int, error) {
	off, err := r.buy(l+1, 1)
	if err != nil {
		return 0, err
	}
	i := int(off >> unitShift(l+1))
	if err := r.account(l, i); err != nil {
		r.sell(l+1, off, 1)
		return 0, err
	}
	above, bit := r.above(l, i)
	p := page{longest: unitsPerPage}
	if above.dirty&bit != 0 {
		p.dirty = ^uint64(0)
		r.retained += 1 << unitShift(l+1)
	}
	r.levels[l].pages[i].reset(p)
	store(&above.split, above.split|bit)
	r.levels[l].put(i)
	return i, nil
}

// above is the page of which page i of level l is one unit, and that unit's bit.
func (r *region) above(l, i int) (*page, uint64) {
	return &r.levels[l+1].pages[i>>levelShift], 1 << (i % unitsPerPage)
}

// sell takes back the run of n units of level l at offset off. Pages that are
// empty then go back to the level above. It answers the coarsest run that
// became unused by it.
func (r *region) sell(l int, off uintptr, n uint) (int, uintptr, uint) {
	for {
		v := &r.levels[l]
		i := int(off >> (unitShift(l) + levelShift))
		u := uint(off>>unitShift(l)) % unitsPerPage
		p := &v.pages[i]
		v.pull(i)
		p.give(u, n)
		r.retained += p.resident(u, n) << unitShift(l)
		if p.used != 0 || l == r.top {
			v.put(i)
			return l, off, n
		}
		above, bit := r.above(l, i)
		above.dirty &^= bit
		if p.dirty != 0 {
			above.dirty |= bit
		}
		r.retained -= p.resident(0, unitsPerPage) << unitShift(l)
		p.longest = 0
		l, off, n = l+1, uintptr(i)<<unitShift(l+1), 1
	}
}

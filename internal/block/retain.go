package block

import "github.com/gopalloc/palloc/internal/osmem"

// What was sold back stays resident for the next buyer, within a bound: as much
// as was in use at the latest peak, and never less than retainLeast. Beyond it a
// run goes back to the system the moment it is sold back, and at the end of each
// period whatever lies above the bound by then. A service that swings between
// little and much thus keeps its swing, and one that shrank for good lets go
// after two periods of purchases.
const (
	retainLeast  = 64 << 20
	retainPeriod = 1 << 14 // purchases
)

// tide follows the bytes in use and their latest peaks.
type tide struct {
	sold      uintptr // bytes in the hands of buyers
	peak, old uintptr // highest sold in this period and in the one before
	purchases int     // in this period
	limit     uintptr // of the bound, plus one; 0: none was set
}

// bought counts a purchase and says whether it ends a period.
func (t *tide) bought(size uintptr) bool {
	t.sold += size
	t.peak = max(t.peak, t.sold)
	if t.purchases++; t.purchases < retainPeriod {
		return false
	}
	t.purchases, t.old, t.peak = 0, t.peak, t.sold
	return true
}

// bound is a little above the tide: fragments of a page of the system count as
// retained, and cannot be given back.
func (t *tide) bound() uintptr {
	most := max(retainLeast, t.peak, t.old)
	most += most >> 4
	if t.limit != 0 {
		return min(most, t.limit-1)
	}
	return most
}

// SetRetention limits the bound to so many bytes, and gives back what lies above.
// MostRetention and above is no limit.
func SetRetention(bytes uintptr) {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	warehouse.limit = bytes + 1
	if bytes >= MostRetention {
		warehouse.limit = 0
	}
	if retained() > warehouse.bound() {
		trim(warehouse.bound())
	}
}

// MostRetention is what no bound reaches.
const MostRetention = ^uintptr(0) >> 1

// release gives the memory of a run just sold back, and now unused, to the system.
// By the rule of the tide that is worth a call of the system for coarse units only;
// a limit is kept as far as whole pages of the system are in the run.
func (t *tide) release(r *region, l int, off uintptr, n uint) {
	grain := max(1, osmem.PageSize()>>unitShift(l))
	if grain > 1 && t.limit == 0 {
		return
	}
	_, u := r.pageOf(l, off)
	first, end := roundUp(uintptr(u), grain), uintptr(u+n)&^(grain-1)
	if first < end {
		r.discard(l, off+(first-uintptr(u))<<unitShift(l), uint(end-first))
	}
}

// soil notes that the n units of a run will be written.
func (r *region) soil(l int, off uintptr, n uint) {
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	p.dirty |= m
	p.part &^= m
}

// discard gives the memory of n unused units back to the system.
func (r *region) discard(l int, off uintptr, n uint) {
	osmem.Current().Discard(r.base+off, uintptr(n)<<unitShift(l))
	p, u := r.pageOf(l, off)
	r.retained -= r.resident(l, r.pageNumber(l, off), u, n)
	p.dirty &^= mask(u, n)
	p.part &^= mask(u, n)
}

// trim gives back resident unused units below page i of level l until the region
// retains no more than keep bytes. It descends at most maxLevels deep.
func (r *region) trim(l, i int, keep uintptr) {
	p := &r.levels[l].pages[i]
	r.trimUnits(l, i, p, keep)
	if l == 0 {
		return
	}
	for u := range uint(perPage) {
		if p.split&mask(u*perPage, perPage) != 0 && r.retained > keep {
			r.trim(l-1, i<<levelShift+int(u), keep)
		}
	}
}

// trimUnits discards the unused resident units of one page, as far as they fill
// pages of the system.
func (r *region) trimUnits(l, i int, p *page, keep uintptr) {
	grain := max(1, osmem.PageSize()>>unitShift(l))
	if grain > unitsPerPage {
		return // a page of the system is larger than all of this one
	}
	for u := uintptr(0); u < unitsPerPage && r.retained > keep; u += grain {
		m := mask(uint(u), uint(grain))
		if p.used&m == 0 && p.dirty&m != 0 {
			r.discard(l, (uintptr(i)<<pageShift+u)<<unitShift(l), uint(grain))
		}
	}
}

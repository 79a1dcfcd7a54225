package block

import "math/bits"

// Steps is how many pages were ever looked at under the lock.
func Steps() uint64 {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	return warehouse.steps
}

// MaxSteps is what a slice may look at, with what it sorts in and puts back.
const MaxSteps = mostSteps + (mostResting+1)*maxLevels

// Slices has Trim's slices made one by one, and answers how many pages each looked
// at, at the most.
func Slices(keep uintptr) (most uint64, slices int) {
	for w, more := (walk{}), true; more; slices++ {
		before := Steps()
		_, more = w.slice(func() uintptr { return keep })
		most = max(most, Steps()-before)
	}
	return most, slices
}

// Audit counts again what is retained, page by page, and answers both figures. It
// panics where a page is empty and was not joined. Nobody may buy, sell or trim
// meanwhile.
func Audit() (said, found uintptr) {
	for _, r := range regions() {
		said += r.retained
		found += r.audit(r.top, 0)
	}
	return said, found
}

func (r *region) audit(l, i int) (sum uintptr) {
	p := &r.levels[l].pages[i]
	if p.used == 0 && l < r.top {
		panic("an empty page was not joined")
	}
	idle := p.dirty & (^p.used | p.rest)
	sum = uintptr(bits.OnesCount64(idle&^p.part))<<unitShift(l) + r.inParts(l, i, idle&p.part)
	for u := range perPage {
		if p.split&mask(uint(u)*perPage, perPage) != 0 {
			sum += r.audit(l-1, i<<levelShift+u)
		}
	}
	return sum
}

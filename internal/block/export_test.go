package block

import "math/bits"

// Steps returns how many pages were ever looked at under the lock.
func Steps() uint64 {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	return heap.steps
}

// Scavenging reports whether a goroutine returns memory at the end of a period.
func Scavenging() bool {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	return heap.running
}

// MaxSteps is how many pages a slice may look at, with the cached runs that it frees and
// the run that it returns.
const MaxSteps = maxSteps + (maxCached+1)*maxLevels

// Slices makes the slices of TrimTo one by one. It returns the maximum number of pages
// that one of them looked at, and the number of slices.
func Slices(keep uintptr) (pages uint64, slices int) {
	for w, more := (walk{}), true; more; slices++ {
		before := Steps()
		_, more = w.slice(func() uintptr { return keep })
		pages = max(pages, Steps()-before)
	}
	return pages, slices
}

// Audit counts the retained bytes page by page, and returns the figure of the page heap
// and its own. It panics where an empty page was not coalesced. No other goroutine may
// acquire, release or trim meanwhile.
func Audit() (recorded, found uintptr) {
	recorded = heap.retained
	for _, r := range regions() {
		found += r.audit(r.top, 0)
	}
	return recorded, found
}

func (r *region) audit(l, i int) (sum uintptr) {
	p := &r.levels[l].pages[i]
	if p.used == 0 && l < r.top {
		panic("an empty page was not coalesced")
	}
	resident := p.dirty & (^p.used | p.cached)
	sum = uintptr(bits.OnesCount64(resident&^p.part))<<unitShift(l) + r.residentInParts(l, i, resident&p.part)
	for u := range unitsPerParent {
		if p.split&mask(uint(u)*unitsPerParent, unitsPerParent) != 0 {
			sum += r.audit(l-1, i<<levelShift+u)
		}
	}
	return sum
}

package block

import (
	"math/bits"
	"runtime"
	"sync"

	"github.com/gopalloc/palloc/internal/osmem"
)

// Scavenging: free memory is returned to the system, in slices. A walk through the
// regions, by address, takes a free run off the free lists, releases the lock while the
// system works, and frees the run again, now not resident.
//
// Invariant: a run that is being returned is marked as a cached run is, so that no
// request gets it and Find does not find it. It counts as retained until the system has
// it. Where the system refuses, it stays resident. A walk only goes forward.
//
// Cost: a system call for each run, without the lock. The lock is held for at most
// maxSteps pages at a time, and those that freeing the cached runs of a region takes.
const (
	maxSteps   = 256
	maxDiscard = 64 << 20 // bytes for one system call
	minCut     = 1 << 20  // a free unit that is larger than this and than what is to be returned is cut
)

// scavenger is the state of returning memory to the system.
type scavenger struct {
	started, finished uint64    // runs whose return ever began, and ended
	done              sync.Cond // signals that finished has changed
	steps             uint64    // pages looked at under the lock, ever
	due, running      bool      // a period has ended with too much retained; scavengeWhileDue is running
}

func init() { heap.done.L = &heap.mu }

// scavenge returns free memory to the system until no more than keep returns is
// retained, and returns how many bytes that were. keep is called with the lock held.
func scavenge(keep func() uintptr) (returned uintptr) {
	if !osmem.Current().DiscardFrees() {
		return 0
	}
	for w, more := (walk{}), true; more; {
		var n uintptr
		n, more = w.slice(keep)
		returned += n
	}
	heap.mu.Lock()
	for started := heap.started; heap.finished < started; { // by other goroutines
		heap.done.Wait()
	}
	heap.mu.Unlock()
	return returned
}

// scavengeWhileDue returns to the system what is above the bound, once, and again for
// each period that ends meanwhile. It runs in a goroutine of its own.
func scavengeWhileDue() {
	for {
		heap.mu.Lock()
		if !heap.due {
			heap.running = false
			heap.mu.Unlock()
			return
		}
		heap.due = false
		heap.mu.Unlock()
		scavenge(currentBound)
	}
}

// walk is a position in the regions.
type walk struct {
	region int
	off    uintptr
}

// slice returns one run to the system, or looks at some pages and finds none. It
// returns how many bytes the run had, and whether there is more to do.
func (w *walk) slice(keep func() uintptr) (returned uintptr, more bool) {
	heap.mu.Lock()
	all, have, limit := regions(), heap.retained, keep()
	if have <= limit || w.region == len(all) {
		heap.mu.Unlock()
		return 0, false
	}
	r := all[w.region]
	if w.off == 0 {
		heap.flushCache()
	}
	l, off, n := r.nextResident(&w.off, have-limit)
	if n > 0 {
		returned = r.discard(l, off, n)
	} else if w.off >= r.frontier.Load() {
		*w = walk{region: w.region + 1}
	}
	heap.mu.Unlock()
	if n == 0 {
		runtime.Gosched() // goroutines that wait for the lock come first
	}
	return returned, true
}

// nextResident returns the first run from offset *at on that is free, resident at both
// ends and whole pages of the system; of a longer run it returns about size bytes. It
// cuts a coarse unit for that, which is coalesced when the run is freed again. It moves
// *at behind what it has seen, and returns no units if it has seen none in maxSteps
// pages.
func (r *region) nextResident(at *uintptr, size uintptr) (l int, off uintptr, n uint) {
	cut := false // a unit with a resident part was just cut: the run is near
	for last := heap.steps + maxSteps; cut || *at < r.frontier.Load() && heap.steps < last; {
		l = r.top
		p, u := r.pageOf(l, *at)
		for ; p.split&(1<<u) != 0; p, u = r.pageOf(l, *at) {
			heap.steps++
			l--
		}
		heap.steps++
		page := *at >> (unitShift(l) + pageShift) << pageShift
		from, n, next := p.freeResident(u, unitsPerOSPage(l), discardUnits(l, size))
		if cut && n == 0 { // what is resident of the unit that was cut is before *at: a discard was refused
			r.freeRun(l, page<<unitShift(l), unitsPerPage)
		}
		large := n > 0 && uintptr(1)<<unitShift(l) > max(min(size, maxDiscard), minCut)
		if cut = large && r.cutFree(l, int(page>>pageShift), from); cut {
			*at = max(*at, (page+uintptr(from))<<unitShift(l)) // which is inside of the unit after a refusal
			continue
		}
		*at = r.size // the offset of the next unit may not fit into a word
		if page+uintptr(next) < r.size>>unitShift(l) {
			*at = (page + uintptr(next)) << unitShift(l)
		}
		if n > 0 {
			return l, (page + uintptr(from)) << unitShift(l), n
		}
	}
	return 0, 0, 0
}

// unitsPerOSPage returns the number of units of level l in a page of the system, at
// least 1. It may be more than unitsPerPage.
func unitsPerOSPage(l int) uint { return uint(max(1, osmem.PageSize()>>unitShift(l))) }

// discardUnits returns the maximum number of units of level l for one system call when
// size bytes are to be returned.
func discardUnits(l int, size uintptr) uint {
	return uint(max(1, (min(size, maxDiscard)+1<<unitShift(l)-1)>>unitShift(l)))
}

// cutFree cuts unit u of page i of level l and its neighbours, eight in all, into an
// empty page, if all of them are free.
func (r *region) cutFree(l, i int, u uint) bool {
	v, m := &r.levels[l], mask(u&^(unitsPerParent-1), unitsPerParent)
	p := &v.pages[i]
	if p.used&m != 0 {
		return false
	}
	v.remove(i)
	store(&p.split, p.split|m) // before used, so that Find takes them for no block
	store(&p.used, p.used|m)
	p.longest = longestRun(^p.used)
	v.insert(i)
	r.cut(l-1, i<<levelShift+int(u/unitsPerParent))
	return true
}

// freeResident returns the first run of free units, from unit u on, that is resident at
// both ends, begins and ends at multiples of align and has about limit units at most;
// and the unit to go on at: one that is split, or the one behind the run.
func (p *page) freeResident(u, align, limit uint) (from, n, next uint) {
	split := min(unitsPerPage, u+uint(bits.TrailingZeros64(p.split>>u)))
	if align > unitsPerPage || ^p.used&p.dirty&(anyUnit<<u) == 0 {
		return 0, 0, split
	}
	for at := (u + align - 1) &^ (align - 1); at < split; at += align {
		m := mask(at, align)
		if p.used&m != 0 || n >= limit {
			if n > 0 {
				return from, n, from + n
			}
			continue
		}
		if p.dirty&m != 0 {
			if n == 0 {
				from = at
			}
			n = at + align - from
		}
	}
	if n > 0 {
		return from, n, from + n
	}
	return 0, 0, split
}

// discardFreed returns a run that was just freed to the system. Units smaller than a
// page of the system are worth a system call only if SetRetention has set a limit; then
// the whole pages in the run are returned.
func (r *region) discardFreed(l int, off uintptr, n uint) {
	align := uintptr(unitsPerOSPage(l))
	if align > 1 && heap.limit == 0 {
		return
	}
	_, u := r.pageOf(l, off)
	first, end := alignUp(uintptr(u), align), uintptr(u+n)&^(align-1)
	if first < end {
		r.discard(l, off+(first-uintptr(u))<<unitShift(l), uint(end-first))
	}
}

// discard returns the memory of n free units to the system, and returns how many bytes
// that were: 0 if the system refuses. The lock is held, and released meanwhile.
func (r *region) discard(l int, off uintptr, n uint) (returned uintptr) {
	size := min(off+uintptr(n)<<unitShift(l), r.frontier.Load()) - off
	whole, parts := r.beginDiscard(l, off, n)
	r.touched = max(r.touched, off+size) // the system may leave any content
	heap.mu.Unlock()
	panicked := true
	defer func() {
		if panicked { // the source did: the run is not lost, and the lock is not held
			heap.mu.Lock()
			r.endDiscard(l, off, n)
			heap.mu.Unlock()
		}
	}()
	err := osmem.Current().Discard(r.base+off, size)
	panicked = false
	if err == nil {
		returned = whole + r.residentInParts(l, r.pageIndex(l, off), parts)
	}
	heap.mu.Lock()
	if err == nil {
		p, u := r.pageOf(l, off)
		p.dirty &^= mask(u, n)
		p.part &^= mask(u, n)
		heap.retained -= returned
	}
	r.endDiscard(l, off, n)
	return returned
}

// beginDiscard takes n free units off the free lists. It returns how many bytes of them
// are in units that are resident as a whole, and the units of which only parts are.
func (r *region) beginDiscard(l int, off uintptr, n uint) (whole uintptr, parts uint64) {
	v, i := &r.levels[l], r.pageIndex(l, off)
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	v.remove(i)
	store(&p.cached, p.cached|m) // before used, so that Find takes them for no block
	store(&p.used, p.used|m)
	p.longest = longestRun(^p.used)
	v.insert(i)
	heap.started++
	return uintptr(bits.OnesCount64(p.dirty&^p.part&m)) << unitShift(l), p.part & m
}

// endDiscard frees the units that beginDiscard took.
func (r *region) endDiscard(l int, off uintptr, n uint) {
	p, u := r.pageOf(l, off)
	store(&p.used, p.used&^mask(u, n))
	store(&p.cached, p.cached&^mask(u, n))
	r.freeRun(l, off, n)
	heap.finished++
	heap.done.Broadcast()
}

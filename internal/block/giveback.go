package block

import (
	"math/bits"
	"runtime"
	"sync"

	"github.com/gopalloc/palloc/internal/osmem"
)

// Memory that goes back to the system, in slices: a walk through the regions, by
// address, takes a run of unused units off the free ones, lets go of the lock while the
// system works, and puts the run back, empty.
//
// Invariant: a run on its way is used and at rest by the account of its page, so that
// nobody gets it or finds it; it counts as retained until the system has it. Where the
// system refuses, it stays resident. A walk only ever goes forward.
//
// Cost: a system call for each run, made with no lock held. The lock is held for at
// most mostSteps pages at a time, and those that sort in what rests in a region.
const (
	mostSteps = 256
	mostCall  = 64 << 20 // bytes for one system call
	leastCut  = 1 << 20  // a unit above what is to go back is cut, if it is larger than that
)

// returns are the runs on their way back to the system.
type returns struct {
	launched, landed uint64 // runs that ever were on their way, and those that arrived
	landing          sync.Cond
	steps            uint64 // pages looked at under the lock, ever
	due, underway    bool   // a period has ended with too much retained; giveBackDue is at work
}

func init() { warehouse.landing.L = &warehouse.mu }

// giveBack gives unused memory back until no more than keep answers, under the lock,
// is retained, and answers how many bytes that were.
func giveBack(keep func() uintptr) (given uintptr) {
	if !osmem.Current().DiscardFrees() {
		return 0
	}
	for w, more := (walk{}), true; more; {
		var n uintptr
		n, more = w.slice(keep)
		given += n
	}
	warehouse.mu.Lock()
	for until := warehouse.launched; warehouse.landed < until; {
		warehouse.landing.Wait()
	}
	warehouse.mu.Unlock()
	return given
}

// giveBackDue gives back what lies above the bound, as often as a period ends
// meanwhile: it is a goroutine of its own.
func giveBackDue() {
	for {
		warehouse.mu.Lock()
		if !warehouse.due {
			warehouse.underway = false
			warehouse.mu.Unlock()
			return
		}
		warehouse.due = false
		warehouse.mu.Unlock()
		giveBack(theBound)
	}
}

func nothing() uintptr  { return 0 }
func theBound() uintptr { return warehouse.bound() }

// walk is where to go on: an offset in one of the regions.
type walk struct {
	region int
	off    uintptr
}

// slice gives one run back, or looks at some pages in vain. It says whether there is
// more to do.
func (w *walk) slice(keep func() uintptr) (given uintptr, more bool) {
	warehouse.mu.Lock()
	all, kept, most := regions(), retained(), keep()
	if kept <= most || w.region == len(all) {
		warehouse.mu.Unlock()
		return 0, false
	}
	r := all[w.region]
	if w.off == 0 {
		r.rouse()
	}
	l, off, n := r.look(&w.off, kept-most)
	if n > 0 {
		given = r.empty(l, off, n)
	} else if w.off >= r.frontier.Load() {
		*w = walk{region: w.region + 1}
	}
	warehouse.mu.Unlock()
	if n == 0 {
		runtime.Gosched() // whoever waits for the lock comes first
	}
	return given, true
}

// look is the first run from offset *at on that is unused, resident at both ends and
// fills pages of the system: of about most bytes, if it has more. A coarse unit is cut
// up for that, and whole again once the run is back. It moves *at behind what it saw,
// and answers no units when it saw none in mostSteps pages.
func (r *region) look(at *uintptr, most uintptr) (l int, off uintptr, n uint) {
	cut := false // something in what was cut up is resident: the run is near
	for last := warehouse.steps + mostSteps; cut || *at < r.frontier.Load() && warehouse.steps < last; {
		l = r.top
		p, u := r.pageOf(l, *at)
		for ; p.split&(1<<u) != 0; p, u = r.pageOf(l, *at) {
			warehouse.steps++
			l--
		}
		warehouse.steps++
		page := *at >> (unitShift(l) + pageShift) << pageShift
		from, n, next := p.unused(u, grain(l), upTo(l, most))
		large := n > 0 && uintptr(1)<<unitShift(l) > max(min(most, mostCall), leastCut)
		if cut = large && r.cutUp(l, int(page>>pageShift), from); cut {
			*at = (page + uintptr(from)) << unitShift(l)
			continue
		}
		*at = r.size // what lies behind may be no number any more
		if page+uintptr(next) < r.size>>unitShift(l) {
			*at = (page + uintptr(next)) << unitShift(l)
		}
		if n > 0 {
			return l, (page + uintptr(from)) << unitShift(l), n
		}
	}
	return 0, 0, 0
}

// grain is how many units of level l fill a page of the system: more than there are
// in one of ours, maybe.
func grain(l int) uint { return uint(max(1, osmem.PageSize()>>unitShift(l))) }

// upTo is how many units of level l go back at once at the most, of about most bytes.
func upTo(l int, most uintptr) uint {
	return uint(max(1, (min(most, mostCall)+1<<unitShift(l)-1)>>unitShift(l)))
}

// cutUp makes an empty page of unit u of page i of level l and its neighbours, if all of
// them are unused.
func (r *region) cutUp(l, i int, u uint) bool {
	v, m := &r.levels[l], mask(u&^(perPage-1), perPage)
	p := &v.pages[i]
	if p.used&m != 0 {
		return false
	}
	v.pull(i)
	store(&p.split, p.split|m) // before it is used: nobody finds it
	store(&p.used, p.used|m)
	p.longest = longestRun(^p.used)
	v.put(i)
	r.cut(l-1, i<<levelShift+int(u/perPage))
	return true
}

// unused is the first run of unused units from unit u on that is resident at both ends,
// begins and ends on multiples of grain and has no more than most units, or little
// more; and where to look on: at a unit that is split, or behind the run.
func (p *page) unused(u, grain, most uint) (from, n, next uint) {
	split := min(unitsPerPage, u+uint(bits.TrailingZeros64(p.split>>u)))
	if grain > unitsPerPage || ^p.used&p.dirty&(anywhere<<u) == 0 {
		return 0, 0, split
	}
	for at := (u + grain - 1) &^ (grain - 1); at < split; at += grain {
		m := mask(at, grain)
		if p.used&m != 0 || n >= most {
			if n > 0 {
				return from, n, from + n
			}
			continue
		}
		if p.dirty&m != 0 {
			if n == 0 {
				from = at
			}
			n = at + grain - from
		}
	}
	if n > 0 {
		return from, n, from + n
	}
	return 0, 0, split
}

// release gives the memory of a run just freed, and now unused, to the system.
// By the rule of the tide that is worth a call of the system for coarse units only;
// a limit is kept as far as whole pages of the system are in the run.
func (r *region) release(l int, off uintptr, n uint) {
	grain := uintptr(grain(l))
	if grain > 1 && warehouse.limit == 0 {
		return
	}
	_, u := r.pageOf(l, off)
	first, end := roundUp(uintptr(u), grain), uintptr(u+n)&^(grain-1)
	if first < end {
		r.empty(l, off+(first-uintptr(u))<<unitShift(l), uint(end-first))
	}
}

// empty gives the memory of n unused units to the system, with the lock let go, and
// answers how many bytes that were.
func (r *region) empty(l int, off uintptr, n uint) (given uintptr) {
	size := min(off+uintptr(n)<<unitShift(l), r.frontier.Load()) - off
	whole, parts := r.launch(l, off, n)
	r.touched = max(r.touched, off+size) // the system may leave anything there
	warehouse.mu.Unlock()
	panics := true
	defer func() {
		if panics { // the maker: nobody finds the lock held, nor the run lost
			warehouse.mu.Lock()
			r.land(l, off, n)
			warehouse.mu.Unlock()
		}
	}()
	err := osmem.Current().Discard(r.base+off, size)
	panics = false
	if err == nil {
		given = whole + r.inParts(l, r.pageNumber(l, off), parts)
	}
	warehouse.mu.Lock()
	if err == nil {
		p, u := r.pageOf(l, off)
		p.dirty &^= mask(u, n)
		p.part &^= mask(u, n)
		r.retained -= given
	}
	r.land(l, off, n)
	return given
}

// launch takes n unused units off the free ones. It answers how many bytes of them are in
// units that are resident as a whole, and the units that are so in part.
func (r *region) launch(l int, off uintptr, n uint) (whole uintptr, parts uint64) {
	v, i := &r.levels[l], r.pageNumber(l, off)
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	v.pull(i)
	store(&p.rest, p.rest|m) // before it is used: nobody finds it
	store(&p.used, p.used|m)
	p.longest = longestRun(^p.used)
	v.put(i)
	warehouse.launched++
	return uintptr(bits.OnesCount64(p.dirty&^p.part&m)) << unitShift(l), p.part & m
}

// land puts back what launch took.
func (r *region) land(l int, off uintptr, n uint) {
	p, u := r.pageOf(l, off)
	store(&p.used, p.used&^mask(u, n))
	store(&p.rest, p.rest&^mask(u, n))
	r.sell(l, off, n)
	warehouse.landed++
	warehouse.landing.Broadcast()
}

package block

// Runs at rest: of each length the one that was sold back last is laid aside for
// the next buyer, who is likely to want the same, instead of being sorted in.
//
// Invariant: a run at rest is used by the account of its page, so that nobody else
// gets it, but begins no block and is found by no one; it counts as retained. When
// a purchase would split a coarser unit, all runs at rest are sorted in first.
//
// Cost: a purchase or a sale of such a run is a few words; 2 KiB a region. To sort all
// in takes mostResting sales at most. Runs above 6 MiB do not rest: a half-used page would stay the tightest, and what was
// never used in it be taken before what is resident elsewhere.
const (
	restLevels  = 4
	mostResting = 32
)

// resting has the offset of the run at rest by level and length, plus one.
type resting struct {
	runs  [restLevels][mostUnits + 1]uintptr
	count int
}

// lay lays a run that is sold back aside. It says false, and does nothing, when
// another of its length rests, when enough do, or when the run is resident in part.
func (r *region) lay(l int, off uintptr, n uint) bool {
	if l >= restLevels || r.runs[l][n] != 0 || r.count == mostResting {
		return false
	}
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	if p.part&m != 0 {
		return false
	}
	r.runs[l][n] = off + 1
	r.count++
	store(&p.rest, p.rest|m)
	store(&p.start, p.start&^m)
	return true
}

// wake takes the run at rest, if there is one that begins with one of where.
func (r *region) wake(l int, n uint, where uint64) (off uintptr, ok bool) {
	if l >= restLevels || r.runs[l][n] == 0 {
		return 0, false
	}
	off = r.runs[l][n] - 1
	p, u := r.pageOf(l, off)
	if where&(1<<u) == 0 {
		return 0, false
	}
	r.runs[l][n] = 0
	r.count--
	store(&p.start, p.start|1<<u)
	store(&p.rest, p.rest&^mask(u, n))
	return off, true
}

// rouse sorts all runs at rest in.
func (r *region) rouse() {
	for l := 0; l < restLevels && r.count > 0; l++ {
		for n := range uint(mostUnits + 1) {
			if off, ok := r.wake(l, n, anywhere); ok {
				r.sell(l, off, n)
			}
		}
	}
}

// pageOf is the page of a unit of level l, and the unit's number in it.
func (r *region) pageOf(l int, off uintptr) (*page, uint) {
	return &r.levels[l].pages[r.pageNumber(l, off)], uint(off>>unitShift(l)) % unitsPerPage
}

func (r *region) pageNumber(l int, off uintptr) int { return int(off >> (unitShift(l) + pageShift)) }

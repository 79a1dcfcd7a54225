package block

import "github.com/gopalloc/palloc/internal/relaxed"

// The three words of a page that Find reads while others buy and sell. Whoever
// asks about a run that is sold, and stays sold, reads bits that do not change;
// bits of its neighbours may.
func load(w *uint64) uint64     { return relaxed.Load64(w) }
func store(w *uint64, v uint64) { relaxed.Store64(w, v) }

// reset makes a page anew, word by word, since strangers may be looking at it.
func (p *page) reset(to page) {
	store(&p.used, to.used)
	store(&p.start, to.start)
	store(&p.split, to.split)
	store(&p.rest, 0)
	p.dirty, p.part, p.longest, p.next, p.prev = to.dirty, to.part, to.longest, 0, 0
}

// find is the offset at which the sold run begins that holds offset off. It
// looks at the finest units first, where most blocks are: a page that is not in
// use has no bit set.
func (r *region) find(off uintptr) (uintptr, bool) {
	for l := 0; l <= r.top; l++ {
		shift := unitShift(l)
		i := off >> (shift + pageShift)
		if first, ok := r.levels[l].pages[i].runAt(uint(off>>shift) % unitsPerPage); ok {
			return (i<<pageShift + uintptr(first)) << shift, true
		}
	}
	return 0, false
}

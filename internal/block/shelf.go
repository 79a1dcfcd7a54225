package block

import "math/bits"

// shelf sorts the pages of one level by their longest run of unused units, so
// that the tightest page for a purchase is found at once.
//
// Invariant: a page with any unused unit stands on the list of its longest run,
// full pages on none; a bit of stocked is set where the list is not empty.
//
// Cost: constant, whatever the number of pages.
type shelf struct {
	pages   []page
	heads   [unitsPerPage + 1]uint32 // by longest run; page number plus one
	stocked uint64                   // bit n-1: heads[n] is not empty
}

// mostProbes is how many pages are looked at for a run that must begin at some
// units only.
const mostProbes = 32

// seek is a page of level l with n unused units in a row that lie below end and begin
// with one of where, and which of where those are; -1 when there is none. The tightest
// is taken that is seen in a few looks, or else one where any run must do.
func (r *region) seek(l int, n uint, where uint64, end uintptr) (int, uint64) {
	s := &r.levels[l].shelf
	i := s.fitting(n)
	for looks := 1; i >= 0; looks++ {
		warehouse.steps++
		from := where & r.below(l, i, n, end)
		if firstRun(^s.pages[i].used, n, from) >= 0 {
			return i, from
		}
		if looks == mostProbes {
			i = s.fitting(max(2*n-1, uint(s.pages[i].longest)))
			continue
		}
		i = s.next(i)
	}
	return -1, 0
}

// below is where n units of page i of level l begin that end at offset end at the
// latest: of all pages in use only one has fewer than all.
func (r *region) below(l, i int, n uint, end uintptr) uint64 {
	first, last := uintptr(i)<<pageShift, end>>unitShift(l)
	switch {
	case first+unitsPerPage <= last:
		return anywhere
	case first+uintptr(n) > last:
		return 0
	}
	return mask(0, uint(last-first)-n+1)
}

// next is the page after i in the order of tightness, or -1.
func (s *shelf) next(i int) int {
	if p := &s.pages[i]; p.next != 0 {
		return int(p.next) - 1
	}
	return s.fitting(uint(s.pages[i].longest) + 1)
}

// fitting is the tightest page with n unused units in a row, or -1.
func (s *shelf) fitting(n uint) int {
	if n > unitsPerPage {
		return -1
	}
	fit := s.stocked &^ mask(0, n-1)
	if fit == 0 {
		return -1
	}
	return int(s.heads[bits.TrailingZeros64(fit)+1]) - 1
}

// put shows page i on the list of its longest run.
func (s *shelf) put(i int) {
	p := &s.pages[i]
	n := p.longest
	if n == 0 {
		return
	}
	head := s.heads[n]
	p.prev, p.next = 0, head
	if head != 0 {
		s.pages[head-1].prev = uint32(i + 1)
	}
	s.heads[n] = uint32(i + 1)
	s.stocked |= 1 << (n - 1)
}

// pull takes page i from the list of its longest run, before that changes.
func (s *shelf) pull(i int) {
	p := &s.pages[i]
	n := p.longest
	if n == 0 {
		return
	}
	if p.next != 0 {
		s.pages[p.next-1].prev = p.prev
	}
	if p.prev != 0 {
		s.pages[p.prev-1].next = p.next
		return
	}
	s.heads[n] = p.next
	if p.next == 0 {
		s.stocked &^= 1 << (n - 1)
	}
}

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

// find is a page with n unused units in a row that begin with one of where, or
// -1: the tightest fit, if that begins so, else one where any run must.
func (s *shelf) find(n uint, where uint64) int {
	i := s.fitting(n)
	if i < 0 || firstRun(^s.pages[i].used, n, where) >= 0 {
		return i
	}
	return s.fitting(2*n - 1)
}

// fitting is the tightest page with n unused units in a row, or -1.
func (s *shelf) fitting(n uint) int {
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

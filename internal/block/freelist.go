package block

import "math/bits"

// freeLists are the pages of one level by the length of their longest free run, so
// that a best fit is found at once.
//
// Invariant: a page with a free unit is in the list of its longest run; a full page is
// in none. A bit of nonempty is set where the list is not empty.
//
// Cost: constant, whatever the number of pages.
type freeLists struct {
	pages    []page
	heads    [unitsPerPage + 1]uint32 // by longest free run; page number plus one
	nonempty uint64                   // bit n-1: heads[n] is not 0
}

// maxProbes is how many pages are looked at for a run that must begin at certain units.
const maxProbes = 32

// findPage returns a page of level l with n free units in a row that end at offset end
// or before and begin with one of starts, and which units of starts are before end;
// -1 if there is none. It returns the best fit that it sees in a few probes, or else a
// page where any run is long enough.
func (r *region) findPage(l int, n uint, starts uint64, end uintptr) (int, uint64) {
	s := &r.levels[l].freeLists
	i := s.bestFit(n)
	for probes := 1; i >= 0; probes++ {
		heap.steps++
		from := starts & r.startsBefore(l, i, n, end)
		if firstRun(^s.pages[i].used, n, from) >= 0 {
			return i, from
		}
		if probes == maxProbes {
			i = s.bestFit(max(2*n-1, uint(s.pages[i].longest)))
			continue
		}
		i = s.next(i)
	}
	return -1, 0
}

// startsBefore returns the units of page i of level l where n units begin that end at
// offset end or before. Of all pages in use only one has fewer than all.
func (r *region) startsBefore(l, i int, n uint, end uintptr) uint64 {
	first, last := uintptr(i)<<pageShift, end>>unitShift(l)
	switch {
	case first+unitsPerPage <= last:
		return anyUnit
	case first+uintptr(n) > last:
		return 0
	}
	return mask(0, uint(last-first)-n+1)
}

// next returns the page after i, of the same fit or the next worse one, or -1.
func (s *freeLists) next(i int) int {
	if p := &s.pages[i]; p.next != 0 {
		return int(p.next) - 1
	}
	return s.bestFit(uint(s.pages[i].longest) + 1)
}

// bestFit returns, of the pages whose longest run has at least n free units, one where
// it is the shortest, or -1.
func (s *freeLists) bestFit(n uint) int {
	if n > unitsPerPage {
		return -1
	}
	fit := s.nonempty >> ((n - 1) & 63) << ((n - 1) & 63)
	if fit == 0 {
		return -1
	}
	return int(s.heads[bits.TrailingZeros64(fit)+1]) - 1
}

// insert adds page i to the list of its longest run.
func (s *freeLists) insert(i int) {
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
	s.nonempty |= 1 << (n - 1)
}

// remove removes page i from the list of its longest run, before that changes.
func (s *freeLists) remove(i int) {
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
		s.nonempty &^= 1 << (n - 1)
	}
}

package trace

import "math/bits"

// The shadow: a bit for each byte of the address space, set where a live chunk is.
//
// Invariant: a bit is set exactly while a live chunk covers its byte, so that two
// chunks that overlap need the same bit. Cost: a map lookup for each 64 KiB that
// a chunk reaches into and a word for every 64 bytes of it; an eighth of the
// memory under it.

const (
	shadowShift = 16
	shadowBytes = 1 << shadowShift // bytes that one page of bits covers
)

type shadowPage [shadowBytes / 64]uint64

type shadow struct {
	pages map[uintptr]*shadowPage
	key   uintptr // the page used last, and
	last  *shadowPage
}

func newShadow() *shadow {
	return &shadow{pages: make(map[uintptr]*shadowPage)}
}

// claim sets the bits of size bytes at addr and reports whether all were clear.
// If not, it returns the first address that was taken.
func (s *shadow) claim(addr uintptr, size int64) (taken uintptr, ok bool) {
	ok = true
	s.words(addr, size, func(w *uint64, mask uint64, at uintptr) bool {
		if both := *w & mask; both != 0 {
			taken, ok = at+uintptr(bits.TrailingZeros64(both)), false
			return false
		}
		*w |= mask
		return true
	})
	return taken, ok
}

// release clears the bits of size bytes at addr.
func (s *shadow) release(addr uintptr, size int64) {
	s.words(addr, size, func(w *uint64, mask uint64, _ uintptr) bool {
		*w &^= mask
		return true
	})
}

// words calls do for every word of bits that size bytes at addr reach into, with
// the bits concerned and the address of the word's first byte, until do returns
// false.
func (s *shadow) words(addr uintptr, size int64, do func(w *uint64, mask uint64, at uintptr) bool) {
	for size > 0 {
		from := addr % 64
		n := min(size, int64(64-from))
		mask := ^uint64(0) >> (64 - n) << from
		page := s.page(addr >> shadowShift)
		if !do(&page[addr%shadowBytes/64], mask, addr-from) {
			return
		}
		addr += uintptr(n)
		size -= n
	}
}

// page returns the bits of the page with the given number.
func (s *shadow) page(key uintptr) *shadowPage {
	if s.last != nil && s.key == key {
		return s.last
	}
	p := s.pages[key]
	if p == nil {
		p = new(shadowPage)
		s.pages[key] = p
	}
	s.key, s.last = key, p
	return p
}

package trace

import "unsafe"

// The string table: the names and idents of a trace, end to end in one text.
//
// Invariant: string i lies between ends[i-1] and ends[i]. Cost: two objects for
// the collector, however many strings there are.

type stringTable struct {
	text []byte
	ends []uint32
}

// len returns the number of strings.
func (s *stringTable) len() int { return len(s.ends) }

// at returns string number i without copying it.
func (s *stringTable) at(i uint32) string {
	from := uint32(0)
	if i > 0 {
		from = s.ends[i-1]
	}
	b := s.text[from:s.ends[i]]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// add appends one string.
func (s *stringTable) add(b []byte) {
	s.text = append(s.text, b...)
	s.ends = append(s.ends, uint32(len(s.text)))
}

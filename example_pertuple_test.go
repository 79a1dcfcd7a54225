package palloc_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
)

// A node of an executor produces tuples one by one. The tuple, and all that is allocated
// for it, lies in a context that is reset at the start of the next cycle instead of the end
// of this one. So a tuple stays valid until Next is called again, and it is neither copied
// nor freed. The node holds the memory of one tuple, however many there are.

// A scan produces the squares of the numbers up to a last one, as text.
type scan struct {
	perTuple palloc.Context
	n, last  int
}

// newScan returns a node whose memory lies below that of the query.
func newScan(query palloc.Context, last int) *scan {
	return &scan{perTuple: palloc.NewAllocSet(query, "per-tuple"), last: last}
}

// Next returns the next tuple, and whether there was one. The tuple is valid until the next
// call.
func (s *scan) Next() (tuple string, ok bool) {
	s.perTuple.Reset()
	if s.n == s.last {
		return "", false
	}
	s.n++
	return palloc.Sprintf(s.perTuple, "%d squared is %d", s.n, s.n*s.n), true
}

// A context for each tuple, reset at the start of each cycle. Values that are needed longer
// are copied into a context that lives longer.
func Example_perTuple() {
	query := palloc.NewAllocSet(palloc.Top(), "query")
	defer query.Delete()

	const tuples = 10_000
	node := newScan(query, tuples)
	longest := ""
	for tuple, ok := node.Next(); ok; tuple, ok = node.Next() {
		if len(tuple) > len(longest) {
			longest = palloc.CloneString(query, tuple)
		}
	}
	fmt.Println(longest)
	fmt.Println("per tuple, at most 8 KiB:", node.perTuple.Held() <= 8<<10)
	// Output:
	// 10000 squared is 100000000
	// per tuple, at most 8 KiB: true
}

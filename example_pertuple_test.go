package palloc_test

import (
	"fmt"

	"github.com/gopalloc/palloc"
)

// An executor's node produces tuples one by one. What it makes for a tuple, the
// tuple itself included, lies in a context that is reset at the start of the next
// cycle, not at the end of this one: so the tuple that Next returned stays valid
// until Next is called again, and nobody copies or frees it. However many tuples
// there are, the node holds the memory of one.

// scan produces the squares of the numbers up to a last one, as text.
type scan struct {
	perTuple palloc.Context
	n, last  int
}

// newScan makes a node whose memory lies below that of the query.
func newScan(query palloc.Context, last int) *scan {
	return &scan{perTuple: palloc.NewAllocSet(query, "per-tuple"), last: last}
}

// Next is the next tuple, and whether there was one. The tuple is void at the next
// call.
func (s *scan) Next() (tuple string, ok bool) {
	s.perTuple.Reset()
	if s.n == s.last {
		return "", false
	}
	s.n++
	return palloc.Sprintf(s.perTuple, "%d squared is %d", s.n, s.n*s.n), true
}

// A context for each tuple, reset at the start of each cycle. What is to be kept
// longer is copied into a context that lives longer.
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

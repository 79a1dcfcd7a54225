package palloc

import (
	"cmp"
	"slices"
	"time"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// The largest holders of memory in few rows: the tree, without the rows beyond a bound.
//
// Invariant: what a context without a row holds is counted in the row above. A bounded
// number of contexts is read.
//
// Cost: some microseconds.

// Bounds of what is read and reported.
const (
	maxRows     = 32
	maxSiblings = 100 // children read of one parent
	maxLooks    = 400 // contexts read in all
	maxBelow    = 4   // contexts read below a child without a budget
)

// A holder is a context that gets a row.
type holder struct {
	*tree.Node
	sum      int64 // bytes that it and all contexts below it hold, as far as known
	level    int
	cut      bool // the contexts below it have no rows so far
	children []*holder
}

// holdersBelow returns the largest holders of the subtree of top. The caller holds the
// tree's lock.
func holdersBelow(top *tree.Node) Snapshot {
	s := Snapshot{Time: time.Now()}
	sum, looks := budget.Holdings(top, maxLooks/4)
	root := &holder{Node: top, sum: sum, level: 1, cut: true}
	all := append(make([]*holder, 0, maxRows), root)
	for len(all) < maxRows && looks < maxLooks {
		next := largestCut(all)
		if next == nil {
			break
		}
		seen, missed := next.open(maxRows - len(all))
		looks += seen
		s.More += missed
		all = append(all, next.children...)
	}
	for i := len(all) - 1; i >= 0; i-- { // children before parents
		if h := all[i]; h.cut && h.FirstUncached() != nil {
			s.More++ // one at least
		} else {
			h.sum = max(h.sum, h.rest(int64(relaxed.Load(&h.Total))))
		}
	}
	s.Rows = make([]Row, 0, len(all))
	root.rows(&s)
	s.number()
	return s
}

// largestCut returns the largest holder that is cut, nil if there is none.
func largestCut(all []*holder) (largest *holder) {
	for _, h := range all {
		if h.cut && (largest == nil || h.sum > largest.sum) && h.FirstUncached() != nil {
			largest = h
		}
	}
	return largest
}

// open gives the largest children rows, at most limit. It returns how many contexts it
// read, and how many children are known to have no row.
func (h *holder) open(limit int) (looks, missed int) {
	h.cut = false
	var seen [maxSiblings]holder
	n, i := 0, h.FirstChild
	for ; i != 0 && n < len(seen) && looks < maxLooks; i = tree.At(i).NextSibling {
		child := tree.At(i)
		if looks++; !child.Ref().Owned() {
			continue
		}
		sum, steps := budget.Holdings(child, maxBelow)
		looks += steps
		seen[n] = holder{Node: child, sum: sum, level: h.level + 1, cut: true}
		n++
	}
	if i != 0 {
		missed++ // one at least
	}
	if n > limit {
		slices.SortStableFunc(seen[:n], func(a, b holder) int { return cmp.Compare(b.sum, a.sum) })
		missed += n - limit
		n = limit
	}
	kept := slices.Clone(seen[:n])
	for i := range kept {
		h.children = append(h.children, &kept[i])
	}
	return looks, missed
}

// rest returns own plus the bytes of the children that have rows.
func (h *holder) rest(own int64) int64 {
	for _, child := range h.children {
		own += child.sum
	}
	return own
}

// rows adds the rows of the holder and of those below it, parents first.
func (h *holder) rows(s *Snapshot) {
	r := Row{Level: h.level, Kind: kindIn(h.Ref().Epoch), Name: h.Name(), Ident: h.Ident()}
	r.Held, r.Blocks = h.sum-h.rest(0), int64(relaxed.Load32(&h.BlockCount))
	s.Rows = append(s.Rows, r)
	for _, child := range h.children {
		child.rows(s)
	}
}

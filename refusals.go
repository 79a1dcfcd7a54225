package palloc

import (
	"slices"
	"time"
)

// The trees in errors, of programs that live at their limit: who is refused, frees
// something and tries again must not pay for a walk each time.
//
// Invariant: no error shares its rows with another.
//
// Cost: that of a snapshot up to a millisecond; of larger ones a tenth of the time at
// most, and a copy of the rows.

const (
	mostRowsInError = 4096
	cheapTree       = time.Millisecond
	treeRest        = 10 // times what a tree cost it may be given out again
)

// lastTree is the latest snapshot for an error that was not cheap. The tree's lock
// guards it.
var lastTree struct {
	top  Context
	tree Snapshot
	cost time.Duration
}

// recentSnapshot is the snapshot for an error, or a copy of the last one, if that took
// long a moment ago. The tree's lock must be held.
func recentSnapshot(top *core) Snapshot {
	last := &lastTree
	now, of := time.Now(), handle(&top.Core)
	if last.top == of && now.Sub(last.tree.Time) < treeRest*last.cost {
		s := last.tree
		s.Rows = slices.Clone(s.Rows)
		return s
	}
	s := snapshot(top, mostRowsInError)
	if cost := time.Since(now); cost > cheapTree {
		last.top, last.cost = of, cost
		last.tree = Snapshot{s.Time, slices.Clone(s.Rows), s.More}
	}
	return s
}

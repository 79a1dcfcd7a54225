package palloc

import (
	"math"
	"time"

	"github.com/gopalloc/palloc/internal/kind/generation"
)

// Snapshots: the accounts of a subtree at one moment, as a value. All views of the
// tree are made of one.
//
// Invariant: rows are parents first, of one parent's children the latest first, as
// the tree was at one moment; the figures of contexts that are at work meanwhile are
// of about that moment.
//
// Cost: what Stats costs for each context, under the tree's lock; owners are not
// stopped.

// Snapshot is the accounts of a context and of all below it.
type Snapshot struct {
	Time time.Time
	Rows []Row
	// More is how many contexts further down there were, which have no row: in an
	// *OutOfMemoryError only.
	More int
}

// Row is one context of a snapshot.
type Row struct {
	// ID is the context's number within the snapshot, and Parent that of its parent: 1
	// for the context that was asked for, whose Parent is 0, then level by level.
	// PostgreSQL's view counts so.
	ID, Parent int

	Level       int // 1 for the context that was asked for
	Kind        Kind
	Name, Ident string
	Stats
	Chunks      int64 // Generation: live chunks, and freed ones whose block is not empty
	EmptyBlocks int64 // Slab: blocks without a live chunk
}

// TakeSnapshot reads the accounts of the context and of all below it. Any goroutine.
//
// PostgreSQL: pg_get_backend_memory_contexts.
func TakeSnapshot(top Context) Snapshot { return top.snapshot("TakeSnapshot") }

func (mc Context) snapshot(op string) Snapshot {
	defer mc.lock(op).unlock()
	return snapshot(mc.slot(), math.MaxInt)
}

// Total sums up all rows.
//
// PostgreSQL: MemoryContextMemConsumed.
func (s Snapshot) Total() (sum Stats) {
	for i := range s.Rows {
		sum = sum.add(s.Rows[i].Stats)
	}
	return sum
}

// Path is the IDs of the contexts from the one that was asked for to that of row i.
//
// PostgreSQL: the column path of pg_backend_memory_contexts.
func (s Snapshot) Path(i int) []int {
	path := make([]int, s.Rows[i].Level)
	for ; ; i-- {
		r := &s.Rows[i]
		path[r.Level-1] = r.ID
		for i > 0 && s.Rows[i-1].ID != r.Parent {
			i-- // parents come first
		}
		if i == 0 {
			return path
		}
	}
}

// snapshot reads at most so many rows. The tree's lock must be held.
func snapshot(top *core, most int) Snapshot {
	s := Snapshot{Time: time.Now()}
	level := 1
	for c := top; c != nil; {
		if mc := handle(&c.Core); !mc.owned() { // deleted since it came by
		} else if len(s.Rows) < most {
			s.Rows = append(s.Rows, mc.row(level))
		} else {
			s.More++
		}
		next := c.after(top)
		level += levelStep(c, next)
		c = next
	}
	s.number()
	return s
}

// levelStep is how much deeper next lies than s, which it follows in a walk.
func levelStep(s, next *core) int {
	if next == nil || next.parent == s.Number() {
		return 1
	}
	step := 0
	for s.parent != next.parent {
		s = coreAt(s.parent)
		step--
	}
	return step
}

// row reads one context.
func (mc Context) row(level int) Row {
	stats, c := mc.stats(), mc.slot()
	r := Row{Level: level, Kind: kindIn(mc.epoch), Name: c.nameText(), Ident: c.ident(), Stats: public(stats)}
	switch r.Kind {
	case KindGeneration:
		r.Chunks = int64(generation.Chunks(mc.core))
	case KindSlab:
		r.EmptyBlocks = int64(stats.Empties)
	}
	return r
}

// number gives the rows their IDs, level by level.
func (s Snapshot) number() {
	var firsts []int // how many rows each level has, then the first ID of each
	for i := range s.Rows {
		for len(firsts) < s.Rows[i].Level {
			firsts = append(firsts, 0)
		}
		firsts[s.Rows[i].Level-1]++
	}
	next := 1
	for l, n := range firsts {
		firsts[l] = next
		next += n
	}
	open := make([]int, len(firsts)+1) // the latest ID of each level
	for i := range s.Rows {
		r := &s.Rows[i]
		r.ID = firsts[r.Level-1]
		firsts[r.Level-1]++
		r.Parent = open[r.Level-1]
		open[r.Level] = r.ID
	}
}

package palloc

import (
	"math"
	"time"

	"github.com/gopalloc/palloc/internal/tree"
)

// Snapshots: the accounts of a subtree at about one moment, as a value. All views of the
// tree are made of one.
//
// Invariant: rows are parents first, of one parent's children the latest first, and each
// row's parent has a row. Some hundred contexts are looked at at one moment. Of larger
// trees a context that is there all the time, where it is, has one row; one that is
// created, deleted or moved meanwhile has one or none, and what is moved takes along what
// is below it.
//
// Cost: what Stats costs for each context, without the tree's lock; owners are not
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

// TakeSnapshot reads the accounts of the context and of all below it, at about one moment:
// of more than some hundred contexts, one that others create, delete or move meanwhile is
// there once or not at all. Any goroutine; nobody waits for it.
//
// PostgreSQL: pg_get_backend_memory_contexts.
func TakeSnapshot(top Context) Snapshot { return top.snapshot("TakeSnapshot") }

func (mc Context) snapshot(op string) Snapshot { return mc.rows(op, math.MaxInt) }

// Total sums up all rows.
//
// PostgreSQL: MemoryContextMemConsumed.
func (s Snapshot) Sum() (sum Stats) {
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

// rows reads at most so many rows. When the context was deleted, that is a Fault of op;
// without an op there are none.
func (mc Context) rows(op string, most int) (s Snapshot) {
	s.Time = time.Now()
	w := tree.Walk{Top: mc.ref}
	var rows tree.List[Row]
	seen, batch := make([]sighting, 0, tree.StepsPerHold), make([]Row, 0, tree.StepsPerHold)
	gone := math.MaxInt32 // the level of the latest context that was deleted before it was read
	for done := false; !done; seen, batch = seen[:0], batch[:0] {
		done = w.Hold(op, func(c *tree.Node, at tree.Cursor) (int32, bool) {
			here := Context{c.Ref()}
			if here.ref.Owned() {
				seen = append(seen, sighting{here, int(at.Level), c.Name(), c.Ident()})
			}
			return 0, here.ref.Owned()
		})
		for i := range seen {
			if seen[i].level > gone {
				continue // moved away, or deleted, too
			}
			if gone = math.MaxInt32; rows.Len()+len(batch) >= most {
				s.More++
			} else if r, live := seen[i].row(); live {
				batch = append(batch, r)
			} else {
				gone = r.Level
			}
		}
		rows.Add(batch)
	}
	if op != "" {
		mc.check(op)
	}
	s.Rows = rows.All()
	s.number()
	return s
}

// sighting is a context as it came by.
type sighting struct {
	mc          Context
	level       int
	name, ident string
}

// row reads one context, without a lock, and reports whether that is still the one that
// came by.
func (c *sighting) row() (r Row, live bool) {
	stats := c.mc.stats(true)
	r = Row{Level: c.level, Kind: kindIn(c.mc.ref.Epoch), Name: c.name, Ident: c.ident, Stats: public(stats),
		Chunks: int64(stats.Chunks), EmptyBlocks: int64(stats.EmptyBlocks)}
	return r, c.mc.Live()
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

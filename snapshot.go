package palloc

import (
	"math"
	"time"

	"github.com/gopalloc/palloc/internal/tree"
)

// Snapshots: the statistics of a subtree at about one moment, as a value. All views of the
// tree are made from one.
//
// Invariant: rows are parents first, the latest of one parent's children first, and each
// row's parent has a row. Some hundred contexts are read at one moment. In larger trees a
// context that exists and stays in its place has one row; one that is created, deleted or
// moved meanwhile has one or none. A moved context takes along those below it.
//
// Cost: that of Stats for each context, without the tree's lock; owners are not stopped.

// A Snapshot is the statistics of a context and of all contexts below it. encoding/json writes it, and
// reads it back as it was, but for bytes of names that are not UTF-8. Package draw makes a picture of it.
type Snapshot struct {
	Time time.Time // when it was begun
	Rows []Row
	// More counts the contexts further down that have no row. It is 0 except in an
	// *OutOfMemoryError.
	More int
}

// A Row is one context of a Snapshot.
type Row struct {
	// ID numbers the contexts of the snapshot, and Parent is the ID of the parent. The
	// top context has the ID 1 and the Parent 0; the others follow level by level, as in
	// PostgreSQL's view.
	ID, Parent int

	Level       int // 1 for the top context
	Kind        Kind
	Name, Ident string
	Stats
	Chunks      int64 // Generation: live chunks, and freed ones in blocks that are not empty
	EmptyBlocks int64 // Slab: blocks without a live chunk
}

// TakeSnapshot reads the statistics of the context and of all contexts below it, at about
// one moment: of more than some hundred contexts, one that other goroutines create, delete
// or move meanwhile has one row or none. Any goroutine; no other goroutine waits for it.
//
// PostgreSQL: pg_get_backend_memory_contexts.
func TakeSnapshot(top Context) Snapshot { return top.snapshot("TakeSnapshot") }

// Sum returns the sum of all rows.
//
// PostgreSQL: MemoryContextMemConsumed.
func (s Snapshot) Sum() (sum Stats) {
	for i := range s.Rows {
		sum = sum.add(s.Rows[i].Stats)
	}
	return sum
}

// Path returns the IDs of the contexts from the top context to that of Rows[i].
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

// snapshot is TakeSnapshot on behalf of op.
func (mc Context) snapshot(op string) (s Snapshot) {
	s.Time = time.Now()
	w := tree.Walk{Top: mc.ref}
	var rows tree.List[Row]
	seen, batch := make([]sighting, 0, tree.StepsPerHold), make([]Row, 0, tree.StepsPerHold)
	gone := math.MaxInt32 // the level of the last context found deleted
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
				continue // below that context: moved away, or deleted, too
			}
			if r, live := seen[i].row(); live {
				batch, gone = append(batch, r), math.MaxInt32
			} else {
				gone = r.Level
			}
		}
		rows.Add(batch)
	}
	mc.check(op)
	s.Rows = rows.All()
	s.number()
	return s
}

// A sighting is a context as the walk found it.
type sighting struct {
	mc          Context
	level       int
	name, ident string
}

// row reads one context, without a lock, and reports whether it was live all the time.
func (c *sighting) row() (r Row, live bool) {
	stats := c.mc.stats(true)
	r = Row{Level: c.level, Kind: kindIn(c.mc.ref.Epoch), Name: c.name, Ident: c.ident, Stats: public(stats),
		Chunks: int64(stats.Chunks), EmptyBlocks: int64(stats.EmptyBlocks)}
	return r, c.mc.Live()
}

// number sets the IDs of the rows, level by level.
func (s Snapshot) number() {
	var firsts []int // the number of rows of each level, then its next ID
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

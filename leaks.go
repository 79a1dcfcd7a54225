package palloc

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Leaks: contexts that live on and on.
//
// Invariant: a report is of about one moment of the tree, as a Snapshot is. In one Leak no
// byte is counted twice.
//
// Cost: a few steps for each context below, most of them under the tree's lock, for some
// hundred contexts at a time, and about 80 bytes of Go's heap each while the report is
// made.

// Leak is what contexts of one name, created at one line, have in common that live
// longer than they should.
type Leak struct {
	Name    string
	Count   int           // how many contexts
	Held    int64         // held by them and by all contexts below them, each byte once
	Oldest  time.Duration // age of the oldest
	Created string        // "file.go:123 function", "" when creations were not recorded
	Example Context       // the oldest: Ident, Path and WriteStats say more
}

// String is the leak in one line.
func (l Leak) String() string {
	text := fmt.Sprintf("%d × %q, %d bytes, the oldest for %v", l.Count, l.Name, l.Held, l.Oldest)
	if l.Created != "" {
		text += ", created at " + l.Created
	}
	return text
}

// Leaks finds the contexts below top that are at least as old as olderThan, groups
// them by name and line of creation, and sorts the groups by the bytes that they
// hold, the largest first. An olderThan of 0 finds all of them. Any goroutine.
//
// A context's age is counted from its creation while RecordCreations is on, and
// otherwise from the first call of Leaks that saw it, since a creation has no time to
// look at the clock: the first call finds nothing that is old, and one an hour later
// what has lived for that hour at least. Call it from time to time.
//
// Contexts within a leak are listed, too, as a group of their own, for only the
// program knows which of them should have gone: a server that lives on purpose does
// not hide the queries that leak below it. A Bytes counts all that goes when the
// group's contexts are deleted, so that what holds a leak stands before it, and the
// sum of all lines is more than the total. What was never to be deleted, such as
// Emergency, is not listed.
func Leaks(top Context, olderThan time.Duration) []Leak {
	list := top.survey()
	groups := map[leakKey]*leakGroup{}
	for i := range list {
		r := &list[i]
		if i == 0 || r.lasting || r.age < olderThan {
			continue
		}
		g := groups[r.key]
		if g == nil {
			g = &leakGroup{Leak: Leak{Example: r.mc, Oldest: r.age}, key: r.key}
			groups[r.key] = g
		}
		g.add(i, r)
	}
	leaks := make([]Leak, 0, len(groups))
	for _, g := range groups {
		leaks = append(leaks, g.named())
	}
	slices.SortFunc(leaks, func(a, b Leak) int {
		return cmp.Or(cmp.Compare(b.Held, a.Held), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Created, b.Created))
	})
	return leaks
}

// leakKey is what the contexts of a leak have in common.
type leakKey struct {
	name string
	line uint32 // a number of creations.lines, which never changes
}

// leakGroup is a Leak in the making.
type leakGroup struct {
	Leak
	key   leakKey
	until int // residents before this one lie within one that is counted
}

// add adds the i-th resident; they come parents first.
func (g *leakGroup) add(i int, r *resident) {
	g.Count++
	if r.age > g.Oldest {
		g.Oldest, g.Example = r.age, r.mc
	}
	if i >= g.until {
		g.Held += r.bytes
		g.until = i + int(r.size)
	}
}

// named is the leak with its texts.
func (g *leakGroup) named() Leak {
	tree.Lock()
	defer tree.Unlock()
	g.Name, g.Created = g.key.name, tree.LineText(g.key.line)
	return g.Leak
}

// resident is a context as a survey saw it.
type resident struct {
	mc      Context
	key     leakKey
	age     time.Duration
	bytes   int64  // held by it and all below
	size    uint32 // how many residents that are
	parent  uint32 // the parent's place in the list
	lasting bool   // as long as the process
}

// survey lists the context and all below it, parents first.
func (mc Context) survey() []resident {
	list := mc.residents()
	for i := len(list) - 1; i > 0; i-- {
		p := &list[list[i].parent]
		p.bytes += list[i].bytes
		p.size += list[i].size
	}
	return list
}

// residents are those of a survey, each with what it holds itself.
func (mc Context) residents() []resident {
	now := tree.Now()
	w := tree.Walk{Top: mc.ref}
	var all tree.List[resident]
	batch := make([]resident, 0, tree.StepsPerHold)
	for done := false; !done; batch = batch[:0] {
		done = w.Hold("Leaks", func(s *tree.Node, at tree.Cursor) (int32, bool) {
			if !s.Ref().Owned() {
				return 0, false
			}
			c := Context{s.Ref()}
			batch = append(batch, resident{
				mc: c, key: leakKey{s.Name(), c.ref.CreatedAt()}, age: c.ref.Age(now),
				bytes: int64(relaxed.Load(&s.Total)), size: 1, parent: uint32(max(at.Tag, 0)),
				lasting: s.Has&tree.IsPermanent != 0,
			})
			return int32(all.Len() + len(batch) - 1), true
		})
		all.Add(batch)
	}
	tree.ForgetCreations()
	return all.All()
}

// RecordCreations has each context's time and place of creation kept, for Leaks and for
// TieFunc, until stop is called; of several calls until the last stop. It is meant for
// tests, and for a while in a process that leaks: a creation then takes about a
// microsecond. What was recorded stays until the context is deleted. Contexts that existed
// before, and those that other goroutines create at the very moment, have no record. It
// takes a step for each context that ever existed at the same time. Any goroutine; stop,
// too.
func RecordCreations() (stop func()) {
	recording.Lock()
	defer recording.Unlock()
	if recording.callers++; recording.callers == 1 {
		tree.RecordCreations(true)
	}
	return sync.OnceFunc(func() {
		recording.Lock()
		defer recording.Unlock()
		if recording.callers--; recording.callers == 0 {
			tree.RecordCreations(false)
		}
	})
}

// recording counts the calls of RecordCreations that were not stopped.
var recording struct {
	sync.Mutex
	callers int
}

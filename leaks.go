package palloc

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Leaks: contexts that live too long.
//
// Invariant: a report is of about one moment of the tree, as a Snapshot is. Within one Leak
// no byte is counted twice.
//
// Cost: a few steps for each context below, most of them under the tree's lock, for some
// hundred contexts at a time; and about 80 bytes of Go's heap for each, until the report is
// returned.

// A Leak is a group of contexts of one name, created at one line, that live longer than they
// should.
type Leak struct {
	Name    string
	Count   int           // number of contexts
	Held    int64         // bytes of blocks that they and all contexts below them hold, each once
	Oldest  time.Duration // age of the oldest
	Created string        // "file.go:123 function", "" if creations were not recorded
	Example Context       // the oldest: see its Ident, Path and WriteStats
}

// String returns the leak in one line.
func (l Leak) String() string {
	text := fmt.Sprintf("%d × %q, %d bytes, the oldest for %v", l.Count, l.Name, l.Held, l.Oldest)
	if l.Created != "" {
		text += ", created at " + l.Created
	}
	return text
}

// Leaks finds the contexts below top that are at least as old as olderThan, groups them by
// name and line of creation, and sorts the groups by the bytes that they hold, the largest
// first. An olderThan of 0 finds all. Any goroutine.
//
// A context's age counts from its creation if RecordCreations was in force then; otherwise
// from the first call of Leaks that saw the context, since creations do not read the clock.
// So without RecordCreations the first call finds no old context, and a call an hour later
// finds those that have lived for that hour. Call it from time to time.
//
// Contexts below a leak form groups of their own, so that a context that lives for long on
// purpose, such as a server's, does not hide the queries that leak below it. Held of a group
// is what its deletion would release, contexts below included: do not add up Held over
// groups. top itself, and contexts that live as long as the process, such as Emergency, are
// not listed.
func Leaks(top Context, olderThan time.Duration) []Leak {
	list := top.residents()
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

// A leakKey is what the contexts of a group have in common.
type leakKey struct {
	name string
	line uint32 // the number of a line, which never changes
}

// A leakGroup is a Leak while it is computed.
type leakGroup struct {
	Leak
	key   leakKey
	until int // residents before this index are below one that is counted
}

// add adds the i-th resident. Residents are added parents first.
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

// named returns the leak with its texts.
func (g *leakGroup) named() Leak {
	tree.Lock()
	defer tree.Unlock()
	g.Name, g.Created = g.key.name, tree.LineText(g.key.line)
	return g.Leak
}

// A resident is a context as Leaks found it.
type resident struct {
	mc      Context
	key     leakKey
	age     time.Duration
	bytes   int64  // held by it and all residents below
	size    uint32 // the number of these residents, itself included
	parent  uint32 // index of the parent in the list
	lasting bool   // it lives as long as the process
}

// residents lists the context and all contexts below it, parents first.
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
	list := all.All()
	for i := len(list) - 1; i > 0; i-- { // children before parents
		p := &list[list[i].parent]
		p.bytes += list[i].bytes
		p.size += list[i].size
	}
	return list
}

// RecordCreations records the time and place of each context's creation, for Leaks and
// TieFunc, until stop is called; after several calls until the last stop. It is meant for
// tests, and for a while in a process that leaks: a creation then takes about a microsecond.
// The record of a context is kept until its deletion. Contexts created before have none, and
// those that other goroutines create meanwhile may have none. The call takes a step for each
// node, of which there are as many as contexts ever existed at a time. Any goroutine; stop,
// too.
func RecordCreations() (stop func()) { return tree.RecordCreations() }

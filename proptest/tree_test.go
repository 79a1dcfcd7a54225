package proptest_test

import (
	"fmt"
	"slices"

	"github.com/gopalloc/palloc"
)

// The operations on contexts.
//
// Invariant: the callbacks of a context run together, each once, the last registered
// first, and after those of the contexts below.
//
// Cost: that of palloc.

// names are few, so that contexts get the nodes of earlier ones.
var names = []string{"one", "two", "three"}

// newContext creates a context of a sort.
func newContext(s sort, parent palloc.Context, name string, size int, opts ...palloc.Option) palloc.Context {
	switch s {
	case shared:
		return palloc.NewAllocSet(parent, name, append(opts, palloc.Shared())...)
	case generation:
		return palloc.NewGeneration(parent, name, opts...)
	case bump:
		return palloc.NewBump(parent, name, opts...)
	case slab:
		return palloc.NewSlab(parent, name, size, opts...)
	}
	return palloc.NewAllocSet(parent, name, opts...)
}

var slabSizes = []int{24, 8, 100, 0, 1000, 24, 9000, 400}

func (m *model) create() {
	if len(m.nodes) >= maxNodes {
		return
	}
	n := &node{sort: m.sorts[m.index(len(m.sorts), "sort")], limit: palloc.NoLimit, freed: map[uintptr]bool{}}
	n.size = slabSizes[m.index(len(slabSizes), "chunk size")]
	parent, name := m.pick(), names[m.index(len(names), "name")]
	var opts []palloc.Option
	if m.index(4, "sizes") == 3 {
		opts = append(opts, palloc.BlockSizes(1<<m.index(17, "first"), 1<<m.index(20, "largest")))
	}
	n.mc = newContext(n.sort, parent.mc, name, n.size, opts...)
	n.hang(parent)
	m.nodes = append(m.nodes, n)
	reachIf(n.mc.Held() > 0, "a new context has the block of an earlier one")
	if kind := n.mc.Kind().String(); kind != n.sort.String() && n.sort != shared || n.mc.IsShared() != (n.sort == shared) || n.mc.Name() != name {
		m.Fatalf("a new %v is %s, a %s", n.sort, n.mc.Name(), kind)
	}
}

// ended does something that ends or resets the contexts of a list, and checks that their
// callbacks ran.
func (m *model) ended(list []*node, act func()) {
	m.Helper()
	m.ending, m.turn, m.turns = list, nil, 0
	act()
	if m.wrong != "" {
		m.Fatal(m.wrong)
	}
	for i, n := range list {
		if len(n.pending) > 0 {
			m.Fatalf("%d callbacks of context %d of %d did not run", len(n.pending), i, len(list))
		}
	}
	reachIf(m.turns > 1, "callbacks of several contexts run in one call")
	m.ending = nil
}

// deleteNode deletes a context and all below it.
func (m *model) deleteNode(n *node) {
	m.Helper()
	list := append(n.postorder(nil), n)
	m.ended(list, n.mc.Delete)
	for _, e := range list {
		if m.end(e); e.mc.Live() {
			m.Fatal("a deleted context is live")
		}
	}
	if n != m.root {
		n.cut()
	}
}

func (m *model) deleteOne() {
	if n := m.pick(); n != m.root {
		m.deleteNode(n)
		m.fault(n, "a deleted context is a Fault", func() { n.mc.Alloc(8) })
		m.probeStale()
	}
}

func (m *model) deleteChildren() {
	n := m.pick()
	list := n.postorder(nil)
	m.ended(list, n.mc.DeleteChildren)
	for _, e := range list {
		m.end(e)
	}
	n.children = nil
}

func (m *model) reset() {
	n := m.pick()
	list := n.postorder(nil)
	m.ended(append(list, n), n.mc.Reset)
	for _, e := range list {
		m.end(e)
	}
	n.children = nil
	m.emptied(n)
}

func (m *model) resetOnly() {
	n := m.pick()
	m.ended([]*node{n}, n.mc.ResetOnly)
	m.emptied(n)
}

func (m *model) resetChildren() {
	n := m.pick()
	list := n.postorder(nil)
	m.ended(list, n.mc.ResetChildren)
	for _, e := range list {
		m.emptied(e)
	}
}

// emptied checks a context that was reset.
func (m *model) emptied(n *node) {
	m.Helper()
	old := n.buffer
	if n.written == nil {
		old = nil
	}
	m.forget(n)
	if s := n.mc.Stats(); s.Held > 8<<10 && n.sort != shared || s.Blocks > 1 && n.sort != shared || s.FreeChunks > 0 && n.sort != slab {
		m.Fatalf("%s has %+v after a reset", n.mc.Path(), s)
	}
	if old != nil {
		m.fault(n, "a Buffer of a reset context is a Fault", func() { old.WriteByte('x') })
	}
	m.probeStale()
}

// probeStale frees chunks that a reset or deletion took back: each is a Fault.
func (m *model) probeStale() {
	m.Helper()
	for _, p := range m.stale[:min(len(m.stale), 3)] {
		m.fault(m.root, "a free after a reset is a Fault", func() { palloc.FreePointer(p) })
	}
	m.stale = m.stale[:0]
}

func (m *model) move() {
	n, to := m.pick(), m.pick()
	if n == m.root {
		return
	}
	if to.below(n) {
		m.fault(n, "a cycle is a Fault", func() { n.mc.SetParent(to.mc) })
		return
	}
	was := n.limited()
	n.mc.SetParent(to.mc)
	n.cut()
	n.hang(to)
	reachIf(!was && n.limited(), "a context moves into a budget")
	reachIf(was && !n.limited(), "a context moves out of a budget")
}

// limited reports whether a context above has a limit.
func (n *node) limited() bool {
	for n = n.parent; n != nil; n = n.parent {
		if n.limit != palloc.NoLimit {
			return true
		}
	}
	return false
}

func (m *model) setIdent() {
	n := m.pick()
	m.ids++
	n.ident = fmt.Sprint("ident ", m.ids)
	n.mc.SetIdent(n.ident)
}

func (m *model) register() {
	n := m.pick()
	m.registerIn(n, m.index(4, "deed"))
}

// registerIn registers a callback of BeforeReset that does something.
func (m *model) registerIn(n *node, deed int) {
	m.ids++
	c := &callback{id: m.ids, deed: deed}
	c.stop = n.mc.BeforeReset(func() { m.run(n, c) })
	n.pending = append(n.pending, c)
}

// run is a callback of BeforeReset: it must be the next one.
func (m *model) run(n *node, c *callback) {
	reach("a callback runs")
	for _, other := range m.ending {
		if other != n && len(other.pending) > 0 && (other == m.turn || other.below(n)) {
			m.failf("callback %d of %s runs before callback %d of %s", c.id, n.mc.Path(), other.pending[0].id, other.mc.Path())
			return
		}
	}
	if m.turn != n {
		m.turn = n
		m.turns++
	}
	if !slices.Contains(m.ending, n) {
		m.failf("callback %d of %s runs, which does not end", c.id, n.mc.Path())
		return
	}
	if len(n.pending) == 0 || n.pending[len(n.pending)-1] != c {
		m.failf("callback %d is not the one that was registered last, or ran before", c.id)
		return
	}
	n.pending = n.pending[:len(n.pending)-1]
	for _, piece := range n.pieces {
		m.verify(piece)
	}
	switch c.deed {
	case 1:
		reach("a callback registers another one")
		m.registerIn(n, 0)
	case 2:
		if at, err := n.mc.TryAlloc(n.size); err == nil {
			reach("a callback allocates")
			*(*byte)(at) = 1
		}
	}
}

func (m *model) unregister() {
	n := m.pick()
	if len(n.pending) == 0 {
		return
	}
	i := m.index(len(n.pending), "callback")
	c := n.pending[i]
	if !c.stop() || c.stop() {
		m.Fatal("a callback that is registered is not stopped once")
	}
	n.pending = slices.Delete(n.pending, i, i+1)
	reach("a callback is stopped")
}

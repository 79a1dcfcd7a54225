package proptest_test

import (
	"errors"
	"fmt"

	"github.com/gopalloc/palloc"
	"pgregory.net/rapid"
)

// The state machine: which operations there are, and what holds after each.
//
// Invariant: a program has at most maxOps operations. The model changes only after palloc
// has done its part, so that a refusal changes nothing.
//
// Cost: some microseconds for each operation; each eighth compares all contents.

const (
	maxOps   = 200
	maxNodes = 16
	maxLive  = 400 // chunks
	fullRate = 16  // operations between two comparisons of everything
)

// An operation is one that a program may do, with how often it is chosen.
type operation struct {
	name   string
	weight int
	run    func(*model)
}

var operations = []operation{
	{"alloc", 6, (*model).alloc},
	{"alloc many", 4, (*model).allocMany},
	{"alloc aligned", 3, (*model).allocAligned},
	{"alloc zeroed", 1, (*model).allocZeroed},
	{"new", 1, (*model).newTyped},
	{"free", 4, (*model).freeOne},
	{"free many", 3, (*model).freeMany},
	{"realloc", 5, (*model).realloc},
	{"grow large", 1, (*model).growLarge},
	{"make slice", 1, (*model).makeSlice},
	{"append", 5, (*model).appendSlice},
	{"grow", 1, (*model).growSlice},
	{"clone", 1, (*model).clone},
	{"write", 2, (*model).writeBuffer},
	{"change buffer", 1, (*model).changeBuffer},
	{"create", 4, (*model).create},
	{"delete", 2, (*model).deleteOne},
	{"reset", 2, (*model).reset},
	{"reset only", 2, (*model).resetOnly},
	{"reset children", 1, (*model).resetChildren},
	{"delete children", 1, (*model).deleteChildren},
	{"move", 4, (*model).move},
	{"ident", 1, (*model).setIdent},
	{"callback", 3, (*model).register},
	{"stop callback", 1, (*model).unregister},
	{"limit", 4, (*model).setLimit},
	{"soft limit", 1, (*model).setSoftLimit},
	{"pressure", 2, (*model).onPressure},
	{"compact", 2, (*model).compact},
	{"trim", 1, (*model).trim},
	{"misuse", 4, (*model).misuse},
}

// program returns a property: a random program in a tree of contexts of some sorts does what
// the model says.
func program(sorts ...sort) func(*rapid.T) {
	return func(t *rapid.T) {
		m := &model{T: t, sorts: sorts, base: palloc.Top().TreeHeld()}
		root := &node{mc: palloc.NewAllocSet(palloc.Top(), "program"), limit: palloc.NoLimit, freed: map[uintptr]bool{}}
		m.root, m.nodes = root, []*node{root}
		defer m.finish()
		for range 2 {
			m.create()
		}
		t.Repeat(m.actions())
		m.compareAll()
	}
}

// actions returns the operations as rapid wants them: one name for each unit of weight.
func (m *model) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){"": func(*rapid.T) { m.compare() }}
	for _, o := range operations {
		for i := range o.weight {
			all[fmt.Sprint(o.name, " ", i)] = func(*rapid.T) { m.do(o) }
		}
	}
	return all
}

// do does one operation, unless the program has had enough of them.
func (m *model) do(o operation) {
	if m.ops++; m.ops > maxOps {
		return
	}
	m.stale = m.stale[:0]
	held := m.heldByLimits()
	o.run(m)
	for n, before := range held {
		if n.ended {
			continue
		}
		if b := n.mc.Budget(); b.Held > b.Limit && b.Held > before && o.name != "move" {
			m.Fatalf("%s holds %d bytes after %q, more than its limit of %d, and held %d before", n.mc.Path(), b.Held, o.name, b.Limit, before)
		}
	}
}

// heldByLimits returns what each context with a limit holds.
func (m *model) heldByLimits() map[*node]int64 {
	held := map[*node]int64{}
	for _, n := range m.nodes {
		if n.limit != palloc.NoLimit {
			held[n] = n.mc.Budget().Held
		}
	}
	return held
}

// finish deletes what a program made, whether it failed or not.
func (m *model) finish() {
	if m.Failed() {
		func() {
			defer func() { _ = recover() }() // of a callback that finds another fault
			m.root.mc.Delete()
		}()
		return
	}
	m.deleteNode(m.root)
	if now := palloc.Top().TreeHeld(); now != m.base {
		m.Errorf("Top holds %d bytes after the program, and %d before", now, m.base)
	}
}

// compare checks what is cheap after each operation, and everything from time to time.
func (m *model) compare() {
	m.Helper()
	if m.wrong != "" {
		m.Fatal(m.wrong)
	}
	if m.ops%fullRate == 0 {
		m.compareAll()
		return
	}
	n := m.nodes[m.ops%len(m.nodes)]
	m.compareStats(n)
	if len(m.pieces) > 0 {
		m.verify(m.pieces[m.ops%len(m.pieces)])
	}
}

// compareAll compares the whole tree with the model.
func (m *model) compareAll() {
	m.Helper()
	sum := int64(0)
	for _, n := range m.nodes {
		m.compareStats(n)
		sum += n.mc.Held()
	}
	if got := m.root.mc.TreeHeld(); got != sum {
		m.Fatalf("the contexts hold %d bytes, and TreeHeld is %d", sum, got)
	}
	for _, c := range m.pieces {
		m.verify(c)
	}
	m.compareTree()
	if err := m.root.mc.Check(); err != nil {
		m.Fatal(err)
	}
	if m.wrong != "" {
		m.Fatal(m.wrong)
	}
}

// compareTree compares the links and the texts of the tree with the model.
func (m *model) compareTree() {
	m.Helper()
	want := m.root.preorder(nil)
	i := 0
	for mc := range m.root.mc.All() {
		if i >= len(want) || mc != want[i].mc {
			m.Fatalf("context %d of the tree is %s", i, mc.Path())
		}
		n := want[i]
		if i++; n != m.root && mc.Parent() != n.parent.mc {
			m.Fatalf("the parent of %s is %s", mc.Path(), mc.Parent().Path())
		}
		if mc.Ident() != n.ident {
			m.Fatalf("the ident of %s is %q, want %q", mc.Path(), mc.Ident(), n.ident)
		}
		if n.written != nil && string(n.buffer.Bytes()) != string(n.written) {
			m.Fatalf("the buffer in %s has other bytes than were written", mc.Path())
		}
	}
	if i != len(want) {
		m.Fatalf("the tree has %d contexts, want %d", i, len(want))
	}
}

// compareStats compares the figures of a context with each other and with its chunks.
func (m *model) compareStats(n *node) {
	m.Helper()
	s := n.mc.Stats()
	if s.Held != n.mc.Held() || s.Held != s.Used+s.Free || s.Free < 0 || s.Used < 0 || (s.Blocks == 0) != (s.Held == 0) {
		m.Fatalf("%s: the statistics are %+v, and it holds %d", n.mc.Path(), s, n.mc.Held())
	}
	if b := n.mc.Budget(); n.limit != palloc.NoLimit && (b.Held != n.mc.TreeHeld() || b.Peak < b.Held || b.Limit != n.limit) {
		m.Fatalf("%s: the budget is %+v, a walk finds %d, and the limit is %d", n.mc.Path(), b, n.mc.TreeHeld(), n.limit)
	}
	sum := int64(0)
	for _, c := range n.pieces {
		if n.frees() {
			sum += int64(palloc.Footprint(c.at))
		} else {
			sum += int64(c.size)
		}
	}
	if s.Used < sum {
		m.Fatalf("%s: %d bytes are used, less than the %d of %d live chunks", n.mc.Path(), s.Used, sum, len(n.pieces))
	}
	const head = 64 // bytes at most, of a block
	if n.frees() && n.buffer == nil && s.Used > sum+head*s.Blocks {
		m.Fatalf("%s: %d bytes are used in %d blocks, and the live chunks take %d", n.mc.Path(), s.Used, s.Blocks, sum)
	}
	if n.sort == slab && n.buffer != nil {
		m.Fatal("a buffer in a Slab")
	}
	if n.limit == palloc.NoLimit && len(n.children) == 0 && n.buffer == nil && n.mc.IsEmpty() != (len(n.pieces) == 0) {
		m.Fatalf("%s: IsEmpty is %v with %d chunks", n.mc.Path(), n.mc.IsEmpty(), len(n.pieces))
	}
}

// attempt calls f, which allocates in n, and returns its refusal: of a Try function the
// error, of others the panic.
func (m *model) attempt(n *node, f func() error) (err error) {
	m.Helper()
	m.released = 0
	func() {
		defer func() {
			switch r := recover().(type) {
			case nil:
			case *palloc.OutOfMemoryError:
				err = r
			default:
				panic(r)
			}
		}()
		err = f()
	}()
	if err == nil {
		return nil
	}
	oom := new(palloc.OutOfMemoryError)
	if !errors.As(err, &oom) || oom.LimitedBy == "" || oom.Held+oom.Need <= oom.Limit || oom.Context != n.mc.Path() {
		m.Fatalf("refused with %v", err)
	}
	reach("a limit refuses")
	return err
}

// fault calls f, which must panic with a *Fault and change no figure of the node.
func (m *model) fault(n *node, path string, f func()) {
	m.Helper()
	var before palloc.Stats
	if !n.ended {
		before = n.mc.Stats()
	}
	got := caught(f)
	if bad, ok := got.(*palloc.Fault); !ok || bad.Reason == "" {
		m.Fatalf("%s: got %v", path, got)
	}
	if !n.ended && n.mc.Stats() != before {
		m.Fatalf("%s: the statistics were %+v and are %+v", path, before, n.mc.Stats())
	}
	reach(path)
}

// caught returns what f panics with, nil for nothing.
func caught(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// Draws.

var (
	anyIndex  = rapid.IntRange(0, 1<<20)
	magnitude = rapid.IntRange(0, 24)
	within    = rapid.IntRange(0, 1<<16-1)
	coin      = rapid.Bool()
)

// index draws a number below n.
func (m *model) index(n int, label string) int { return anyIndex.Draw(m.T, label) % n }

// pick draws a context of the model.
func (m *model) pick() *node { return m.nodes[m.index(len(m.nodes), "context")] }

// pickPiece draws a chunk, nil if there is none.
func (m *model) pickPiece() *piece {
	if len(m.pieces) == 0 {
		return nil
	}
	return m.pieces[m.index(len(m.pieces), "chunk")]
}

// sizeIn draws the size of a chunk: half are at most 128 bytes, one in eight large.
func (m *model) sizeIn(n *node) int {
	if n.sort == slab {
		return n.size
	}
	limits := [...]int{8, 16, 32, 64, 64, 128, 128, 128, 256, 256, 512, 512, 1024, 1024, 2048, 2048, 4096, 4096, 8192, 8192, 8192, 16 << 10, 32 << 10, 64 << 10, 256 << 10}
	return within.Draw(m.T, "part") * (limits[magnitude.Draw(m.T, "magnitude")] + 1) >> 16
}

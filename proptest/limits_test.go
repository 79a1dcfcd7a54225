package proptest_test

import (
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The operations on limits and memory of the process, and misuse.
//
// Invariant: a callback of OnPressure frees neither the chunk that is being resized nor
// a buffer.
//
// Cost: that of palloc.

func (m *model) setLimit() {
	n := m.pick()
	if m.index(4, "limit") == 0 {
		n.limit = palloc.NoLimit
	} else {
		n.limit = n.mc.TreeHeld() + int64(within.Draw(m.T, "room"))/2
	}
	n.mc.SetLimit(n.limit)
}

func (m *model) setSoftLimit() {
	n := m.pick()
	if coin.Draw(m.T, "none") {
		n.mc.SetSoftLimit(palloc.NoLimit)
		return
	}
	n.mc.SetSoftLimit(int64(within.Draw(m.T, "bytes")))
}

// onPressure registers a callback of OnPressure, or removes the one there is.
func (m *model) onPressure() {
	n := m.pick()
	if n.unpress != nil {
		if !n.unpress() {
			m.Fatalf("the callback of %s was not registered", n.mc.Path())
		}
		n.unpress = nil
		return
	}
	n.unpress = n.mc.OnPressure(func(p palloc.Pressure) error { m.press(n, p); return nil })
}

// press is a callback of OnPressure: it frees chunks of its context.
func (m *model) press(n *node, p palloc.Pressure) {
	if p.Missing <= 0 || p.Need < p.Missing || !p.Asker.Live() || !p.Limit.Live() {
		m.failf("asked %+v", p)
	}
	reachIf(p.Soft, "a soft limit asks")
	if !n.frees() {
		return
	}
	for freed, i := int64(0), len(n.pieces)-1; i >= 0 && freed < p.Need; i-- {
		if c := n.pieces[i]; c != m.busy {
			freed += int64(palloc.Footprint(c.at))
			m.free(c)
			if !p.Soft {
				m.released++
			}
		}
	}
	n.mc.Compact()
}

func (m *model) compact() {
	n := m.pick()
	before := n.mc.Stats()
	released := n.mc.Compact()
	after := n.mc.Stats()
	if released < 0 || before.Held-after.Held != released || after.Used > before.Used {
		m.Fatalf("%s: Compact returns %d, and the statistics were %+v and are %+v", n.mc.Path(), released, before, after)
	}
	if n.sort == bump && released != 0 {
		m.Fatalf("Compact of a Bump returns %d", released)
	}
	reachIf(n.sort == allocSet && after.FreeChunks < before.FreeChunks, "Compact joins free chunks")
	if n.sort == allocSet || n.sort == slab {
		reachIf(released > 0, "Compact returns a block: "+n.sort.String())
	}
	if released = n.mc.Compact(); released != 0 {
		m.Fatalf("%s: a second Compact returns %d", n.mc.Path(), released)
	}
}

// trim trims one time in sixteen: it takes as long as hundreds of other operations.
func (m *model) trim() {
	if m.index(16, "trim") != 1 {
		return
	}
	returns := osmem.Current().DiscardFrees() // not what lies on Go's heap
	reachIf(palloc.Trim() > 0 || !returns, "Trim returns memory")
	if p := palloc.PageHeap(); returns && p.Retained > p.Held+(1<<20) {
		m.Fatalf("after Trim the page heap is %+v", p)
	}
}

// misuse misuses a chunk or a context, which must be a Fault that changes nothing.
func (m *model) misuse() {
	n := m.pick()
	switch m.index(5, "misuse") {
	case 0:
		m.fault(n, "a wrong size for a Slab is a Fault", func() {
			if n.sort == slab {
				n.mc.Alloc(n.size + 1)
			}
			n.mc.Alloc(-1)
		})
	case 1:
		if c := m.pickPiece(); c != nil && c.size >= 24 && c.size <= sparse && c.slice == nil && c.node.frees() {
			m.fault(c.node, "a free of the middle of a chunk is a Fault", func() { palloc.FreePointer(unsafe.Add(c.at, 8+c.size/2&^7)) })
		}
	case 2:
		if c := m.pickPiece(); c != nil && !c.node.frees() && m.follows(c) {
			m.fault(c.node, "a free in a Bump is a Fault", func() { palloc.Realloc(c.at, 8) })
		}
	case 3:
		m.critical(n)
	case 4:
		if c := m.pickPiece(); c != nil && c.node.sort == slab {
			m.fault(c.node, "a wrong size for a Slab is a Fault", func() { palloc.Realloc(c.at, c.size+100_000) })
			m.verify(c)
		}
	}
}

// critical allocates in a critical section: it is a Fault where a new block is needed.
func (m *model) critical(n *node) {
	leave := n.mc.EnterCritical()
	defer leave()
	size, held := 20_000, n.mc.Held()
	if n.sort == slab {
		size = n.size
	}
	var at unsafe.Pointer
	got := caught(func() { at = n.mc.Alloc(size) })
	switch bad, isFault := got.(*palloc.Fault); {
	case got == nil && n.mc.Held() == held:
		m.take(n, at, size, 8)
	case isFault && n.mc.Held() == held && bad.Context == n.mc.Path():
		reach("a critical section is a Fault")
	default:
		m.Fatalf("%s: an allocation in a critical section gives %v; %d bytes were held, and are %d", n.mc.Path(), got, held, n.mc.Held())
	}
}

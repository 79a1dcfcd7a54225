package trace_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/gopalloc/palloc/trace"
)

// What the reader computes in addition to the ops (slots, deaths, old sizes, the peak)
// against a model of the format's own words, kept in maps.

type modelChunk struct {
	mc   uint32
	size int64
}

type model struct {
	t      testing.TB
	tr     *trace.Trace
	chunks map[uint32]modelChunk          // by slot
	owned  map[uint32]map[uint32]struct{} // slots by context
	kids   map[uint32]map[uint32]struct{}
	parent map[uint32]uint32
}

func newModel(t testing.TB, tr *trace.Trace) *model {
	return &model{t: t, tr: tr,
		chunks: map[uint32]modelChunk{},
		owned:  map[uint32]map[uint32]struct{}{},
		kids:   map[uint32]map[uint32]struct{}{trace.None: {}},
		parent: map[uint32]uint32{}}
}

// below returns the descendants of a context in any order.
func (m *model) below(mc uint32) (all []uint32) {
	for kid := range m.kids[mc] {
		all = append(append(all, kid), m.below(kid)...)
	}
	return all
}

func (m *model) move(mc, parent uint32) {
	if old, ok := m.parent[mc]; ok {
		delete(m.kids[old], mc)
	}
	m.parent[mc] = parent
	m.kids[parent][mc] = struct{}{}
}

// release returns what the op ends by the words of the format.
func (m *model) release(o trace.Op) (slots, contexts []uint32) {
	mc, code := o.Context(), o.Code()
	var emptied []uint32
	if code != trace.OpResetOnly {
		emptied = m.below(mc)
	}
	if code == trace.OpReset || code == trace.OpDelete || code == trace.OpDeleteChildren {
		contexts = slices.Clone(emptied)
	}
	if code == trace.OpReset || code == trace.OpResetOnly || code == trace.OpDelete {
		emptied = append(emptied, mc)
	}
	if code == trace.OpDelete {
		contexts = append(contexts, mc)
	}
	for _, c := range emptied {
		slots = slices.AppendSeq(slots, maps.Keys(m.owned[c]))
		clear(m.owned[c])
	}
	for _, c := range contexts {
		delete(m.kids[m.parent[c]], c)
		delete(m.parent, c)
	}
	return slots, contexts
}

// step carries one op out and compares what the trace says of it.
func (m *model) step(i int, o trace.Op) {
	switch code := o.Code(); {
	case code == trace.OpCreate:
		m.owned[o.Context()], m.kids[o.Context()] = map[uint32]struct{}{}, map[uint32]struct{}{}
		m.move(o.Context(), o.Parent())
	case code == trace.OpSetParent:
		m.move(o.Context(), o.Parent())
	case code == trace.OpAlloc:
		if _, taken := m.chunks[o.Slot()]; taken || int(o.Slot()) >= m.tr.Counts().MaxLive {
			m.t.Fatalf("op %d: slot %d is taken, or beyond the table", i, o.Slot())
		}
		m.chunks[o.Slot()] = modelChunk{o.Context(), o.Size()}
		m.owned[o.Context()][o.Slot()] = struct{}{}
	case code == trace.OpRealloc:
		if mc, old := m.tr.Resize(o); m.chunks[o.Slot()] != (modelChunk{mc, old}) {
			m.t.Fatalf("op %d: the resize is of %d bytes in context %d, want %+v", i, old, mc, m.chunks[o.Slot()])
		}
		m.chunks[o.Slot()] = modelChunk{m.chunks[o.Slot()].mc, o.Size()}
	case code == trace.OpFree:
		m.drop(i, o.Context(), o.Slot())
		delete(m.owned[o.Context()], o.Slot())
	case code.Releases():
		m.compare(i, o)
	}
}

func (m *model) compare(i int, o trace.Op) {
	slots, contexts := m.release(o)
	got := m.tr.Deaths(o)
	if !sameSet(got.Slots, slots) || !sameSet(got.Contexts, contexts) {
		m.t.Fatalf("op %d: %s ends %+v, want slots %d and contexts %d", i, o.Code(), got, slots, contexts)
	}
	for _, slot := range slots {
		m.drop(i, m.chunks[slot].mc, slot)
	}
}

func (m *model) drop(i int, mc, slot uint32) {
	if c, ok := m.chunks[slot]; !ok || c.mc != mc {
		m.t.Fatalf("op %d: slot %d of context %d is freed, but holds %+v", i, slot, mc, c)
	}
	delete(m.chunks, slot)
}

// sameSet reports whether two lists hold the same elements, each once.
func sameSet(a, b []uint32) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// bytes returns the sum of the live sizes, counted anew.
func (m *model) bytes() (sum int64) {
	for _, c := range m.chunks {
		sum += c.size
	}
	return sum
}

// wantModelled walks the whole trace and the model together.
func wantModelled(t *testing.T, tr *trace.Trace) {
	m := newModel(t, tr)
	live := 0
	for i, o := range tr.Ops() {
		m.step(i, o)
		live = max(live, len(m.chunks))
		if i+1 == tr.PeakOps() && m.bytes() != tr.Counts().PeakBytes {
			t.Errorf("%d bytes are live after %d ops, want the peak of %d", m.bytes(), i+1, tr.Counts().PeakBytes)
		}
		if i+2 == tr.PeakOps() && m.bytes() >= tr.Counts().PeakBytes {
			t.Errorf("the peak is reached before op %d already", i+1)
		}
	}
	if live != tr.Counts().MaxLive {
		t.Errorf("at most %d chunks are live, want %d", live, tr.Counts().MaxLive)
	}
}

func TestSampleAgreesWithTheModel(t *testing.T) { wantModelled(t, sample(t)) }

func TestRecordingsAgreeWithTheModel(t *testing.T) {
	forEachRecording(t, func(t *testing.T, _ string, tr *trace.Trace) {
		wantModelled(t, tr)
	})
}

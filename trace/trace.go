package trace

import (
	"fmt"
	"math"
	"slices"
)

// A trace in memory: the ops, and the tables that they index.
//
// Invariant: every table but meta is free of pointers, and all of them agree,
// because only a builder fills them. Cost: 16 bytes an op, 8 a reset or delete,
// 4 a chunk or context that one of those ends, 32 a context.

// Counts are the figures in the header of a trace.
type Counts struct {
	Ops       int   // all ops
	Allocs    int   // ops that are OpAlloc
	Contexts  int   // ops that are OpCreate
	MaxLive   int   // most chunks live at one time; also the number of slots
	PeakBytes int64 // largest sum of the sizes of live chunks, in bytes
	ForkOp    int   // index of the first op of the process itself; ops before it are inherited
}

// A Meta is one remark about a trace, such as the name of the workload.
type Meta struct {
	Key, Value string
}

// A Trace is a recording in memory. It is immutable. [Read], [ReadFile] and a
// [Recorder] make one.
type Trace struct {
	counts   Counts
	text     stringTable
	meta     []Meta
	ops      []Op
	contexts []definition
	resizes  []resize

	deadSlots    []uint32 // slots that resets and deletes end, op after op
	deadContexts []uint32 // contexts likewise
	deaths       []death  // one past the ends in both, by release; the first is zero

	kinds   [numCodes]int
	peakOps int
	largest int64
}

// resize is what an OpRealloc has no room for.
type resize struct {
	old int64 // bytes before
	mc  uint32
}

// death is how far deadSlots and deadContexts reach after one release.
type death struct {
	slots, contexts uint32
}

// Deaths are the chunks and contexts that one reset or delete ends, descendants
// before their parents. Both slices belong to the trace.
type Deaths struct {
	Slots    []uint32 // slots of the chunks
	Contexts []uint32 // contexts that are deleted
}

// Counts returns the figures of the header.
func (t *Trace) Counts() Counts { return t.counts }

// Ops returns the calls in order. The slice belongs to the trace; do not change it.
func (t *Trace) Ops() []Op { return t.ops }

// Count returns how many ops are of the given code.
func (t *Trace) Count(c Code) int {
	if int(c) >= len(t.kinds) {
		return 0
	}
	return t.kinds[c]
}

// Replayed returns how many ops count as operations of a replay; see
// [Code.Replayed].
func (t *Trace) Replayed() int {
	n := 0
	for c, k := range t.kinds {
		if Code(c).Replayed() {
			n += k
		}
	}
	return n
}

// WithoutQuestions returns an equal trace without the ops that a replay skips, the
// questions about memory.
func (t *Trace) WithoutQuestions() *Trace {
	u := *t
	u.ops = make([]Op, 0, len(t.ops))
	fork := t.counts.ForkOp
	for i, o := range t.ops {
		if !o.Code().asks() {
			u.ops = append(u.ops, o)
			continue
		}
		if i < t.peakOps {
			u.peakOps--
		}
		if i < fork {
			u.counts.ForkOp--
		}
	}
	u.counts.Ops = len(u.ops)
	u.kinds[OpSpace], u.kinds[OpMemAllocated] = 0, 0
	return &u
}

// PeakOps returns after how many ops the live bytes first reach PeakBytes: the
// trace is at its peak when Ops()[:PeakOps()] are done. It is 0 for a trace
// that never holds a byte.
func (t *Trace) PeakOps() int { return t.peakOps }

// Largest returns the largest size of any chunk, in bytes.
func (t *Trace) Largest() int64 { return t.largest }

// Addressable returns nil, or an error that says which chunk is too large for the
// machine: a replay can address its chunks.
func (t *Trace) Addressable() error {
	if t.largest > math.MaxInt {
		return fmt.Errorf("trace: a chunk of %d bytes is more than the %d that can be addressed here", t.largest, math.MaxInt)
	}
	return nil
}

// Resize returns the context of the chunk that an OpRealloc concerns, and its
// size in bytes before.
func (t *Trace) Resize(o Op) (mc uint32, old int64) {
	r := &t.resizes[o.mc]
	return r.mc, r.old
}

// Deaths returns what a reset or delete (see [Code.Releases]) ends.
func (t *Trace) Deaths(o Op) Deaths {
	from, to := t.deaths[o.arg], t.deaths[o.arg+1]
	return Deaths{
		Slots:    t.deadSlots[from.slots:to.slots],
		Contexts: t.deadContexts[from.contexts:to.contexts],
	}
}

// Ident returns the ident that an OpSetIdent gives, "" for none. The text is
// part of the trace: nothing is copied.
func (t *Trace) Ident(o Op) string {
	if o.arg == None {
		return ""
	}
	return t.text.at(o.arg)
}

// Meta returns the value of a remark, "" when the trace has none of that key.
func (t *Trace) Meta(key string) string {
	i := slices.IndexFunc(t.meta, func(m Meta) bool { return m.Key == key })
	if i < 0 {
		return ""
	}
	return t.meta[i].Value
}

// Metas returns all remarks, in the order of the file. The caller owns the slice.
func (t *Trace) Metas() []Meta { return slices.Clone(t.meta) }

package trace

import "unsafe"

// Placing a trace outside of Go's heap.
//
// A trace of millions of ops weighs tens of megabytes. On the heap they would
// set the pace of the collector: a replay of a Go allocator would be collected
// far less often than the program it stands for.
//
// Invariant: only tables without pointers are placed. Cost: one copy of each.

// Size returns the bytes of the tables of the trace.
func (t *Trace) Size() int {
	var p placer
	t.place(&p)
	return p.used
}

// Place returns an equal trace whose tables lie in the memory, which has Size bytes,
// is aligned to 8, and is kept by the caller for as long as the trace is used.
func (t *Trace) Place(memory []byte) *Trace { return t.place(&placer{memory: memory}) }

// place returns the trace with its tables where the placer puts them.
func (t *Trace) place(p *placer) *Trace {
	u := *t
	u.text.text = place(p, t.text.text)
	u.text.ends = place(p, t.text.ends)
	u.ops = place(p, t.ops)
	u.contexts = place(p, t.contexts)
	u.resizes = place(p, t.resizes)
	u.deadSlots = place(p, t.deadSlots)
	u.deadContexts = place(p, t.deadContexts)
	u.deaths = place(p, t.deaths)
	return &u
}

// A placer puts tables into memory, one after the other. Without memory it counts.
type placer struct {
	memory []byte
	used   int
}

// place copies a table into the memory.
func place[T any](p *placer, table []T) []T {
	from := p.used
	p.used += (len(table)*int(unsafe.Sizeof(*new(T))) + 7) &^ 7
	if p.memory == nil || len(table) == 0 {
		return nil
	}
	moved := unsafe.Slice((*T)(unsafe.Pointer(&p.memory[from])), len(table))
	copy(moved, table)
	return moved
}

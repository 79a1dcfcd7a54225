package trace

import "unsafe"

// Placing a trace outside of Go's heap.
//
// A trace of millions of ops weighs tens of megabytes. On the heap they would
// set the pace of the collector: a replay of a Go allocator would be collected
// far less often than the program it stands for.
//
// Invariant: only tables without pointers are placed. Cost: one copy of each.

// Place returns an equal trace whose tables lie in memory from alloc, which is
// called once for each with its size in bytes (never 0) and returns memory
// aligned to 8 that the caller keeps for as long as the trace is used.
func (t *Trace) Place(alloc func(size int) unsafe.Pointer) *Trace {
	u := *t
	u.text.text = place(t.text.text, alloc)
	u.text.ends = place(t.text.ends, alloc)
	u.ops = place(t.ops, alloc)
	u.contexts = place(t.contexts, alloc)
	u.resizes = place(t.resizes, alloc)
	u.deadSlots = place(t.deadSlots, alloc)
	u.deadContexts = place(t.deadContexts, alloc)
	u.deaths = place(t.deaths, alloc)
	return &u
}

// place copies a table into memory from alloc.
func place[T any](table []T, alloc func(size int) unsafe.Pointer) []T {
	if len(table) == 0 {
		return nil
	}
	p := alloc(len(table) * int(unsafe.Sizeof(table[0])))
	moved := unsafe.Slice((*T)(p), len(table))
	copy(moved, table)
	return moved
}

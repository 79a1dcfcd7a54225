package backend

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/trace"
)

// Traces off Go's heap, where their size does not set the pace of the collector.
//
// Invariant: palloc does not know of the memory, so that a replay finds it as a new
// process has it. Cost: a copy of the trace, and a few system calls.

// OffHeap returns an equal trace in memory of the operating system, or of Go's heap
// where the system gives out none. It is resident, and never given back. OffHeap
// fails when the system refuses, and when the trace is not [trace.Trace.Addressable].
func OffHeap(t *trace.Trace) (*trace.Trace, error) {
	if err := t.Addressable(); err != nil {
		return nil, err
	}
	const page = 64 << 10 // of any system
	size := (uintptr(t.Size()) + page - 1) &^ (page - 1)
	m := osmem.Current()
	at, err := m.Reserve(size)
	if err == nil {
		err = m.Commit(at, size)
	}
	if err != nil {
		return nil, fmt.Errorf("backend: no memory for the %d bytes of the trace: %w", size, err)
	}
	return t.Place(osmem.Bytes(at, size)), nil
}

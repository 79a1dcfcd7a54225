package checked

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/kind"
)

// Where a pointer in a context leads.
//
// Invariant: only what is certain is called wrong: memory of a context that has ended, or ends
// before; and Go's heap, where it can be told from other memory.
//
// Cost: a search for the block, and a walk up the tree.

// Below reports whether the context of a node is below that of another one, and returns its path.
// Package tree sets it. Any goroutine; the tree's lock must not be held.
var Below func(c, above *kind.Core) (path string, below bool)

// destination returns what is wrong with a pointer in a chunk of a context to an address, "" for
// nothing.
func destination(from *kind.Core, to uintptr) string {
	if b := blockAt(to); b != nil {
		of, chunk, wrong := b.holder(from, to)
		if wrong != "" || of == nil {
			return wrong
		}
		return endsBefore(from, of, chunk)
	}
	if block.Readable(to &^ 7) {
		addr, ok := block.Find(to)
		if !ok || !kind.IsOpened(kind.BlockAt(addr).Owner) {
			return "memory that no context holds"
		}
		return endsBefore(from, kind.At(kind.BlockAt(addr).Owner).Owner(), "memory")
	}
	if onGoHeap(to) {
		return "Go's heap, or a stack: nothing keeps what is there alive"
	}
	return ""
}

// holder returns the node in whose chunk an address is, and describes the chunk, or what is wrong with the
// address. The node is nil if that is not known: another goroutine is inside of the other context.
// The state of from is entered.
func (b *chunks) holder(from *kind.Core, to uintptr) (of *kind.Core, chunk, wrong string) {
	if b.retired.Load() {
		arena.mu.Lock()
		defer arena.mu.Unlock()
		if !b.retired.Load() {
			return nil, "", ""
		}
	} else if of = b.core; of != from {
		s := stateOf(of)
		if !s.mu.TryLock() {
			return nil, "", ""
		}
		defer s.mu.Unlock()
		if b.retired.Load() || b.core != of {
			return nil, "", ""
		}
	}
	i, ok := b.find(to)
	switch {
	case !ok || to < b.at(i):
		return nil, "", "memory of a context in which there is no chunk"
	case b.records[i].state != inUse:
		return nil, "", fmt.Sprintf("%s, which was %s", b.describe(i), b.endedBy(i))
	}
	return of, b.describe(i), ""
}

// endsBefore returns what is wrong when a context holds a pointer to a chunk of another one.
func endsBefore(from, of *kind.Core, chunk string) string {
	if from == of || Below == nil {
		return ""
	}
	if path, below := Below(of, from); below {
		return fmt.Sprintf("%s of the context %q, which ends before", chunk, path)
	}
	return ""
}

// onGoHeap reports whether an address is certainly in Go's heap, where stacks are, too. With 64
// bits the heap begins in a window of the address space in which nothing else is.
func onGoHeap(p uintptr) bool {
	heap, static := uintptr(unsafe.Pointer(freshPage)), uintptr(unsafe.Pointer(&freshPage)) // only compared
	window := func(p uintptr) uint64 { return uint64(p) >> 38 }                             // with 32 bits all are in one
	return window(p) == window(heap) && window(heap) != window(static)
}

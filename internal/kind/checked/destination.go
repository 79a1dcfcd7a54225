package checked

import (
	"fmt"

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
	of, unlock, ok := b.hold(from)
	if !ok {
		return nil, "", ""
	}
	defer unlock()
	i, ok := b.find(to)
	switch {
	case !ok || to < b.at(i):
		return nil, "", "memory of a context in which there is no chunk"
	case !b.records[i].isHeld():
		return nil, "", fmt.Sprintf("%s, which was %s", b.describe(i), b.endedBy(i))
	}
	return of, b.describe(i), ""
}

// hold keeps the records of the block as they are until unlock is called; ok is false if another goroutine
// is changing them. of is the node whose chunks they are, nil if they are retired. The state of
// from is entered.
func (b *chunks) hold(from *kind.Core) (of *kind.Core, unlock func(), ok bool) {
	if b.retired.Load() {
		arena.mu.Lock()
		if !b.retired.Load() {
			arena.mu.Unlock()
			return nil, nil, false
		}
		return nil, arena.mu.Unlock, true
	}
	if of = b.core; of == from {
		return of, func() {}, true
	}
	if unlock, ok = stateOf(of).look(); !ok {
		return nil, nil, false
	}
	if b.retired.Load() || b.core != of {
		unlock()
		return nil, nil, false
	}
	return of, unlock, true
}

// Any is 1 once there is a checked chunk; before, Owns is false for every address. A goroutine that has the
// address of a checked chunk sees it with relaxed.Peek.
var Any uintptr

// Use returns a finding if an address that a value refers to is in memory of a checked context in which
// there is no live chunk; nil if there is one, or if that is not known. Any goroutine.
func Use(p uintptr) *Finding {
	b := blockAt(p)
	if b == nil {
		return nil
	}
	_, unlock, ok := b.hold(nil)
	if !ok {
		return nil
	}
	defer unlock()
	i, ok := b.find(p)
	switch {
	case !ok || len(b.records) == 0 || p < b.at(i):
		return &Finding{Mistake: AccessAfterEnd, Core: b.core, Epoch: b.epoch, Name: b.name, From: p, Bytes: 1,
			Text: "the value refers to memory of a context in which there is no chunk"}
	case b.records[i].isHeld():
		return nil
	}
	f := b.finding(AccessAfterEnd, i, fmt.Sprintf("the value refers to %s, which was %s", b.describe(i), b.endedBy(i)))
	f.From, f.Bytes = p, 1
	return f
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

// Package tree holds the tree of contexts: their nodes, the links between them, their
// names, and their lives.
//
// A context is created, reset, deleted, and, when its owner was dropped, deleted by
// another goroutine. Its node then is free, or cached with its parent, and serves the
// next context.
//
// # The life of a context
//
// A node is in one of four states:
//
//   - live: the kind in its epoch is not kind.None, and it is linked below its parent.
//   - claimed: live, and one goroutine resets or deletes it without the lock, or runs its
//     callbacks. Only the deletion of a dropped context waits for it.
//   - cached: the kind in its epoch is kind.None, its word CachedAs is not 0, and it is
//     linked among the first children of its parent. See cached.go.
//   - free: the kind is kind.None, CachedAs is 0, and it is on a list of free nodes. See
//     free.go.
//
// Create makes a free or a cached node live, Delete makes a live one cached or free, and
// an eviction makes a cached one free. The lock of the tree guards all of that but two
// steps, which a context that holds little takes without it: from live to cached, and
// from cached to live.
//
// Two pairs of stores and loads, each with a fence in between, make these two safe:
//
//   - A goroutine that creates a child links or takes its node, then asks whether the
//     parent is live. A goroutine that deletes the parent writes its epoch, then asks for
//     children. At least one of them sees the other: the creation is undone, or the
//     deletion begins again.
//   - A goroutine that adds an entry about a context to a side table sets the bit in Has,
//     then asks whether the context is live. The deletion writes the epoch, then reads
//     Has. At least one of them sees the other: the entry is not made, or the deletion
//     takes the lock.
//
// A cached node belongs to the goroutine that swaps its word CachedAs for 0.
package tree

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Node is PostgreSQL's MemoryContextData. It is a slot outside Go's heap, in memory that
// is never used for anything else.
//
//	PostgreSQL          here
//	type                the highest bits of Epoch
//	isReset             derived: Cur is at the beginning, or there is no block
//	mem_allocated       Total
//	methods             kinds.Methods[kind]
//	parent, firstchild  Parent, FirstChild
//	prevchild           prevSibling
//	nextchild           NextSibling
//	name                name
//	ident, reset_cbs    side tables on Go's heap, for contexts that have any
//
// Invariant: links are written under the tree's lock. They are read under it, too, but
// for the search for a cached node. Live and cached nodes form one tree below the root,
// and another one below the place for dropped contexts.
type Node struct {
	kind.Core

	nameKey     uint64 // of the kept name; first, so that it is aligned
	Parent      uint32 // the number of the parent's node, 0 for none
	prevSibling uint32 // as Parent
	NextSibling uint32 // as Parent; of a free node, the next one on its list
	name        uint32 // in the table of names
}

var _ [kind.PrivateAt - unsafe.Sizeof(Node{})]byte // a node leaves the kind's own part alone

// The bits of the word Has. Each says that something is known of the context elsewhere.
const (
	HasCallbacks   = 1 << iota
	HasIdent       //
	HasListeners   // callbacks of OnPressure
	HasAccount     // a budget of its own
	AllowsCritical // it may acquire blocks in a critical section
	HasShards      // it is Shared
	IsPermanent    // it lives as long as the process: the root, and Emergency
	HasCreation    // its creation is recorded, or it must not be cached: see RecordCreations
	isClaimed      // a goroutine resets or deletes it without the lock
	HasCancel      // CancelWaits was called
)

// Ref identifies one life of a node: the context that it then is. The zero Ref is none.
type Ref struct {
	Core  *kind.Core
	Epoch uint64
}

// RefOf returns the context that the node of c is now.
func RefOf(c *kind.Core) Ref { return Ref{c, relaxed.Load64(&c.Epoch)} }

// Ref returns the context that the node is now.
func (s *Node) Ref() Ref { return RefOf(&s.Core) }

// Live reports whether the context exists. Without the tree's lock the answer may be old.
func (mc Ref) Live() bool {
	return mc.Core != nil && relaxed.Load64(&mc.Core.Epoch) == mc.Epoch
}

// Owned reports whether mc, read from a node, is a context at all.
func (mc Ref) Owned() bool { return kind.KindOf(mc.Epoch) != kind.None }

// Node returns the whole node. The tree's lock guards its links.
func (mc Ref) Node() *Node { return kind.Slot[Node](mc.Core) }

// At returns the node with a number, which must have been handed out.
func At(number uint32) *Node { return kind.Slot[Node](kind.At(number)) }

// IsRoot reports whether the node is the root of the tree.
func (s *Node) IsRoot() bool { return s.Number() == rootNumber }

// maxPath is the maximum number of names in a path.
const maxPath = StepsPerHold

// PathOf returns the path of the context whose memory c is. The tree's lock must be held.
func PathOf(c *kind.Core) string {
	var parts []string
	for s := kind.Slot[Node](c.Owner()); ; s = At(s.Parent) {
		if Step(1); len(parts) == maxPath {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, s.Name())
		if s.Parent == 0 {
			break
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

// Explain turns a failure of an operation on the context of c into what the operation
// panics with: a kind.Misuse, a *Gone, or what a kind returned when memory ran out. The
// root package sets it. It takes the tree's lock.
var Explain func(c *kind.Core, op string, size uintptr, err error) error

// Gone is the error of using a context that does not exist.
type Gone struct {
	Name   string // the last one, "" if it is not known
	Reason string
}

// Error returns the reason.
func (g *Gone) Error() string { return g.Reason }

// Gone returns why the context, which is not live, does not exist. It takes the tree's
// lock.
func (mc Ref) Gone() *Gone {
	if mc.Core == nil {
		return &Gone{Reason: "the zero Context is no context: create one with NewAllocSet or its kin"}
	}
	Lock()
	defer Unlock()
	if RefOf(mc.Core).Epoch == kind.NextEpoch(mc.Epoch, kind.None) {
		return &Gone{Name: mc.Node().Name(), Reason: "the context was deleted"}
	}
	return &Gone{Reason: "the context was deleted long ago, and its memory serves another one"}
}

// gone returns what op panics with, since the context does not exist.
func (mc Ref) gone(op string) error { return Explain(nil, op, 0, mc.Gone()) }

// Package tree holds the tree of contexts: their nodes, the links between them, their
// names, and their lives.
//
// A context is created, reset and deleted. One whose owner dropped it is deleted by another
// goroutine. Its node then is free, or cached with its parent, and serves a later context.
//
// # The life of a context
//
// A node that is no shard (see shards.go) is in one of these states:
//
//   - free: its epoch has kind.None, its word CachedAs is 0, and it is on a list of free
//     nodes. See free.go.
//   - live: its epoch has a kind, and it is linked below its parent. It is a context.
//   - claimed: live, with the bit isClaimed. A reset or deletion that began above it, or the
//     deletion of a dropped context, runs its callbacks, resets it or releases its blocks
//     without the lock. Only the deletion of a dropped context waits for the end of a claim.
//   - taken: its epoch has kind.None, CachedAs is 0, and it is linked. One goroutine owns it,
//     between two steps of a creation, a deletion or an eviction. Others leave it alone; a
//     deletion that meets it yields and looks again.
//   - cached: its epoch has kind.None, CachedAs is not 0, and it is linked, as a rule among
//     the first children of its parent. See cached.go.
//
// These steps lead from one state to another:
//
//	create   free -> live, or cached -> taken -> live   create.go
//	reset    live -> live, with the same epoch          end.go
//	delete   live -> taken -> cached or free            end.go, descent.go
//	evict    cached -> taken -> free                    cached.go
//	drop     live -> live, below droppedRoot            dropped.go
//	undo     taken -> live, by a deletion that finds a child;
//	         taken -> cached, by a creation that took another node than it had found
//
// The lock of the tree guards all of them but these: a creation from a cached node, the
// reset of the context itself, and the deletion of one leaf by its owner or by the goroutine
// that claimed it. That deletion writes the epoch without the lock. If nothing is known of
// the context in side tables it also caches the node without it; else it takes the lock for
// the rest.
//
// What these leave to chance is settled by fences. On both sides of a race a goroutine
// writes one word, passes a fence, and reads the word that the other one writes. So at least
// one of them sees the other. The models in testdata have the steps without the lock, and
// what others do under it meanwhile: spin looks at all orders in which they and their stores
// can happen, and finds an error when a fence or a check is missing. docs/CONCURRENCY.md says
// which instructions the fences are. An atomic store, a swap or an unlock is one:
//
//   - A goroutine that creates a child, or moves one, links or takes its node, then reads
//     whether the parent is live. A goroutine that deletes the parent writes its epoch, then
//     reads its children. So the creation or the move is undone, or the deletion finds a
//     child, or both: then it makes the context live again and begins anew. A deletion that
//     holds the lock needs none of that once no child is left, not even a cached one: no
//     other goroutine can link one.
//   - A move takes the context from its old parent first, which may be deleted meanwhile, and
//     puts it back when the new one was. So it sets HasCreation in the old parent before,
//     and leaves the bit there when it puts the context back. The deletion reads its
//     children, then Has: it finds the child, or takes the lock and looks again.
//   - The context itself may be deleted while it is moved, and its node cached, and another
//     one created from that. So the move sets HasCreation in the context, too, passes a
//     fence, and then reads whether it is live. The deletion writes the epoch, then reads
//     Has. So there is no move, or the deletion waits for it.
//   - A goroutine that adds an entry about a context to a side table sets the bit in Has,
//     then reads whether the context is live: see LockToEnter. The deletion writes the
//     epoch, then reads Has. So the entry is not made, or the deletion takes the lock.
//     Callbacks need no fence, since only the owner registers them. The bits Limited and
//     HasCreation need none either: a node may be cached with them, and they then hold for
//     its next context.
//   - A cached node belongs to the goroutine that swaps its word CachedAs for 0, be it for a
//     creation or an eviction. Before the swap the node may have been freed, or been another
//     context, since it was found. So after the swap a creation compares the name and the
//     parent, and puts the word back if they differ. A node's memory is never used for
//     anything else, so that a goroutine that does not own it may read it.
package tree

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
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
	HasLongIdent   // of more than maxShortIdent bytes
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
	Ended  checked.Stack // where it was deleted, if that was recorded
}

// Error returns the reason.
func (g *Gone) Error() string { return g.Reason }

// Gone returns why the context, which is not live, does not exist. It takes the tree's
// lock.
func (mc Ref) Gone() *Gone {
	if mc.Core == nil {
		return &Gone{Reason: "the zero Context refers to no context: create one, for example with NewAllocSet"}
	}
	Lock()
	defer Unlock()
	if name, why, ok := checked.End(mc.Core, kind.NextEpoch(mc.Epoch, kind.None)); ok {
		return &Gone{Name: name, Ended: why, Reason: "the context was deleted" + why.By()}
	}
	if mc.wasLast() {
		return &Gone{Name: mc.Node().Name(), Reason: "the context was deleted: by itself, or when a context above it was reset or deleted"}
	}
	return &Gone{Reason: "the context was deleted, and its memory has served another one since: its name is not known"}
}

// wasLast reports whether the context, which is not live, is the last one that its node was.
func (mc Ref) wasLast() bool { return RefOf(mc.Core).Epoch == kind.NextEpoch(mc.Epoch, kind.None) }

// LastName returns the name that the context, which is not live, had; "(deleted)" when that
// is not known. The tree's lock must be held.
func (mc Ref) LastName() string {
	if name := mc.Node().Name(); mc.wasLast() && name != "" {
		return name
	}
	return "(deleted)"
}

// gone returns what op panics with, since the context does not exist.
func (mc Ref) gone(op string) error { return Explain(nil, op, 0, mc.Gone()) }

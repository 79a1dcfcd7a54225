package palloc

import (
	"slices"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// core is PostgreSQL's MemoryContextData. It lies outside Go's heap in a slot
// that only ever holds cores; a Context leads to it.
//
//	PostgreSQL          here
//	type                the highest bits of Epoch
//	isReset             derived: Cur stands at the beginning, or there is no block
//	mem_allocated       Total
//	methods             kinds.Methods[kind]
//	parent, firstchild  parent, FirstChild
//	prevchild           prevSibling
//	nextchild           nextSibling
//	name                name
//	ident, reset_cbs    side tables on the Go heap, for contexts that have any
//
// Invariant: the links are written under the tree's lock, and read so but where parked
// cores are looked for; they form one tree below top, but for what hangs in limbo. A
// core that no context owns has kind.None in its Epoch and is a free core, or parked
// with its parent.
type core struct {
	kind.Core

	nameKey                  uint64 // of the kept name; first, so that it is aligned
	parent                   uint32 // numbers of cores, 0 for none
	prevSibling, nextSibling uint32
	name                     uint32 // in the table of names
}

var _ [kind.PrivateAt - unsafe.Sizeof(core{})]byte // a core leaves the kind's own part alone

// What the word Has says.
const (
	hasCallbacks = 1 << iota
	hasIdent
	hasListeners
	hasAccount
	allowsCritical
	hasParts
	isPermanent // lives as long as the process: the root, and Emergency
	hasCreation // its creation is recorded, or it is not to be parked: see RecordCreations
	isInHand    // somebody resets or deletes it without the lock: see Dropped.Delete
	hasCancel   // CancelWaits was called
)

// Context is a named pool of memory with a lifetime: a node of the tree of
// contexts. It is a value of two words, to be passed and compared freely; copies
// mean the same context. The zero Context is none, and every use of it panics.
//
// A context belongs to one goroutine at a time: allocating, freeing, resetting,
// deleting need the owner. What is documented so may be called from any
// goroutine at any time. Using a context after its deletion panics with a
// *Fault, however late, even if its memory serves another context by then.
//
// PostgreSQL: MemoryContext.
type Context struct {
	core  *kind.Core
	epoch uint64
}

// Kind is the way a context sells memory.
type Kind uint8

// The kinds of contexts.
const (
	KindAllocSet   = Kind(allocset.ID)
	KindSlab       = Kind(slab.ID)
	KindGeneration = Kind(generation.ID)
	KindBump       = Kind(bump.ID)
)

// String is the name of the kind: AllocSet, Slab, Generation or Bump.
func (k Kind) String() string {
	if m := kinds.Methods[k]; m != nil {
		return m.Name()
	}
	return "no kind"
}

// Frees reports whether chunks of contexts of the kind can be freed one by one: a Bump's
// cannot, and to try is a *Fault, lest a program believe that it gives memory back. Code
// that may be handed a context of any kind asks before: if mc.Kind().Frees() {
// palloc.FreeSlice(s) }.
//
// PostgreSQL has none: pfree of a Bump's chunk is an error.
func (k Kind) Frees() bool { return kinds.Methods[k] == nil || kinds.Methods[k].Traits().Frees }

// Kind is the kind that the context was created as. Any goroutine.
func (mc Context) Kind() Kind {
	mc.check("Context.Kind")
	return kindIn(mc.epoch)
}

// kindIn returns the kind in an epoch, as users know it: a shared AllocSet is one, too.
func kindIn(epoch uint64) Kind { return Kind(kinds.Traits(kind.KindOf(epoch)).ShownAs) }

// Name is the name given at creation. Any goroutine.
//
// PostgreSQL: MemoryContextData.name.
func (mc Context) Name() string {
	defer mc.lock("Context.Name").unlock()
	return mc.slot().nameText()
}

// Live says whether the context exists: it was created and is not deleted. Any
// goroutine, though the answer of a context that others own may be old at once.
func (mc Context) Live() bool {
	return mc.core != nil && relaxed.Load64(&mc.core.Epoch) == mc.epoch
}

// Path is the names of the context and of all its parents, from the root down,
// with slashes between: "Top/portal/ExecutorState". Where more than 256 contexts are on
// it, it is the lowest 256 of them behind ".../". What would break a line or does not
// show is written as %q does. Any goroutine.
func (mc Context) Path() string {
	defer mc.lock("Context.Path").unlock()
	return visible(pathOf(mc.core))
}

// slot is the whole core. The tree's lock must be held to touch its links.
func (mc Context) slot() *core { return kind.Slot[core](mc.core) }

// handle is the context that owns a core now.
func handle(c *kind.Core) Context { return Context{c, relaxed.Load64(&c.Epoch)} }

// owned says whether a handle read from a core means a context at all.
func (mc Context) owned() bool { return kind.KindOf(mc.epoch) != kind.None }

// coreAt is the core with a number; the number must be one that was handed out.
func coreAt(index uint32) *core { return kind.Slot[core](kind.At(index)) }

// check panics unless the context is live.
func (mc Context) check(op string) {
	if !mc.Live() {
		panic(mc.gone(op))
	}
}

// mostPath is how many names a path has at most.
const mostPath = perHold

// pathOf needs the tree's lock.
func pathOf(c *kind.Core) string {
	var parts []string
	for s := kind.Slot[core](c.Owner()); ; s = coreAt(s.parent) {
		if tree.step(1); len(parts) == mostPath {
			parts = append(parts, "...")
			break
		}
		parts = append(parts, s.nameText())
		if s.parent == 0 {
			break
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, "/")
}

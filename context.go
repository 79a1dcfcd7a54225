package palloc

import (
	"iter"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
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
type Context struct{ ref tree.Ref }

// Kind is the way a context sells memory.
type Kind uint8

// The kinds of contexts.
const (
	KindAllocSet   Kind = Kind(allocset.ID)
	KindSlab       Kind = Kind(slab.ID)
	KindGeneration Kind = Kind(generation.ID)
	KindBump       Kind = Kind(bump.ID)
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

// Kind returns the kind that the context was created as. Any goroutine.
func (mc Context) Kind() Kind {
	mc.check("Context.Kind")
	return kindIn(mc.ref.Epoch)
}

// kindIn returns the kind in an epoch, as users know it: a Shared context is an AllocSet.
func kindIn(epoch uint64) Kind {
	if id := kind.KindOf(epoch); id != shared.ID {
		return Kind(id)
	}
	return KindAllocSet
}

// IsShared reports whether the context was created with Shared. Any goroutine.
func (mc Context) IsShared() bool {
	mc.check("Context.IsShared")
	return kind.KindOf(mc.ref.Epoch) == shared.ID
}

// Name returns the name given at creation. Any goroutine.
//
// PostgreSQL: MemoryContextData.name.
func (mc Context) Name() string {
	defer mc.ref.Lock("Context.Name").Unlock()
	return mc.slot().Name()
}

// SetIdent says which one of several contexts of one name this is: "portal 17". The empty
// string takes the ident away. The ident is kept on Go's heap, over resets, until the
// context is deleted. Any goroutine.
//
// PostgreSQL: MemoryContextSetIdentifier, MemoryContextCopyAndSetIdentifier.
func (mc Context) SetIdent(ident string) { mc.ref.SetIdent("Context.SetIdent", ident) }

// Ident returns what SetIdent set last, or "". Any goroutine.
//
// PostgreSQL: MemoryContextData.ident.
func (mc Context) Ident() string {
	defer mc.ref.Lock("Context.Ident").Unlock()
	return mc.slot().Ident()
}

// Live reports whether the context exists: it was created and is not deleted. Any
// goroutine, though the answer may be old at once if another goroutine owns the context.
func (mc Context) Live() bool {
	return mc.ref.Core != nil && relaxed.Load64(&mc.ref.Core.Epoch) == mc.ref.Epoch
}

// Path returns the names of the context and of all its parents, from the root down, with
// slashes between: "Top/portal/ExecutorState". Of more than 256 names it returns the last
// 256, behind ".../". It writes what would break a line or does not show as %q does. Any
// goroutine.
func (mc Context) Path() string {
	defer mc.ref.Lock("Context.Path").Unlock()
	return visible(tree.PathOf(mc.ref.Core))
}

// Parent returns the context of which this one is a child. It returns the zero Context for
// the root, and for a dropped context whose deletion has begun: its callbacks of BeforeReset
// see that. Any goroutine.
//
// PostgreSQL: MemoryContextGetParent.
func (mc Context) Parent() Context { return Context{mc.ref.Parent("Context.Parent")} }

// SetParent makes the context, with all below it, the first child of another parent, which
// may be the one that it has. To move the root, or a context below itself or below one of
// its own descendants, is a Fault. Where the two parents are under different budgets, the
// contexts are charged to the new one by one, and SetParent returns when all are: until
// then each counts with one of the two. Any goroutine, but two that move the same context
// must agree. It takes a step for each ancestor of the new parent, and where budgets differ
// for each context below.
//
// PostgreSQL: MemoryContextSetParent, which leaves cycles unchecked.
func (mc Context) SetParent(parent Context) {
	if mc.ref.Move("Context.SetParent", parent.ref) {
		budget.RechargeBelow(mc.ref)
	}
}

// Children returns an iterator over the children of the context, the latest first, as they
// are when the loop begins. The loop may create, move and delete contexts; a child that was
// deleted meanwhile is still returned, and is not Live. Of more than some hundred children,
// one that another goroutine creates, deletes or moves while they are looked up is returned
// at most once. Any goroutine.
func (mc Context) Children() iter.Seq[Context] {
	return func(yield func(Context) bool) { each(mc.ref.Children(), yield) }
}

// All returns an iterator over the context and all contexts below it, each before its
// children, the latest first, as they are when the loop begins. What is said of Children
// holds here; a context that another goroutine moves takes along what is below it. Any
// goroutine.
//
// PostgreSQL: MemoryContextTraverseNext.
func (mc Context) All() iter.Seq[Context] {
	return func(yield func(Context) bool) { each(mc.ref.Subtree("Context.All"), yield) }
}

func each(list []tree.Ref, yield func(Context) bool) {
	for _, c := range list {
		if !yield(Context{c}) {
			return
		}
	}
}

// slot returns the context's node. The tree's lock guards its links.
func (mc Context) slot() *tree.Node { return kind.Slot[tree.Node](mc.ref.Core) }

// check panics unless the context is live.
func (mc Context) check(op string) {
	if !mc.Live() {
		panic(mc.gone(op))
	}
}

// seller returns the part of the context's memory that the chunk at p belongs to: a shard
// of a Shared context, or all of it.
func (mc Context) seller(p uintptr) *kind.Core {
	if kind.KindOf(mc.ref.Epoch) == shared.ID {
		if c := kind.Of(chunk.Header(p)); c.Owner() == mc.ref.Core {
			return c
		}
	}
	return mc.ref.Core
}

package palloc

import (
	"iter"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// A Context is a named pool of memory with a lifetime: a node of the tree of contexts. It
// is a value of two words; copies refer to the same context, and == compares them. The zero
// Context refers to none, and every use of it panics.
//
// A context belongs to one goroutine at a time, its owner: see Ownership in the package's
// documentation. Use of a context after its deletion panics with a *Fault, however late,
// even when its node serves another context.
//
// PostgreSQL: MemoryContext.
type Context struct{ ref tree.Ref }

// Kind returns the kind with which the context was created. Any goroutine.
func (mc Context) Kind() Kind {
	mc.check("Context.Kind")
	return kindIn(mc.ref.Epoch)
}

// IsShared reports whether the context was created with Shared. Any goroutine.
func (mc Context) IsShared() bool {
	mc.check("Context.IsShared")
	return kind.KindOf(mc.ref.Epoch).IsConcurrent()
}

// Name returns the name given at creation. Any goroutine.
//
// PostgreSQL: MemoryContextData.name.
func (mc Context) Name() string {
	defer mc.ref.Lock("Context.Name").Unlock()
	return mc.ref.Node().Name()
}

// SetIdent sets a text that distinguishes contexts of one name, such as "portal 17"; ""
// removes it. The text is kept on Go's heap over resets, and until the context is deleted;
// one of at most 256 bytes may be kept until another context uses its node. Any goroutine.
//
// PostgreSQL: MemoryContextSetIdentifier, MemoryContextCopyAndSetIdentifier.
func (mc Context) SetIdent(ident string) { mc.ref.SetIdent("Context.SetIdent", ident) }

// Ident returns the text that SetIdent set last, or "". Any goroutine.
//
// PostgreSQL: MemoryContextData.ident.
func (mc Context) Ident() string {
	defer mc.ref.Lock("Context.Ident").Unlock()
	return mc.ref.Node().Ident()
}

// Live reports whether the context was created and not deleted. Any goroutine; unless the
// caller owns the context, the result may be outdated at once.
func (mc Context) Live() bool { return mc.ref.Live() }

// Path returns the names of all ancestors and of the context, from the root down, separated
// by slashes: "Top/portal/ExecutorState". Of more than 256 names it returns the last 256,
// after ".../". Characters that do not print are escaped as %q escapes them. Any goroutine.
func (mc Context) Path() string {
	defer mc.ref.Lock("Context.Path").Unlock()
	return visible(tree.PathOf(mc.ref.Core))
}

// Parent returns the parent of the context. It returns the zero Context for the root, and
// for a context that Tie or Dropped.Delete has begun to delete: its callbacks of
// BeforeReset see that. Any goroutine.
//
// PostgreSQL: MemoryContextGetParent.
func (mc Context) Parent() Context { return Context{mc.ref.Parent("Context.Parent")} }

// SetParent makes the context, with all contexts below it, the first child of parent, which
// may be its present parent. Moving the root, or Emergency away from the root, or a context
// below itself or one of its descendants, is a Fault. If the two parents are under different
// budgets, the contexts are charged to the new one by one: until SetParent returns, each
// counts with one of the two.
// Any goroutine, but goroutines that move the same context must coordinate. It takes a step
// for each ancestor of parent, and, if budgets differ, for each context below.
//
// PostgreSQL: MemoryContextSetParent, which does not check for cycles.
func (mc Context) SetParent(parent Context) {
	if mc.ref.Move("Context.SetParent", parent.ref) {
		budget.RechargeBelow(mc.ref)
	}
}

// Children returns an iterator over the children of the context as they are when the loop
// begins, the latest first. The loop may create, move and delete contexts; a child that was
// deleted meanwhile is still returned, and is not Live. If there are more than some hundred
// children, a child that another goroutine creates, deletes or moves while the loop begins
// may be missing, but is never returned twice. Any goroutine.
func (mc Context) Children() iter.Seq[Context] {
	return func(yield func(Context) bool) { each(mc.ref.Children(), yield) }
}

// All returns an iterator over the context and all contexts below it as they are when the
// loop begins, each before its children, the latest first. The loop may change the tree, as
// for Children; a context that another goroutine moves takes along those below it. Any
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

// check panics unless the context is live.
func (mc Context) check(op string) {
	if !mc.Live() {
		panic(mc.gone(op))
	}
}

// shardOf returns the node that the chunk at p belongs to: that of a shard of a Shared
// context, otherwise that of the context.
func (mc Context) shardOf(p uintptr) *kind.Core {
	if kind.KindOf(mc.ref.Epoch).IsConcurrent() {
		if c := kind.Of(chunk.Header(p)); c.Owner() == mc.ref.Core {
			return c
		}
	}
	return mc.ref.Core
}

// A Lifetime is the time of a context up to its next reset or its deletion. What keeps chunks for
// its callers, such as a container, takes one when it allocates its first chunk, and checks it
// before it reads or writes any. The zero Lifetime is over.
//
// PostgreSQL has none.
type Lifetime struct {
	ref    tree.Ref
	cookie uint64
}

// Lifetime returns the present lifetime of the context. It panics with a *Fault when the context
// was deleted. Owner only.
func (mc Context) Lifetime() Lifetime {
	mc.check("Context.Lifetime")
	return Lifetime{mc.ref, mc.ref.Core.Cookie}
}

// Over reports whether the context was reset or deleted since. A reset of a context in which
// nothing was allocated need not be noticed. Owner only; it takes two loads.
func (l Lifetime) Over() bool {
	return l.ref.Core == nil || l.ref.Core.Epoch != l.ref.Epoch || l.ref.Core.Cookie != l.cookie
}

// Check panics with a *Fault that names op, the function that was called, when the lifetime is over.
// Owner only.
func (l Lifetime) Check(op string) {
	if l.Over() {
		Context{l.ref}.check(op)
		panic(raise(&Fault{Op: op, Mistake: StalePointer, Context: Context{l.ref}.Path(), Reason: "the context was reset, which took back what lay in it"}))
	}
}

// Misuse panics with a *Fault of op about the context, for a container that was used wrongly: an
// index out of range, say. Owner only.
//
// PostgreSQL has none.
func (l Lifetime) Misuse(op, reason string) {
	f := &Fault{Op: op, Reason: reason}
	if mc := (Context{l.ref}); mc.Live() {
		f.Context = mc.Path()
	}
	panic(raise(f))
}

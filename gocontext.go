package palloc

import "context"

// A memory context that travels with a context.Context.
//
// Invariant: the two know nothing of each other's ends: a cancellation resets and
// deletes nothing, and a deleted memory context stays where it was put.
//
// Cost: two small objects on Go's heap for each NewGoContext, and a walk up the
// context.Context for each FromGoContext: take it out once, at the top of a handler.

// goContextKey is the key under which a context.Context carries a Context.
type goContextKey struct{}

// NewGoContext is a child of ctx that carries mc, and hides one that ctx carries. It
// panics with a *Fault when mc is the zero Context or was deleted, and as
// context.WithValue does when ctx is nil. Who created mc still has to delete it, when
// nobody uses the result any more. Any goroutine.
//
// PostgreSQL: MemoryContextSwitchTo, whose current context is a variable of the
// process.
func NewGoContext(ctx context.Context, mc Context) context.Context {
	mc.check("NewGoContext")
	return context.WithValue(ctx, goContextKey{}, mc)
}

// FromGoContext is the Context that ctx carries, and whether it carries one; if not,
// it is the zero Context, whose every use panics. A Context that was deleted since is
// still carried, and its use is a Fault: that is a mistake of its owner, which a
// false answer would hide. Goroutines that share ctx share the Context, which is one
// goroutine's at a time: give each a child of its own. Any goroutine.
//
// PostgreSQL: CurrentMemoryContext.
func FromGoContext(ctx context.Context) (mc Context, ok bool) {
	mc, ok = ctx.Value(goContextKey{}).(Context)
	return mc, ok
}

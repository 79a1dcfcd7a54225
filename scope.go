package palloc

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopalloc/palloc/internal/tree"
)

// Contexts that follow the program: Scope for the duration of a function, and a
// context.Context that carries a Context.
//
// Invariant: errors and panics of f, and of the deletion of its context, are returned or go
// on. A context.Context and the Context that it carries do not end each other: a
// cancellation resets and deletes nothing, and a deleted Context is still carried.
//
// Cost: of a Scope that of a context. Two small objects on Go's heap for each NewGoContext,
// and a walk up the context.Context for each FromGoContext: call it once, at the top of a
// handler.

// Scope runs f with a new AllocSet below parent, or with OfKind a context of another kind,
// and deletes that afterwards, even when f panics or calls runtime.Goexit; f may delete it, or its parent, before. It returns f's
// error. A panic of f goes on, unless its value is an error that is or wraps an
// *OutOfMemoryError: Scope recovers it and returns that error unchanged. A panic of a
// callback of BeforeReset in the deletion is treated in the same way, and joined by
// errors.Join with an error or panic of f. A callback that panics, or calls runtime.Goexit,
// does not keep the others from running.
//
// Nothing in the context may be used after Scope returned: copy what must be kept, for
// example with strings.Clone or slices.Clone. That includes the error: errors.New(text)
// refers to text, which must not be in the context, while fmt.Errorf("%s", text) copies it.
//
// Any goroutine.
//
// PostgreSQL: AllocSetContextCreate, PG_TRY, MemoryContextDelete.
func Scope(parent Context, name string, f func(mc Context) error, opts ...Option) (err error) {
	mc := newContext(parent, kindOf(opts), name, opts, tree.Create, createWith)
	defer func() { err = mc.outcome(err, recover()) }()
	return f(mc)
}

// outcome deletes the context of a scope and returns the joined error: what f returned,
// what it panicked with, and what callbacks panicked with in the deletion. It panics
// instead if one of the panics is not about memory.
func (mc Context) outcome(err error, panicked any) error {
	late := mc.ref.DeleteContained()
	if panicked == nil && late == nil {
		return err
	}
	var all []any
	if err != nil {
		all = append(all, err)
	}
	loud := len(all)
	if panicked != nil {
		all = append(all, panicked)
	}
	all = append(all, late...)
	whole := joined(all)
	for _, v := range all[loud:] {
		if !isOutOfMemory(v) {
			panic(whole)
		}
	}
	return whole.(error)
}

// joined returns a single value unchanged, and otherwise an error that joins all.
func joined(values []any) any {
	if len(values) == 1 {
		return values[0]
	}
	var all []error
	for _, v := range values {
		err, ok := v.(error)
		if !ok {
			err = fmt.Errorf("panic: %v", v)
		}
		all = append(all, err)
	}
	return errors.Join(all...)
}

// isOutOfMemory reports whether a panic's value is or wraps an *OutOfMemoryError.
func isOutOfMemory(v any) bool {
	err, ok := v.(error)
	if !ok {
		return false
	}
	var short *OutOfMemoryError
	return errors.As(err, &short)
}

// goContextKey is the key under which a context.Context carries a Context.
type goContextKey struct{}

// NewGoContext returns a child of ctx that carries mc, in place of a Context that ctx
// carries. FromGoContext returns it. It panics with a *Fault when mc is the zero Context or
// was deleted, and as context.WithValue does when ctx is nil. The owner of mc must still
// delete it, once the result is not used any more. Any goroutine.
//
// PostgreSQL: MemoryContextSwitchTo, whose current context is a variable of the process.
func NewGoContext(ctx context.Context, mc Context) context.Context {
	mc.check("NewGoContext")
	return context.WithValue(ctx, goContextKey{}, mc)
}

// FromGoContext returns the Context that ctx carries; without one ok is false and mc is the
// zero Context, of which every use panics. A deleted Context is still carried, with ok =
// true, and its use is a Fault: ok = false would hide the mistake. Goroutines that share
// ctx share the Context, which belongs to one goroutine at a time: give each a child of its
// own. Any goroutine.
//
// PostgreSQL: CurrentMemoryContext.
func FromGoContext(ctx context.Context) (mc Context, ok bool) {
	mc, ok = ctx.Value(goContextKey{}).(Context)
	return mc, ok
}

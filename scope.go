package palloc

import (
	"context"
	"errors"
	"fmt"
)

// Contexts that follow the program: Scope for the time of a function, and a
// context.Context that carries one.
//
// Invariant: an error or a panic of f, and of the end of its context, is returned or goes
// on. A context.Context and the Context that it carries do not end each other: a
// cancellation resets and deletes nothing, and a deleted Context is still carried.
//
// Cost: of a Scope that of a context. Two small objects on Go's heap for each
// NewGoContext, and a walk up the context.Context for each FromGoContext: call it once,
// at the top of a handler.

// Scope runs f with a new AllocSet below parent and deletes it afterwards, even
// when f panics or ends its goroutine; f may delete it, or its parent, before. It
// returns f's error. A panic of f goes on, unless it is an error that is or wraps an
// *OutOfMemoryError: that is returned, as it is. What callbacks of BeforeReset panic with
// in the end is told in the same way; it comes joined with what f came to, if that was
// an error or a panic, too, as errors.Join does. A callback that panics does not keep
// the others from running.
//
// Nothing that lies in the context may be used after Scope returned: clone what
// is to be kept. That goes for the error as well: errors.New(text) of a text in the
// context keeps no copy, as fmt.Errorf("%s", text) does.
//
// PostgreSQL: AllocSetContextCreate, PG_TRY, MemoryContextDelete.
func Scope(parent Context, name string, f func(mc Context) error, opts ...Option) (err error) {
	mc := NewAllocSet(parent, name, opts...)
	defer func() { err = mc.outcome(err, recover()) }()
	return f(mc)
}

// outcome ends the context of a scope and returns the error of the whole: what f returned,
// what it panicked with, and what callbacks did in the end. A panic that is not about
// memory goes on.
func (mc Context) outcome(err error, panicked any) error {
	late := mc.endAll()
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

// maxLate is the number of callbacks that may panic in a deletion that Scope goes on with.
const maxLate = 1000

// endAll deletes the context, unless it is gone, and returns what callbacks panicked with
// meanwhile, each of which ran, so that the next attempt runs those that are left. It
// gives up where callbacks register each other for ever.
func (mc Context) endAll() (late []any) {
	for mc.Live() && len(late) < maxLate {
		if r := recovered(mc.Delete); r != nil {
			late = append(late, r)
		}
	}
	return late
}

// recovered runs f and returns what it panicked with, nil for nothing.
func recovered(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

// joined returns the only value as it is, or an error of all.
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

// isOutOfMemory reports whether what was panicked with is, or wraps, such an error.
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

// NewGoContext returns a child of ctx that carries mc, and hides one that ctx carries. It
// panics with a *Fault when mc is the zero Context or was deleted, and as
// context.WithValue does when ctx is nil. The owner of mc still has to delete it, once
// the result is not used any more. Any goroutine.
//
// PostgreSQL: MemoryContextSwitchTo, whose current context is a variable of the
// process.
func NewGoContext(ctx context.Context, mc Context) context.Context {
	mc.check("NewGoContext")
	return context.WithValue(ctx, goContextKey{}, mc)
}

// FromGoContext returns the Context that ctx carries; ok is false when it carries none:
// mc is then the zero Context, whose every use panics. A Context that was deleted since is
// still carried, and its use is a Fault: that is a mistake of its owner, which ok = false
// would hide. Goroutines that share ctx share the Context, which is one
// goroutine's at a time: give each a child of its own. Any goroutine.
//
// PostgreSQL: CurrentMemoryContext.
func FromGoContext(ctx context.Context) (mc Context, ok bool) {
	mc, ok = ctx.Value(goContextKey{}).(Context)
	return mc, ok
}

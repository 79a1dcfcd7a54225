package palloc

import (
	"errors"
	"fmt"
)

// Scopes: a context for the time of a function.
//
// Invariant: whatever f and the end of its context come to is told: as the error, or
// as the panic.
//
// Cost: that of a context.

// Scope runs f with a new AllocSet below parent and deletes it afterwards, even
// when f panics or ends its goroutine; f may delete it, or its parent, before. It
// returns f's error. A panic of f goes on, unless it is an error that is or wraps an
// *OutOfMemoryError: that is returned, as it is. What callbacks of OnReset panic with
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

// outcome ends the context of a scope, and is the error of the whole: what f returned,
// what it panicked with, and what callbacks did in the end. It goes on with a panic that
// is not about memory.
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

// endAll deletes the context, unless it is gone, and answers what callbacks panicked with
// meanwhile, each of which ran, so that the next attempt runs those that are left. It
// gives up with callbacks that register each other for ever.
func (mc Context) endAll() (late []any) {
	for mc.Live() && len(late) < maxLate {
		if r := recovered(mc.Delete); r != nil {
			late = append(late, r)
		}
	}
	return late
}

// recovered runs f and answers what it panicked with, nil for nothing.
func recovered(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}

// joined is the only value as it is, or an error of all.
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

// isOutOfMemory says whether what was panicked with is, or wraps, such an error.
func isOutOfMemory(v any) bool {
	err, ok := v.(error)
	var oom *OutOfMemoryError
	return ok && errors.As(err, &oom)
}

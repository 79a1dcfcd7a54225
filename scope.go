package palloc

import "errors"

// Scope runs f with a new AllocSet below parent and deletes it afterwards, even
// when f panics. It returns f's error; when memory ran out below f, and the
// *OutOfMemoryError came up as a panic, it returns that. Other panics go on.
// Nothing that lies in the context may be used after Scope returned: clone what
// is to be kept.
//
// PostgreSQL: AllocSetContextCreate, PG_TRY, MemoryContextDelete.
func Scope(parent Context, name string, f func(mc Context) error, opts ...Option) (err error) {
	mc := NewAllocSet(parent, name, opts...)
	defer func() {
		if r := recover(); r != nil {
			err = outOfMemory(r)
		}
	}()
	defer mc.Delete()
	return f(mc)
}

// outOfMemory is the error in a recovered panic; any other panic goes on.
func outOfMemory(r any) error {
	if err, ok := r.(error); ok {
		if oom, ok := errors.AsType[*OutOfMemoryError](err); ok {
			return oom
		}
	}
	panic(r)
}

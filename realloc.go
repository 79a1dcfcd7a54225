package palloc

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Resizing by the pointer alone.
//
// Invariant: the old chunk lives until the new one has its content.
//
// Cost: nothing within the capacity of the chunk; else a copy.

// Realloc makes the chunk at p size bytes large and answers where it is now: the
// content up to the smaller size is kept, what is new is undefined. It stays
// where it is when it can. It panics as FreePointer and Alloc do; the old chunk
// then lives on. Owner only.
//
// PostgreSQL: repalloc, repalloc_huge.
func Realloc(p unsafe.Pointer, size int) unsafe.Pointer {
	q, c, err := realloc("Realloc", uintptr(p), uintptr(size))
	if err != nil {
		raiseAt("Realloc", c, uintptr(p), uintptr(size), err)
	}
	return osmem.At(q)
}

// TryRealloc is Realloc, but returns the *OutOfMemoryError.
//
// PostgreSQL: repalloc_extended with MCXT_ALLOC_NO_OOM.
func TryRealloc(p unsafe.Pointer, size int) (unsafe.Pointer, error) {
	return tryRealloc("TryRealloc", uintptr(p), uintptr(size))
}

// tryRealloc answers an *OutOfMemoryError, and panics with what was misused.
func tryRealloc(op string, p, size uintptr) (unsafe.Pointer, error) {
	q, c, err := realloc(op, p, size)
	if err == nil {
		return osmem.At(q), nil
	}
	if _, misuse := err.(kind.Misuse); misuse {
		raiseAt(op, c, p, size, err)
	}
	return nil, explain(c, op, size, err)
}

func realloc(op string, p, size uintptr) (uintptr, *kind.Core, error) {
	c, what := chunkAt(op, p)
	if size > kind.MaxChunk {
		return 0, c, kind.TooLarge(size)
	}
	q, err := kind.Realloc(kinds.Methods[c.Kind()], c, p, what, size)
	if err != nil {
		q, err = reallocAgain(c, op, p, size, err)
	}
	return q, c, err
}

// reallocAgain is separate so that realloc makes no closure.
func reallocAgain(c *kind.Core, op string, p, size uintptr, err error) (uintptr, error) {
	return persist(c, op, false, err, func() (uintptr, error) {
		c, what := chunkAt(op, p) // still there
		return kind.Realloc(kinds.Methods[c.Kind()], c, p, what, size)
	})
}

// raiseAt panics with what a kind answered about the chunk at p.
func raiseAt(op string, c *kind.Core, p, size uintptr, err error) {
	if _, misuse := err.(kind.Misuse); misuse {
		panic(chunkFault(op, c, p, err))
	}
	raise(c, op, size, err)
}

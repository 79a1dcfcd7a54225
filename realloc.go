package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Resizing by the pointer alone.
//
// Invariant: the old chunk lives until the new one has its content; where a resize fails,
// it lives on.
//
// Cost: nothing within the capacity of the chunk; else a copy.

// Realloc makes the chunk at p size bytes large and returns where it is now: the
// content up to the smaller size is kept, what is new is undefined. The chunk stays
// where it is when it can. Realloc panics as FreePointer and Alloc do; the old chunk
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

// TryRealloc is Realloc, but returns the *OutOfMemoryError; the old chunk then lives on.
// Owner only.
//
// PostgreSQL: repalloc_extended with MCXT_ALLOC_NO_OOM.
func TryRealloc(p unsafe.Pointer, size int) (unsafe.Pointer, error) {
	return tryRealloc("TryRealloc", uintptr(p), uintptr(size))
}

// tryRealloc returns an *OutOfMemoryError, and panics with what was misused.
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
	c, tag := chunkAt(op, p)
	if size > kind.MaxChunk {
		return 0, c, kind.TooLarge(size)
	}
	q, err := kind.Realloc(kinds.Methods[c.Kind()], c, p, tag, size)
	if err != nil {
		q, err = reallocAgain(c, op, p, size, err)
	}
	return q, c, err
}

// reallocAgain is separate so that realloc makes no closure.
func reallocAgain(c *kind.Core, op string, p, size uintptr, err error) (uintptr, error) {
	return budget.Retry(c, op, false, err, func() (uintptr, error) {
		c, tag := chunkAt(op, p) // still there
		return kind.Realloc(kinds.Methods[c.Kind()], c, p, tag, size)
	})
}

// raiseAt panics with the error of a kind about the chunk at p.
func raiseAt(op string, c *kind.Core, p, size uintptr, err error) {
	if _, misuse := err.(kind.Misuse); misuse {
		panic(chunkFault(op, c, p, err))
	}
	raise(c, op, size, err)
}

// ReallocArray resizes the chunk at p, as Realloc does, to n elements of size bytes each.
// It panics with a *Fault
// when n or size is negative or the product overflows; the old chunk then lives on.
// Owner only.
//
// PostgreSQL: repalloc_mul, repalloc_array.
func ReallocArray(p unsafe.Pointer, n, size int) unsafe.Pointer {
	q, err := reallocArray("ReallocArray", uintptr(p), n, size)
	if err != nil {
		panic(err)
	}
	return q
}

// TryReallocArray is ReallocArray, but returns the *OutOfMemoryError; the old chunk
// then lives on. Owner only.
//
// PostgreSQL: repalloc_mul_extended, repalloc_array_extended.
func TryReallocArray(p unsafe.Pointer, n, size int) (unsafe.Pointer, error) {
	return reallocArray("TryReallocArray", uintptr(p), n, size)
}

func reallocArray(op string, p uintptr, n, size int) (unsafe.Pointer, error) {
	total, err := product(n, size)
	if err != nil {
		c, _ := chunkAt(op, p)
		panic(chunkFault(op, c, p, err))
	}
	return tryRealloc(op, p, total)
}

// ReallocZeroed resizes the chunk at p to size bytes, as Realloc does, and clears those
// beyond the first old ones: old is how many are in use. It panics with a *Fault when old is
// negative, more than size, or more than UsableSize, and as Realloc does; the old
// chunk then lives on. Owner only.
//
// PostgreSQL: repalloc0, which believes what it is told of the old size.
func ReallocZeroed(p unsafe.Pointer, old, size int) unsafe.Pointer {
	q, err := reallocZeroed("ReallocZeroed", uintptr(p), old, size)
	if err != nil {
		panic(err)
	}
	return q
}

// TryReallocZeroed is ReallocZeroed, but returns the *OutOfMemoryError; the old chunk
// then lives on. Owner only.
func TryReallocZeroed(p unsafe.Pointer, old, size int) (unsafe.Pointer, error) {
	return reallocZeroed("TryReallocZeroed", uintptr(p), old, size)
}

func reallocZeroed(op string, p uintptr, old, size int) (unsafe.Pointer, error) {
	c, usable, _ := measure(op, p)
	if old < 0 || old > size || uintptr(old) > usable {
		panic(chunkFault(op, c, p, kind.Misuse(fmt.Sprintf(
			"%d old bytes, of a chunk of %d that is to have %d: the old ones are not negative, and no more than either", old, usable, size))))
	}
	q, err := tryRealloc(op, p, uintptr(size))
	if err != nil {
		return nil, err
	}
	if end := int(min(usable, uintptr(size))); kind.BlankBeyond(uintptr(q)) {
		clear(osmem.Bytes(uintptr(q)+uintptr(old), uintptr(end-old)))
	} else {
		clear(osmem.Bytes(uintptr(q)+uintptr(old), uintptr(size-old)))
	}
	return q, nil
}

package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Resizing chunks by their pointer.
//
// Invariant: the old chunk lives until its content is in the new one; if a resize fails, it
// stays.
//
// Cost: none within the capacity of the chunk; otherwise a copy.

// Realloc resizes the chunk at p to size bytes and returns its new address. The content up
// to the smaller of the two sizes is kept; the rest is undefined. The chunk stays in place
// if it can. Realloc panics as FreePointer and Alloc do; the old chunk then stays as it
// was. Owner only.
//
// PostgreSQL: repalloc, repalloc_huge.
func Realloc(p unsafe.Pointer, size int) unsafe.Pointer {
	q, c, err := realloc("Realloc", uintptr(p), uintptr(size))
	if err != nil {
		raiseAt("Realloc", c, uintptr(p), uintptr(size), err)
	}
	return osmem.At(q)
}

// TryRealloc works as Realloc does, but returns the *OutOfMemoryError; the old chunk then stays
// as it was. Owner only.
//
// PostgreSQL: repalloc_extended with MCXT_ALLOC_NO_OOM.
func TryRealloc(p unsafe.Pointer, size int) (unsafe.Pointer, error) {
	return tryRealloc("TryRealloc", uintptr(p), uintptr(size))
}

// tryRealloc returns an *OutOfMemoryError, and panics for misuse.
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
	if budget.HasOwnerRequests() {
		budget.AnswerFor(c.Owner(), op)
		c, tag = chunkAt(op, p) // a callback may have freed it
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
		c, tag := chunkAt(op, p) // a callback may have freed it
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
// It panics with a *Fault when n or size is negative or the product overflows, and as
// Realloc does; the old chunk then stays as it was. Owner only.
//
// PostgreSQL: repalloc_mul, repalloc_array.
func ReallocArray(p unsafe.Pointer, n, size int) unsafe.Pointer {
	q, err := reallocArray("ReallocArray", uintptr(p), n, size)
	if err != nil {
		panic(err)
	}
	return q
}

// TryReallocArray works as ReallocArray does, but returns the *OutOfMemoryError; the old chunk
// then stays as it was. Owner only.
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
// after the first old bytes, which are kept. It panics with a *Fault when old is negative,
// more than size, or more than UsableSize, and as Realloc does; the old chunk then stays as
// it was. Owner only.
//
// PostgreSQL: repalloc0, which does not check the old size.
func ReallocZeroed(p unsafe.Pointer, old, size int) unsafe.Pointer {
	q, err := reallocZeroed("ReallocZeroed", uintptr(p), old, size)
	if err != nil {
		panic(err)
	}
	return q
}

// TryReallocZeroed works as ReallocZeroed does, but returns the *OutOfMemoryError; the old chunk
// then stays as it was. Owner only.
func TryReallocZeroed(p unsafe.Pointer, old, size int) (unsafe.Pointer, error) {
	return reallocZeroed("TryReallocZeroed", uintptr(p), old, size)
}

func reallocZeroed(op string, p uintptr, old, size int) (unsafe.Pointer, error) {
	c, usable, _ := measure(op, p)
	if old < 0 || old > size || uintptr(old) > usable {
		panic(chunkFault(op, c, p, kind.Misuse(fmt.Sprintf(
			"%d old bytes of a chunk of %d bytes, to be resized to %d: the old ones must not be negative, nor more than either size", old, usable, size))))
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

package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
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
	return must(realloc("Realloc", uintptr(p), uintptr(size)))
}

// TryRealloc works as Realloc does, but returns the *OutOfMemoryError; the old chunk then stays
// as it was. Owner only.
//
// PostgreSQL: repalloc_extended with MCXT_ALLOC_NO_OOM.
func TryRealloc(p unsafe.Pointer, size int) (unsafe.Pointer, error) {
	return realloc("TryRealloc", uintptr(p), uintptr(size))
}

// realloc returns an *OutOfMemoryError, and panics for misuse.
func realloc(op string, p, size uintptr) (unsafe.Pointer, error) {
	c, tag := chunkAt(op, p)
	if size > kind.MaxChunk {
		panic(chunkFault(op, c, p, kind.TooLarge(size)))
	}
	if budget.HasOwnerRequests() {
		budget.AnswerFor(c.Owner(), op)
		c, tag = chunkAt(op, p) // a callback may have freed it
	}
	q, err := kind.Realloc(methodsAt(c, p), c, p, tag, size)
	if err != nil {
		return reallocAgain(c, op, p, size, err)
	}
	return osmem.At(q), nil
}

// reallocAgain is separate so that realloc makes no closure.
func reallocAgain(c *kind.Core, op string, p, size uintptr, err error) (unsafe.Pointer, error) {
	q, err := budget.Retry(c, op, false, err, func() (uintptr, error) {
		c, tag := chunkAt(op, p) // a callback may have freed it
		return kind.Realloc(methodsAt(c, p), c, p, tag, size)
	})
	switch err.(type) {
	case nil:
		return osmem.At(q), nil
	case kind.Misuse, *checked.Finding:
		panic(chunkFault(op, c, p, err))
	}
	return nil, explain(c, op, size, err)
}

// ReallocArray resizes the chunk at p, as Realloc does, to n elements of size bytes each.
// It panics with a *Fault when n or size is negative or the product overflows, and as
// Realloc does; the old chunk then stays as it was. Owner only.
//
// PostgreSQL: repalloc_mul, repalloc_array.
func ReallocArray(p unsafe.Pointer, n, size int) unsafe.Pointer {
	return must(reallocArray("ReallocArray", uintptr(p), n, size))
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
	return realloc(op, p, total)
}

// ReallocZeroed resizes the chunk at p to size bytes, as Realloc does, and clears those
// after the first old bytes, which are kept. It panics with a *Fault when old is negative,
// more than size, or more than UsableSize, and as Realloc does; the old chunk then stays as
// it was. Owner only.
//
// PostgreSQL: repalloc0, which does not check the old size.
func ReallocZeroed(p unsafe.Pointer, old, size int) unsafe.Pointer {
	return must(reallocZeroed("ReallocZeroed", uintptr(p), old, size))
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
	q, err := realloc(op, p, uintptr(size))
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

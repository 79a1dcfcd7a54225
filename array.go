package palloc

import (
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Raw arrays: sizes that are products, and bytes that grow zeroed.
//
// Invariant: a product that is not the true one is never a size.
//
// Cost: a multiplication, and a call: they do not unfold as Alloc does.

// AllocArray sells an array of n elements of size bytes each, as Alloc of n*size
// bytes does, and panics with a *Fault when n or size is negative or the product
// overflows. The content is undefined: MakeSlice is typed and clears. Owner only.
//
// PostgreSQL: palloc_mul, palloc_array.
func (mc Context) AllocArray(n, size int) unsafe.Pointer {
	p, err := mc.allocArray("Context.AllocArray", n, size)
	if err != nil {
		panic(err)
	}
	return p
}

// TryAllocArray is AllocArray, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: palloc_mul_extended, palloc_array_extended.
func (mc Context) TryAllocArray(n, size int) (unsafe.Pointer, error) {
	return mc.allocArray("Context.TryAllocArray", n, size)
}

func (mc Context) allocArray(op string, n, size int) (unsafe.Pointer, error) {
	mc.check(op)
	total, err := product(n, size)
	if err != nil {
		return nil, mc.refuse(op, 0, err)
	}
	p, err := supply(mc.core, op, total)
	if err != nil {
		return nil, mc.refuse(op, total, err)
	}
	return osmem.At(p), nil
}

// product is n*size; the error is a Misuse.
func product(n, size int) (uintptr, error) {
	over, total := bits.Mul64(uint64(n), uint64(size))
	if n < 0 || size < 0 || over != 0 || total > uint64(kind.MaxChunk) {
		return 0, kind.Misuse(fmt.Sprintf("an array of %d elements of %d bytes: neither is negative, and the whole fits the address space", n, size))
	}
	return uintptr(total), nil
}

// ReallocArray is Realloc to n elements of size bytes each. It panics with a *Fault
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

// ReallocZeroed is Realloc to size bytes, of which those beyond the first old ones
// are set to zero: old is how many are in use. It panics with a *Fault when old is
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
//
// PostgreSQL has none.
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

package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// What the loops share: a table of addresses, and the writes to chunks.
//
// Invariant: an address in the table is that of memory which the collector neither
// moves nor gives to others. Cost: everything is inlined; storing an address takes
// no write barrier.

// An address is that of a chunk off Go's heap, as a number.
type address uintptr

// set stores the address of a chunk.
func (a *address) set(p unsafe.Pointer) { *a = address(uintptr(p)) }

// chunk returns the chunk at the address.
func (a *address) chunk() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(a)) }

// first returns a pointer to the first row of a table, nil if it has none.
func first[T any](table []T) *T { return unsafe.SliceData(table) }

// row returns a pointer to row i of a table, which has such a row, by a pointer to the
// first.
func row[T any](first *T, i uint32) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(first), uintptr(i)*unsafe.Sizeof(*first))) // in the table, as the caller says
}

// next returns a pointer to the op behind o, which is not the last.
func next(o *trace.Op) *trace.Op {
	return (*trace.Op)(unsafe.Add(unsafe.Pointer(o), unsafe.Sizeof(*o)))
} // in the slice

// sized returns a table of n rows: the given one where it has as many, or else a
// new one, which is resident.
func sized[T any](table []T, n int) []T {
	if len(table) != n {
		table = make([]T, n)
		clear(table)
	}
	return table
}

// touchEnds writes the first and the last byte of a chunk.
func touchEnds(p unsafe.Pointer, size int) {
	*(*byte)(p) = 1
	touchLast(p, size)
}

// touchLast writes the last byte of a chunk.
func touchLast(p unsafe.Pointer, size int) { *(*byte)(unsafe.Add(p, size-1)) = 1 }

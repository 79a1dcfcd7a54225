package cell

import "unsafe"

// Memory outside of types: addresses as numbers, and chunks as bytes.
//
// Invariant: what is viewed is a live chunk, and at least as long. Cost: none,
// everything is inlined.

// numberOf returns the address of what p points to.
func numberOf[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// address is the address of a chunk off Go's heap, as a number: storing it takes
// no write barrier.
type address uintptr

func (a *address) set(p unsafe.Pointer) { *a = address(uintptr(p)) }

// chunk returns a pointer to the chunk.
func (a *address) chunk() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(a)) }

// part returns a chunk's bytes from one offset to another.
func part(p unsafe.Pointer, from, to int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, from)), to-from)
}

// begin returns the address of the first byte.
func begin(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

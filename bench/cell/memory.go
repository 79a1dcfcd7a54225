package cell

import "unsafe"

// Memory outside of types: addresses as numbers, and chunks as bytes.
//
// Invariant: what is viewed was sold, and is at least as long. Cost: nothing,
// everything unfolds.

// numberOf is the address of what p points to.
func numberOf[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// address is that of a chunk off Go's heap, kept where the collector does not
// look: storing it takes no write barrier.
type address uintptr

func (a *address) set(p unsafe.Pointer) { *a = address(uintptr(p)) }

// chunk is what is at the address.
func (a *address) chunk() unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(a)) }

// part is a chunk's bytes from one offset to another.
func part(p unsafe.Pointer, from, to int) []byte {
	return unsafe.Slice((*byte)(unsafe.Add(p, from)), to-from)
}

// begin is the address of the first byte.
func begin(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

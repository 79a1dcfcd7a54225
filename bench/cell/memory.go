package cell

import (
	"unsafe"

	"github.com/gopalloc/palloc/bench/flat"
)

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

// readPages reads a byte of every page from one address of a mapping to its end.
//
//go:nocheckptr
func readPages(from, to uintptr) {
	for ; from < to; from += 4096 {
		lastRead += *(*byte)(unsafe.Add(nil, from))
	}
}

// lastRead keeps the compiler from leaving out what nobody looks at.
var lastRead byte

// touchEnds writes a chunk's first and last byte.
func touchEnds(p unsafe.Pointer, size int) {
	if size > 0 {
		*(*byte)(p) = 1
		*(*byte)(unsafe.Add(p, size-1)) = 1
	}
}

// touchLast writes a chunk's last byte.
func touchLast(p unsafe.Pointer, size int) {
	if size > 0 {
		*(*byte)(unsafe.Add(p, size-1)) = 1
	}
}

// newTable makes a table of addresses off Go's heap, one for each slot of a
// trace. Its memory is resident.
func newTable(slots int) ([]address, error) {
	b, err := flat.Memory(slots * word)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*address)(begin(b)), slots), nil
}

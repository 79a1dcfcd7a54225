package palloc

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// Questions to a chunk, by the pointer alone.
//
// Invariant: only a live chunk answers; an aligned one does as any other.
//
// Cost: that of a free, without the free.

// UsableSize is how many bytes of the chunk at p may be used: what was asked for, or
// more where it was rounded up. Realloc to no more than that leaves a chunk of up to
// 8 KiB where it is. It panics with a *Fault when p is nil, is not the start of a live
// chunk, or lies in a Bump. Owner only.
//
// PostgreSQL has none.
func UsableSize(p unsafe.Pointer) int {
	_, usable, _ := measure("UsableSize", uintptr(p)) // a number, to be looked up
	return int(usable)
}

// Footprint is how many bytes of its context's blocks the chunk at p takes: the
// usable ones, the 8 of its header, and of a chunk of AllocAligned what lies before
// it. A chunk with a block of its own takes the whole block, head and rounding
// included, which is what Stats.Total falls by when it is freed: up to a sixth more than
// was asked for, and for a power of two up to an eighth. Address space that
// a large chunk may still grow into is not in use and does not count. It panics as
// UsableSize does. Owner only.
//
// PostgreSQL: GetMemoryChunkSpace, without the head of a block.
func Footprint(p unsafe.Pointer) int {
	_, _, taken := measure("Footprint", uintptr(p))
	return int(taken)
}

// ContextOf is the context that sold the chunk at p. It panics as UsableSize does:
// a chunk of a Bump does not know its context. Owner only.
//
// PostgreSQL: GetMemoryChunkContext.
func ContextOf(p unsafe.Pointer) Context {
	c, _, _ := measure("ContextOf", uintptr(p))
	return handle(c.Owner())
}

// measure is the core of the chunk at p, what may be used of the chunk, and what it
// takes. It panics when there is no live chunk.
func measure(op string, p uintptr) (c *kind.Core, usable, taken uintptr) {
	c, what := chunkAt(op, p)
	usable, taken, err := kind.Measure(kinds.Methods[c.Kind()], c, p, what)
	if err != nil {
		panic(chunkFault(op, c, p, err))
	}
	return c, usable, taken
}

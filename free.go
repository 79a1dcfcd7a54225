package palloc

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// Freeing by the pointer alone.
//
// Invariant: an address is looked up before it is followed, and nothing is
// changed before header and core agree.
//
// Cost: for an AllocSet's chunks up to 8 KiB it unfolds where it is called; the
// others are one call.

// FreePointer takes the chunk at p back; it finds the context by itself. It
// panics with a *Fault when p is nil, is not the start of a live chunk, or lies
// in a Bump. Owner only.
//
// PostgreSQL: pfree.
func FreePointer(p unsafe.Pointer) {
	freeWith(uintptr(p), follow, matchSet, allocset.Push, freeOther, freeSlow) // a number, to be looked up
}

// freeWith is the first stage of every free: only an address of ours is followed.
func freeWith(p uintptr, next follower, match matcher, push pusher, other kind.Next, slow func(uintptr)) {
	if !block.AtHome(p) {
		slow(p)
		return
	}
	next(p, match, push, other)
}

// follow is the second stage: from the header to the core it names.
func follow(p uintptr, match matcher, push pusher, other kind.Next) {
	h := chunk.Header(p)
	match(p, h, kind.Of(h), push, other)
}

// matchSet is the third stage: header and core must agree. Chunks of an
// AllocSet's classes then go on their freelist.
func matchSet(p uintptr, h uint64, c *kind.Core, push pusher, other kind.Next) {
	if class := h ^ c.Cookie; class < chunk.Classes {
		push(c, p, h, class)
		return
	}
	other(p, h, c)
}

type (
	follower func(p uintptr, match matcher, push pusher, other kind.Next)
	matcher  func(p uintptr, h uint64, c *kind.Core, push pusher, other kind.Next)
	pusher   func(c *kind.Core, p uintptr, h, class uint64)
)

// freeOther goes through the stages of a Generation's chunks.
func freeOther(p uintptr, h uint64, c *kind.Core) {
	generation.Free(p, h, c, generation.Find, generation.Match, generation.Count, generation.ReleaseBlock, freeSlab, freeRare)
}

// freeSlab goes through those of a Slab's.
func freeSlab(p uintptr, h uint64, c *kind.Core) {
	slab.Free(p, h, c, slab.Sort, slab.Keep, slab.ToBlock, freeRare)
}

// freeRare is apart from freeSlab because it can fail: large and aligned chunks,
// and what is no chunk.
func freeRare(p uintptr, h uint64, c *kind.Core) {
	if h^c.Cookie >= chunk.Whats || c.Kind() == kind.None {
		panic(headerFault("Free", p, h))
	}
	if err := kind.Free(kinds.Methods[c.Kind()], c, p, h^c.Cookie); err != nil {
		panic(chunkFault("Free", c, p, err))
	}
}

// freeSlow is apart from freeWith because few addresses of ours are not near the
// base of our memory, and all others are none of ours.
func freeSlow(p uintptr) {
	if !block.Known(p) {
		panic(strangerFault("Free", p))
	}
	h := chunk.Header(p)
	matchSet(p, h, kind.Of(h), allocset.Push, freeOther)
}

package palloc

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
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
	freeWith(uintptr(p), follow, matchSet, allocset.Push, freeSlow) // a number, to be looked up
}

// freeWith is the first stage of every free: only an address of ours is followed.
func freeWith(p uintptr, next follower, match matcher, push pusher, slow func(uintptr)) {
	if !block.AtHome(p) {
		slow(p)
		return
	}
	next(p, match, push, slow)
}

// follow is the second stage: from the header to the core it names.
func follow(p uintptr, match matcher, push pusher, slow func(uintptr)) {
	h := chunk.Header(p)
	match(p, h, kind.Of(h), push, slow)
}

// matchSet is the third stage: header and core must agree. Chunks of an
// AllocSet's classes then go on their freelist.
func matchSet(p uintptr, h uint64, c *kind.Core, push pusher, slow func(uintptr)) {
	if c == nil || h^c.Stamp >= chunk.Classes {
		slow(p)
		return
	}
	push(c, p, h)
}

type (
	follower func(p uintptr, match matcher, push pusher, slow func(uintptr))
	matcher  func(p uintptr, h uint64, c *kind.Core, push pusher, slow func(uintptr))
	pusher   func(c *kind.Core, p uintptr, class uint64)
)

// freeSlow is apart from freeWith because it calls: everything that is not a
// small chunk of an AllocSet near the base of our memory, and everything that is
// no chunk at all.
func freeSlow(p uintptr) {
	c, what := chunkAt("Free", p)
	if err := kind.Free(methods[c.Kind()], c, p, what); err != nil {
		panic(chunkFault("Free", c, p, err))
	}
}

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
	freeWith(uintptr(p), follow, matchSet, allocset.Push, freeOther, freeSlow) // a number, to be looked up
}

// freeWith is the first stage of every free: only an address of ours is followed.
func freeWith(p uintptr, next follower, match matcher, push pusher, other finder, slow func(uintptr)) {
	if !block.AtHome(p) {
		slow(p)
		return
	}
	next(p, match, push, other)
}

// follow is the second stage: from the header to the core it names.
func follow(p uintptr, match matcher, push pusher, other finder) {
	h := chunk.Header(p)
	match(p, h, kind.Of(h), push, other)
}

// matchSet is the third stage: header and core must agree. Chunks of an
// AllocSet's classes then go on their freelist.
func matchSet(p uintptr, h uint64, c *kind.Core, push pusher, other finder) {
	if c == nil || h^c.Stamp >= chunk.Classes {
		other(p, h, c)
		return
	}
	push(c, p, h)
}

type (
	follower func(p uintptr, match matcher, push pusher, other finder)
	matcher  func(p uintptr, h uint64, c *kind.Core, push pusher, other finder)
	pusher   func(c *kind.Core, p uintptr, class uint64)
	finder   func(p uintptr, h uint64, c *kind.Core)
)

// freeOther is apart from matchSet because it calls: chunks that are not a small
// one of an AllocSet, and what is no chunk.
func freeOther(p uintptr, h uint64, c *kind.Core) {
	if c == nil || h^c.Stamp >= chunk.Whats || c.Kind() == kind.None {
		panic(headerFault("Free", p, h))
	}
	if err := kind.Free(methods[c.Kind()], c, p, h^c.Stamp); err != nil {
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
	if c := kind.Of(h); c != nil && h^c.Stamp < chunk.Classes {
		allocset.Push(c, p, h)
	} else {
		freeOther(p, h, c)
	}
}

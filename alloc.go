package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Raw allocation: bytes by the number.
//
// Invariant: a handle is checked before anything is touched, and an address
// before it is followed.
//
// Cost: Alloc in a Bump and in an AllocSet, up to 1 KiB, and Free in an AllocSet
// unfold where they are called; the other kinds and sizes are one call.

// Alloc sells size bytes, on a multiple of 8. Their content is undefined: New,
// MakeSlice and AllocZeroed clear. A size of 0 is legal and gives a chunk of its
// own. Memory that will hold Go pointers must be cleared before it is typed.
// Alloc panics with a *Fault when the context is gone, the size negative or
// absurd, or not the one size of a Slab; with an *OutOfMemoryError when the
// system refuses memory. Owner only.
//
// PostgreSQL: MemoryContextAlloc, MemoryContextAllocHuge.
func (mc Context) Alloc(size int) unsafe.Pointer {
	return osmem.At(admit(mc, uintptr(size), sell, bump.Alloc, allocset.Hot, stale, slow))
}

// admit is the first stage of every allocation: there is a handle, and it is
// that of the context that owns the core.
func admit(mc Context, size uintptr, next seller, fromBump, fromSet kind.Stage, stale func(Context) uintptr, slow kind.Slow) uintptr {
	if mc.core == nil || mc.core.Epoch != mc.epoch {
		return stale(mc)
	}
	return next(mc, size, fromBump, fromSet, slow)
}

type seller func(mc Context, size uintptr, fromBump, fromSet kind.Stage, slow kind.Slow) uintptr

// sell is the second stage: the epoch says of what kind the context is.
func sell(mc Context, size uintptr, fromBump, fromSet kind.Stage, slow kind.Slow) uintptr {
	switch kind.ID(mc.epoch & kind.IDMask) {
	case kind.Bump:
		return fromBump(mc.core, size, slow)
	case kind.AllocSet:
		return fromSet(mc.core, size, slow)
	}
	return slow(mc.core, size)
}

// stale is apart from admit because it only ever panics.
func stale(mc Context) uintptr { panic(mc.gone("Alloc")) }

// slow is apart from the kinds' stages because it can call: new blocks, large
// sizes, kinds that do not unfold, and errors.
func slow(c *kind.Core, size uintptr) uintptr {
	p, err := methods[c.Kind()].Alloc(c, size)
	if err != nil {
		raise(c, "Alloc", size, err)
	}
	return p
}

// AllocZeroed is Alloc of bytes that are all zero.
//
// PostgreSQL: MemoryContextAllocZero.
func (mc Context) AllocZeroed(size int) unsafe.Pointer {
	p := mc.Alloc(size)
	clear(unsafe.Slice((*byte)(p), size)) // just sold, of that size
	return p
}

// TryAlloc is Alloc, but returns the *OutOfMemoryError.
//
// PostgreSQL: MemoryContextAllocExtended with MCXT_ALLOC_NO_OOM.
func (mc Context) TryAlloc(size int) (unsafe.Pointer, error) {
	mc.check("TryAlloc")
	p, err := methods[mc.core.Kind()].Alloc(mc.core, uintptr(size))
	if err != nil {
		return nil, mc.refuse("TryAlloc", uintptr(size), err)
	}
	return osmem.At(p), nil
}

// refuse returns what ran out, and panics with what was misused.
func (mc Context) refuse(op string, size uintptr, err error) error {
	err = explain(mc.core, op, size, err)
	if f, ok := err.(*Fault); ok {
		panic(f)
	}
	return err
}

// AllocAligned is Alloc of bytes on a multiple of align, a power of two. Freed
// and resized as any other chunk; Realloc keeps the alignment. The price is up
// to align+8 bytes, in a Bump the gap only. A Slab's chunks lie on multiples of
// 8 and no other. Owner only.
//
// PostgreSQL: MemoryContextAllocAligned.
func (mc Context) AllocAligned(size, align int) unsafe.Pointer {
	p, err := mc.allocAligned("AllocAligned", size, align)
	if err != nil {
		raise(mc.core, "AllocAligned", uintptr(size), err)
	}
	return osmem.At(p)
}

// TryAllocAligned is AllocAligned, but returns the *OutOfMemoryError.
func (mc Context) TryAllocAligned(size, align int) (unsafe.Pointer, error) {
	p, err := mc.allocAligned("TryAllocAligned", size, align)
	if err != nil {
		return nil, mc.refuse("TryAllocAligned", uintptr(size), err)
	}
	return osmem.At(p), nil
}

func (mc Context) allocAligned(op string, size, align int) (uintptr, error) {
	mc.check(op)
	if align <= 0 || align&(align-1) != 0 {
		return 0, kind.Misuse(fmt.Sprintf("an alignment of %d is not a power of two", align))
	}
	switch id := mc.core.Kind(); {
	case align <= chunk.Align:
		return methods[id].Alloc(mc.core, uintptr(size))
	case id == kind.Slab:
		return 0, kind.Misuse(fmt.Sprintf("an alignment of %d: a Slab's chunks lie on multiples of %d", align, chunk.Align))
	case id == kind.Bump:
		return bump.Aligned(mc.core, uintptr(size), uintptr(align))
	default:
		return kind.AllocAligned(methods[id], mc.core, uintptr(size), uintptr(align))
	}
}

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

// Realloc makes the chunk at p size bytes large and answers where it is now: the
// content up to the smaller size is kept, what is new is undefined. It stays
// where it is when it can. It panics as FreePointer and Alloc do; the old chunk
// then lives on. Owner only.
//
// PostgreSQL: repalloc, repalloc_huge.
func Realloc(p unsafe.Pointer, size int) unsafe.Pointer {
	q, c, err := realloc("Realloc", uintptr(p), uintptr(size))
	if err != nil {
		raiseAt("Realloc", c, uintptr(p), uintptr(size), err)
	}
	return osmem.At(q)
}

// TryRealloc is Realloc, but returns the *OutOfMemoryError.
//
// PostgreSQL: repalloc_extended with MCXT_ALLOC_NO_OOM.
func TryRealloc(p unsafe.Pointer, size int) (unsafe.Pointer, error) {
	q, c, err := realloc("TryRealloc", uintptr(p), uintptr(size))
	if err == nil {
		return osmem.At(q), nil
	}
	if _, misuse := err.(kind.Misuse); misuse {
		raiseAt("TryRealloc", c, uintptr(p), uintptr(size), err)
	}
	return nil, explain(c, "TryRealloc", uintptr(size), err)
}

func realloc(op string, p, size uintptr) (uintptr, *kind.Core, error) {
	c, what := chunkAt(op, p)
	if size > kind.MostChunk {
		return 0, c, kind.TooLarge(size)
	}
	q, err := kind.Realloc(methods[c.Kind()], c, p, what, size)
	return q, c, err
}

// raiseAt panics with what a kind answered about the chunk at p.
func raiseAt(op string, c *kind.Core, p, size uintptr, err error) {
	if _, misuse := err.(kind.Misuse); misuse {
		panic(chunkFault(op, c, p, err))
	}
	raise(c, op, size, err)
}

// Trim gives the memory that no context holds back to the operating system, and
// answers how many bytes that were. Blocks that deleted contexts left for the
// next ones are among it; what live contexts hold is not. Any goroutine.
func Trim() int64 {
	dropKeepers()
	return int64(block.Trim())
}

package palloc

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// Freeing: a chunk by the pointer alone, and the blocks that have no live chunk.
//
// Invariant: an address is looked up before it is followed, and nothing is
// changed before header and node agree. Live chunks stay where they are.
//
// Cost: for an AllocSet's chunks up to 8 KiB FreePointer is inlined; otherwise it is one
// call. For Compact of an AllocSet a step for each chunk that was freed since the last
// time, of a Slab and a Generation a step for each block.

// FreePointer takes the chunk at p back; it finds the context by itself. It
// panics with a *Fault when p is nil, is not the start of a live chunk, or lies
// in a Bump. Owner only.
//
// PostgreSQL: pfree.
func FreePointer(p unsafe.Pointer) {
	freeWith(uintptr(p), followHeader, matchAllocSet, allocset.Push, freeOther, freeSlow) // a number, to be looked up
}

// freeWith is the first stage of every free: only an address in a region is followed.
func freeWith(p uintptr, next followStage, match matchStage, push pushStage, other kind.Next, slow func(uintptr)) {
	if !block.InFirstRegion(p) {
		slow(p)
		return
	}
	next(p, match, push, other)
}

// followHeader is the second stage: from the header to the node that it names.
func followHeader(p uintptr, match matchStage, push pushStage, other kind.Next) {
	h := chunk.Header(p)
	match(p, h, kind.Of(h), push, other)
}

// matchAllocSet is the third stage: header and node must agree. Chunks of an AllocSet's
// classes then go on their free list.
func matchAllocSet(p uintptr, h uint64, c *kind.Core, push pushStage, other kind.Next) {
	if class := h ^ c.Cookie; class < chunk.Classes {
		push(c, p, h, class)
		return
	}
	other(p, h, c)
}

type (
	followStage func(p uintptr, match matchStage, push pushStage, other kind.Next)
	matchStage  func(p uintptr, h uint64, c *kind.Core, push pushStage, other kind.Next)
	pushStage   func(c *kind.Core, p uintptr, h, class uint64)
)

// freeOther frees a chunk of a Generation, and passes on any other.
func freeOther(p uintptr, h uint64, c *kind.Core) {
	generation.Free(p, h, c, generation.Find, generation.Match, generation.Count, generation.ReleaseBlock, freeSlab, freeRare)
}

// freeSlab frees a chunk of a Slab, and passes on any other.
func freeSlab(p uintptr, h uint64, c *kind.Core) {
	slab.Free(p, h, c, slab.Sort, slab.Keep, slab.ToBlock, freeRare)
}

// freeRare is the last stage: it frees large and aligned chunks, and panics for what is no
// chunk.
func freeRare(p uintptr, h uint64, c *kind.Core) {
	if h^c.Cookie >= chunk.TagLimit || c.Kind() == kind.None {
		panic(headerFault("Free", p, h))
	}
	if err := kind.Free(kinds.Methods[c.Kind()], c, p, h^c.Cookie); err != nil {
		panic(chunkFault("Free", c, p, err))
	}
}

// freeSlow frees at an address that is not in the first region. It is separate so that
// freeWith can be inlined.
func freeSlow(p uintptr) {
	if !block.Readable(p) {
		panic(foreignFault("Free", p))
	}
	h := chunk.Header(p)
	matchAllocSet(p, h, kind.Of(h), allocset.Push, freeOther)
}

// Compact releases the blocks of the context that hold no live chunk, and returns how
// many bytes they had: what Held fell by. Other contexts can have that memory;
// the system gets it with Trim. Freed chunks of an AllocSet that lie side by side become
// one free span, which serves a request of any size. A callback of OnPressure that frees
// single chunks calls it: see Pressure.Need. The context that allocates needs no call,
// since a request beyond its limit tries its freed chunks first. Live
// chunks do not move. A Bump has nothing to give back, since it does not know which
// chunks are in use. The time it takes grows with the
// number of chunks that were freed since the last time. Owner only; of a Shared context
// any goroutine.
//
// PostgreSQL has none: blocks that chunks share go back at the reset.
func (mc Context) Compact() int64 {
	mc.check("Context.Compact")
	budget.Compactions.Add(1)
	return int64(kinds.Methods[mc.ref.Core.Kind()].Compact(mc.ref.Core))
}

package palloc

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/tree"
)

// Freeing: single chunks by their pointer, and blocks without a live chunk.
//
// Invariant: an address is looked up before it is followed, and nothing is changed before
// header and node agree. Live chunks stay where they are.
//
// Cost: for an AllocSet's chunks up to 8 KiB FreePointer is inlined; otherwise it is one
// call. Compact takes a step for each chunk freed since the last Compact in an AllocSet,
// and for each block in a Slab or a Generation.

// FreePointer frees the chunk at p, of whichever context. It panics with a *Fault when p is
// nil, is not the start of a live chunk, or is in a Bump. Owner only.
//
// PostgreSQL: pfree.
func FreePointer(p unsafe.Pointer) {
	freeWith(uintptr(p), followHeader, matchAllocSet, allocset.Push, freeOther, freeSlow) // a number, to be looked up
}

// freeWith is the first stage of every free: it follows only addresses in the first region.
func freeWith(p uintptr, next followStage, match matchStage, push pushStage, other kind.Next, slow func(uintptr)) {
	if !block.InFirstRegion(p) {
		slow(p)
		return
	}
	next(p, match, push, other)
}

// followHeader is the second stage: it finds the node that the header names.
func followHeader(p uintptr, match matchStage, push pushStage, other kind.Next) {
	h := chunk.Header(p)
	match(p, h, kind.Of(h), push, other)
}

// matchAllocSet is the third stage: header and node must agree. It pushes chunks of an
// AllocSet's size classes on their free list, and passes on all others.
func matchAllocSet(p uintptr, h uint64, c *kind.Core, push pushStage, other kind.Next) {
	if class := h ^ c.Cookie; class < chunk.Classes {
		push(c, p, h, class)
		return
	}
	other(p, h, c)
}

// Stages as arguments of the stages before them.
type (
	followStage func(p uintptr, match matchStage, push pushStage, other kind.Next)
	matchStage  func(p uintptr, h uint64, c *kind.Core, push pushStage, other kind.Next)
	pushStage   func(c *kind.Core, p uintptr, h, class uint64)
)

// freeOther frees a chunk of a Generation, and passes on all others.
func freeOther(p uintptr, h uint64, c *kind.Core) {
	generation.Free(p, h, c, generation.Find, generation.Match, generation.Count, generation.ReleaseBlock, freeSlab, freeRare)
}

// freeSlab frees a chunk of a Slab, and passes on all others.
func freeSlab(p uintptr, h uint64, c *kind.Core) {
	slab.Free(p, h, c, slab.Sort, slab.Keep, slab.ToBlock, freeRare)
}

// freeRare is the last stage: it frees large and aligned chunks, and panics when there is
// no chunk.
func freeRare(p uintptr, h uint64, c *kind.Core) {
	if h^c.Cookie >= chunk.TagLimit || c.Kind() == kind.None {
		panic(headerFault("Free", p, h))
	}
	if err := kind.Free(kinds.Methods[c.Kind()], c, p, h^c.Cookie); err != nil {
		panic(chunkFault("Free", c, p, err))
	}
}

// freeSlow frees at an address outside the first region. It is separate so that freeWith
// can be inlined.
func freeSlow(p uintptr) {
	if checked.Owns(p) {
		if c, err := checked.Free(p); err != nil {
			panic(chunkFault("Free", c, p, err))
		}
		return
	}
	if !block.Readable(p) {
		panic(foreignFault("Free", p))
	}
	h := chunk.Header(p)
	matchAllocSet(p, h, kind.Of(h), allocset.Push, freeOther)
}

// Compact releases the blocks of the context that hold no live chunk, and returns their
// size in bytes, by which Held falls. Other contexts can acquire that memory; Trim returns
// it to the system. In an AllocSet, freed chunks side by side are joined to one free span,
// which serves requests of any size. A callback of OnPressure that frees single chunks must
// call it: see Pressure.Need. The allocating context needs no call, since a request beyond
// its limit tries its freed chunks first. Live chunks do not move. A Bump does not know
// which of its chunks are in use: Compact releases nothing and returns 0. It takes a step
// for each chunk that was freed since the last Compact. Owner only; of a Shared context any
// goroutine.
//
// PostgreSQL has none: blocks that chunks share are released at the reset.
func (mc Context) Compact() int64 {
	mc.check("Context.Compact")
	budget.Compactions.Add(1)
	released := kinds.Methods[mc.ref.Core.Kind()].Compact(mc.ref.Core)
	tree.RaisePending()
	return int64(released)
}

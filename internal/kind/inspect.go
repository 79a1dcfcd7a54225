package kind

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
)

// Inspections: what the checks of all kinds share. This file has the words of the node;
// inspect_list.go has the lists of blocks, and inspect_chunk.go the chunks.
//
// Invariant: an inspection changes nothing, follows no address that the page heap does
// not know, and ends whatever it finds: lists of blocks by the set of those visited,
// lists of chunks by the numbers that headers tell.
//
// Cost: a lock for each block, and an entry on Go's heap.

// A Flaw is a contradiction between two things that are kept in two places.
type Flaw struct {
	Block  uintptr // address of the block concerned, 0 where there is none
	Chunk  uintptr // of the chunk, behind its header; 0 where there is none
	Reason string  // what was found, and what should be
	Found  error   // what a checked context found, nil for other flaws
}

// Inspection is a look at all that a node holds.
type Inspection struct {
	c       *Core
	report  func(Flaw)
	blocks  map[uintptr]bool // those visited; true when the size is the page heap's
	total   uintptr          // of these, in bytes
	partial bool             // not all could be looked at: sums mean nothing
}

// Inspect begins an inspection. It reports a Flaw and returns nil when not even the
// number of the node is certain, by which everything is found.
func Inspect(c *Core, report func(Flaw)) *Inspection {
	x := &Inspection{c: c, report: report, blocks: map[uintptr]bool{}}
	if At(c.Number()) != c || c.Cookie%chunk.TagLimit != chunk.LowByte {
		x.Flaw(0, 0, "the core's cookie is %#016x, which is not one of this core", c.Cookie)
		return nil
	}
	return x
}

// Flaw reports a flaw of a block, of a chunk, or of neither.
func (x *Inspection) Flaw(block, chunk uintptr, format string, args ...any) {
	x.report(Flaw{Block: block, Chunk: chunk, Reason: fmt.Sprintf(format, args...)})
}

// Stop reports a flaw because of which some memory cannot be looked at. It returns false.
func (x *Inspection) Stop(block, chunk uintptr, format string, args ...any) bool {
	x.Flaw(block, chunk, format, args...)
	x.partial = true
	return false
}

// Partial reports whether some memory could not be looked at.
func (x *Inspection) Partial() bool { return x.partial }

// Held returns the bytes of all blocks that were visited: no list has more.
func (x *Inspection) Held() uintptr { return x.total }

// CheckSums compares the accounts with the blocks that were visited.
func (x *Inspection) CheckSums() {
	if x.partial {
		return
	}
	total, blocks := x.total, uint32(len(x.blocks))
	if x.c.NeedsReset&ResetElsewhere != 0 {
		bytes, more := HeldElsewhere(x.c)
		total, blocks = total+bytes, blocks+more
	}
	if total != x.c.Total {
		x.Flaw(0, 0, "its blocks have %d bytes, and the accounts say %d", total, x.c.Total)
	}
	if blocks != x.c.BlockCount {
		x.Flaw(0, 0, "its lists have %d blocks, and the accounts say %d", blocks, x.c.BlockCount)
	}
}

// CheckTails compares the account of lost bytes with what was found.
func (x *Inspection) CheckTails(found uintptr) {
	if !x.partial && found != x.c.Tails {
		x.Flaw(0, 0, "its blocks lose %d bytes at their ends, and the accounts say %d", found, x.c.Tails)
	}
}

// CheckCurrent checks what the node has of its first block, from which it allocates. It
// returns up to where that is allocated, 0 where this is unclear.
func (x *Inspection) CheckCurrent(head uintptr) (cut uintptr) {
	c := x.c
	if c.Blocks == 0 {
		if c.Cur|c.End != 0 {
			x.Flaw(0, 0, "there is no block to allocate from, and it allocates from %#x to %#x", c.Cur, c.End)
		}
		return 0
	}
	if !x.blocks[c.Blocks] {
		return 0 // that was reported
	}
	b := BlockAt(c.Blocks)
	if c.End != b.End() || c.Cur < b.Address()+head || c.Cur > c.End || c.Cur%chunk.Align != 0 {
		x.Stop(b.Address(), 0, "it is the current block, to allocate from %#x to %#x, and the core allocates from %#x to %#x",
			b.Address()+head, b.End(), c.Cur, c.End)
		return 0
	}
	return c.Cur
}

// CheckPrefix checks what the headers of the next chunks begin with.
func (x *Inspection) CheckPrefix(want uint64) {
	if x.c.Prefix != want {
		x.Flaw(0, 0, "the headers of new chunks begin with %#016x, and should with %#016x", x.c.Prefix, want)
	}
}

// CheckReset checks what the node tells a reset. always is for a kind whose reset always
// has more to do than Rewind.
func (x *Inspection) CheckReset(always bool) {
	c := x.c
	if c.NeedsReset == 0 && (always || c.BlockCount > 1 || c.Large|c.Tails != 0) {
		x.Flaw(0, 0, "the core says that a reset has nothing to release, with %d blocks, large ones from %#x on, %d bytes lost", c.BlockCount, c.Large, c.Tails)
	}
	if c.Dirty != DirtyLists {
		for class := range uint64(chunk.Classes) {
			if list := *c.FreeList(class); list != 0 {
				x.Flaw(0, list, "the core says that it has no free lists, and that of class %d begins here", class)
			}
		}
	}
	if c.Dirty == 0 && *Private[[SlotSize - PrivateAt]byte](c) != [SlotSize - PrivateAt]byte{} {
		x.Flaw(0, 0, "the core says that its kind keeps nothing in it, and there is something")
	}
}

// CheckKeeper checks a node that no context owns: it has at most a keeper.
func CheckKeeper(c *Core, report func(Flaw)) {
	x := Inspect(c, report)
	if x == nil {
		return
	}
	for _, b := range x.List("blocks", c.Blocks) {
		if x.IsShared(b); b.Size > MaxKeeper || b.Next != 0 {
			x.Flaw(b.Address(), 0, "a core without a context keeps it, of %d bytes; one of at most %d may be kept", b.Size, uintptr(MaxKeeper))
		}
	}
	if x.CheckSums(); c.Large|c.Tails != 0 {
		x.Flaw(0, 0, "a core without a context has large blocks from %#x on, and %d bytes lost", c.Large, c.Tails)
	}
	if c.Cur|c.End != 0 {
		if cut := x.CheckCurrent(BlockHeader); cut > c.Blocks+BlockHeader {
			x.Flaw(c.Blocks, 0, "a core without a context allocated from it, up to %#x", cut)
		}
	}
}

// BlockOf returns the visited block that holds the size bytes of a chunk at p, with its
// header; nil when none does.
func (x *Inspection) BlockOf(p, size uintptr) *Block {
	if !block.Readable(p) {
		return nil
	}
	addr, ok := block.Find(p)
	if !ok || !x.blocks[addr] {
		return nil
	}
	b := BlockAt(addr)
	if p < addr+largeHead || p > b.End() || size > b.End()-p {
		return nil
	}
	return b
}

package slab_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/conformance"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

type broken = conformance.Broken

// What the check of a Slab compares, each broken by itself.

func TestTheCheckFindsEachBreak(t *testing.T) {
	conformance.RunBreaks(t, slab.ID, slab.Methods{}, fill, conformance.Common, breaks)
}

func TestTheCheckFindsEachBreakOfLargeChunks(t *testing.T) {
	fill := func(b *broken) {
		slab.Fix(b.C, 2<<20)
		b.Fill(3, 2<<20)
	}
	conformance.RunBreaks(t, slab.ID, slab.Methods{}, fill, []conformance.Break{
		{Name: "the header of a large chunk", Words: "the header of the large chunk is", Do: func(b *broken) uintptr {
			conformance.Overwrite(b, conformance.Header(b.Chunks[1]), b.C.Cookie^chunk.LargeFreed)
			return b.Chunks[1]
		}},
		{Name: "a large block said to be shared", Words: "which is not that of a block of", Do: conformance.InLarge(1, func(b *broken, k *kind.Block) { conformance.Overwrite(b, &k.Dedicated, 0) })},
	})
}

// fill leaves a current block with a rest that was never allocated and some local
// chunks, blocks with freed chunks, an empty one, and full ones.
func fill(b *broken) {
	b.Fill(330, 64)
	for *slab.WordsOf(b.C).Local < 20 {
		b.Alloc(64)
	}
	for *slab.WordsOf(b.C).Local >= 8 { // the next that are freed become local
		b.Alloc(64)
	}
	blocks := map[*kind.Block][]uintptr{}
	var order []*kind.Block
	for _, p := range b.Chunks {
		k := b.C.BlockOf(p)
		if blocks[k] == nil {
			order = append(order, k)
		}
		blocks[k] = append(blocks[k], p)
	}
	if len(order) < 6 {
		b.Fatalf("%d blocks are too few", len(order))
	}
	b.Free(blocks[order[1]][2])
	for *slab.WordsOf(b.C).Local < 8 {
		b.Free(blocks[order[1]][0])
		blocks[order[1]] = blocks[order[1]][1:]
	}
	for _, k := range order[2:4] {
		for _, p := range blocks[k][:5] {
			b.Free(p)
		}
	}
	for _, p := range blocks[order[4]] {
		b.Free(p)
	}
	b.Chunks = append(blocks[order[0]], blocks[order[3]][5:]...)
}

// partly is a block with freed chunks and live ones.
func partly(b *broken) (*kind.Block, slab.HeadWords) {
	for n := 1; ; n++ {
		k := b.Shared(n)
		if w := slab.HeadOf(k); *w.Frees < *w.Chunks {
			return k, w
		}
	}
}

// full is a block without freed chunks.
func full(b *broken) (*kind.Block, slab.HeadWords) {
	return b.Large(0), slab.HeadOf(b.Large(0))
}

// inHead is a Break's Do of the head of a block that find finds.
func inHead(find func(b *broken) (*kind.Block, slab.HeadWords), do func(b *broken, w slab.HeadWords)) func(*broken) uintptr {
	return func(b *broken) uintptr {
		k, w := find(b)
		do(b, w)
		return k.Address()
	}
}

// inWords is a Break's Do of the words of the node.
func inWords(do func(b *broken, w slab.CoreWords)) func(*broken) uintptr {
	return conformance.Somewhere(func(b *broken) { do(b, slab.WordsOf(b.C)) })
}

const freedBy = chunk.Slab ^ chunk.SlabFreed

var breaks = []conformance.Break{
	{Name: "allocates as others do", Words: "which a Slab does not", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, &b.C.Cur, 8) })},
	{Name: "the tag of a block", Words: "which is not that of a block of", Do: inHead(partly, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.Tag, *w.Tag^1) })},
	{Name: "the chunks of a block", Words: "it has space for", Do: inHead(partly, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.Chunks, *w.Chunks+1) })},
	{Name: "the one size", Words: "it has space for", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, &b.C.ChunkSize, 1000) })},
	{Name: "when a block is moved", Words: "it is to be moved at", Do: inHead(partly, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.MoveAt, 1) })},
	{Name: "when a full block is moved", Words: "it is to be moved at", Do: inHead(full, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.MoveAt, 2) })},
	{Name: "the current block is to be moved", Words: "it is to be moved at", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, slab.HeadOf(b.Shared(0)).MoveAt, 3)
		return b.C.Blocks
	}},
	{Name: "a full block has freed chunks", Words: "it is on the list of full blocks", Do: inHead(full, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.Frees, 1) })},
	{Name: "a block has no freed chunks", Words: "it is on the list of blocks with freed chunks", Do: inHead(partly, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.Frees, 0) })},
	{Name: "fewer freed chunks than are listed", Words: "goes on here, beyond the", Do: inHead(partly, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.Frees, *w.Frees-1) })},
	{Name: "more freed chunks than are listed", Words: "chunks, and its head says", Do: inHead(partly, func(b *broken, w slab.HeadWords) { conformance.Overwrite(b, w.Frees, *w.Frees+1) })},
	{Name: "a free list leads nowhere", Words: "where no chunk of it begins", Do: func(b *broken) uintptr {
		_, w := partly(b)
		conformance.Overwrite(b, conformance.Link(*w.Freed), 0xdead8)
		return 0xdead8
	}},
	{Name: "a free list leads between chunks", Words: "where no chunk of it begins", Do: func(b *broken) uintptr {
		_, w := partly(b)
		conformance.Overwrite(b, w.Freed, *w.Freed+8)
		return *w.Freed
	}},
	{Name: "a free list leads to another block", Words: "where no chunk of it begins", Do: func(b *broken) uintptr {
		_, w := partly(b)
		conformance.Overwrite(b, conformance.Link(*w.Freed), b.Chunks[0])
		return b.Chunks[0]
	}},
	{Name: "a free list has a live chunk", Words: "the chunk is on the free list, and its header", Do: func(b *broken) uintptr {
		_, w := partly(b)
		conformance.Overwrite(b, conformance.Header(*w.Freed), chunk.Header(*w.Freed)^freedBy)
		return *w.Freed
	}},
	{Name: "a circle of freed chunks", Words: "goes on here, beyond the", Do: func(b *broken) uintptr {
		_, w := partly(b)
		conformance.Overwrite(b, conformance.Link(*conformance.Link(*w.Freed)), *w.Freed)
		return 0
	}},
	{Name: "a chunk freed by its header only", Words: "are not the", Do: func(b *broken) uintptr {
		p := b.Chunks[0]
		conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)^freedBy)
		return b.C.BlockOf(p).Address()
	}},
	{Name: "a header overwritten", Words: "no chunk of this block begins with that", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[1]), 0x4141414141414141)
		return b.Chunks[1]
	}},
	{Name: "the local list leads nowhere", Words: "lead here, where none begins", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, slab.WordsOf(b.C).List, 0xdead8)
		return 0xdead8
	}},
	{Name: "the local list leads between chunks", Words: "lead here, where none begins", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		conformance.Overwrite(b, w.List, *w.List+8)
		return *w.List
	}},
	{Name: "a live chunk in the local list", Words: "the chunk is local, and its header", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, slab.WordsOf(b.C).List, b.Chunks[0])
		return b.Chunks[0]
	}},
	{Name: "a circle in the local list", Words: "local chunks go on here, beyond the", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		conformance.Overwrite(b, conformance.Link(*w.List), *w.List)
		return *w.List
	}},
	{Name: "a circle in the local list, and no count to end it", Words: "local chunks go on here, beyond the", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		conformance.Overwrite(b, w.Local, ^uint32(0))
		conformance.Overwrite(b, conformance.Link(*w.List), *w.List)
		return *w.List
	}},
	{Name: "the number of local chunks", Words: "are local, and the core counts", Do: inWords(func(b *broken, w slab.CoreWords) { conformance.Overwrite(b, w.Local, *w.Local+1) })},
	{Name: "fewer local chunks than there are", Words: "local chunks go on here, beyond the", Do: inWords(func(b *broken, w slab.CoreWords) { conformance.Overwrite(b, w.Local, *w.Local-1) })},
	{Name: "a rest nowhere", Words: "and the core has chunks from", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, slab.WordsOf(b.C).Cur, 0xdead8)
		return b.C.Blocks
	}},
	{Name: "all of another block as the rest", Words: "and the core has chunks from", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		k, h := full(b)
		first := k.Address() + 64 + chunk.HeaderSize
		conformance.Overwrite(b, w.Cur, first)
		conformance.Overwrite(b, w.End, first+uintptr(*h.Chunks)**w.Stride)
		return b.C.Blocks
	}},
	{Name: "the rest of another block", Words: "and the core has chunks from", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		conformance.Overwrite(b, w.Cur, b.Chunks[0])
		return b.C.Blocks
	}},
	{Name: "a rest beyond the end", Words: "and the core has chunks from", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		conformance.Overwrite(b, w.End, *w.End+*w.Stride)
		return b.C.Blocks
	}},
	{Name: "the stride", Words: "and the core has chunks from", Do: func(b *broken) uintptr {
		w := slab.WordsOf(b.C)
		conformance.Overwrite(b, w.Stride, *w.Stride+8)
		return b.C.Blocks
	}},
	{Name: "the capacity", Words: "its shared blocks have space for", Do: inWords(func(b *broken, w slab.CoreWords) { conformance.Overwrite(b, w.Capacity, *w.Capacity-1) })},
	{Name: "the number of empty blocks", Words: "blocks are empty, and the core counts", Do: inWords(func(b *broken, w slab.CoreWords) { conformance.Overwrite(b, w.Empties, *w.Empties-1) })},
	{Name: "the account of tails", Words: "at their ends, and the accounts say", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, &b.C.Tails, b.C.Tails+8) })},
}

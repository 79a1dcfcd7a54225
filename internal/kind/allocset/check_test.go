package allocset_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/conformance"
)

type broken = conformance.Broken

// What the check of an AllocSet compares, each broken by itself.

func TestTheCheckFindsEachBreak(t *testing.T) {
	conformance.RunBreaks(t, allocset.ID, allocset.Methods{}, fill, conformance.Common, conformance.Current, conformance.Large, conformance.Growable, breaks)
}

// class is that of the chunks of which some are freed, 64 bytes.
const class = 7

// fill leaves some chunks of 64 bytes free, the first of them the one freed last.
func fill(b *broken) {
	b.Fill(200, 64)
	b.Fill(3, 20_000)
	for i := 100; i < 110; i++ {
		allocset.Push(b.C, b.Chunks[i], b.C.Cookie^class, class)
	}
	b.Chunks = b.Chunks[:100]
}

// freed returns the chunk of the free list with n others before it.
func freed(b *broken, n int) uintptr {
	p := *b.C.FreeList(class)
	for range n {
		p = *conformance.Link(p)
	}
	return p
}

var breaks = []conformance.Break{
	{Name: "a header overwritten", Words: "no chunk of this context begins with that", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), 0x4141414141414141)
		return b.Chunks[50]
	}},
	{Name: "a header of another life", Words: "no chunk of this context begins with that", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), chunk.NextCookie(b.C.Cookie)|class)
		return b.Chunks[50]
	}},
	{Name: "a large chunk's header in a shared block", Words: "no chunk of this context begins with that", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), b.C.Cookie^chunk.Large)
		return b.Chunks[50]
	}},
	{Name: "the header of the chunk cut last", Words: "no chunk of this context begins with that", Do: func(b *broken) uintptr {
		p := b.Alloc(64)
		for p+64 != b.C.Cur {
			p = b.Alloc(64)
		}
		conformance.Overwrite(b, conformance.Header(p), 0)
		return p
	}},
	{Name: "a chunk larger than what is left of its block", Words: "and the block was cut for", Do: func(b *broken) uintptr {
		p := b.Shared(1).Address() + kind.BlockHeader + chunk.HeaderSize
		conformance.Overwrite(b, conformance.Header(p), b.C.Cookie^(chunk.Classes-1))
		return p
	}},
	{Name: "the account of tails", Words: "at their ends, and the accounts say", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, &b.C.Tails, b.C.Tails+8) })},
	{Name: "the free list leads nowhere", Words: "in no block that chunks share", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), 0xdead8)
		return 0xdead8
	}},
	{Name: "the free list leads to an odd address", Words: "in no block that chunks share", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), b.Chunks[3]+1)
		return b.Chunks[3] + 1
	}},
	{Name: "the free list leads into a large block", Words: "in no block that chunks share", Do: func(b *broken) uintptr {
		p := b.Large(0).Address() + 4096
		conformance.Overwrite(b, conformance.Header(p), b.C.Cookie^chunk.Freed|class)
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), p)
		return p
	}},
	{Name: "the free list leads into a block on no list", Words: "in no block that chunks share", Do: func(b *broken) uintptr {
		addr, size, err := block.Acquire(1 << 10)
		if err != nil {
			b.Fatal(err)
		}
		b.Undo(func() { block.Release(addr, size) })
		*kind.BlockAt(addr) = kind.Block{Size: size, Owner: b.C.Number()}
		chunk.SetHeader(addr+512, b.C.Cookie^chunk.Freed|class)
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), addr+512)
		return addr + 512
	}},
	{Name: "the free list leads to the end of a block", Words: "in no block that chunks share", Do: func(b *broken) uintptr {
		p := b.Shared(1).End() - 8
		conformance.Overwrite(b, conformance.Header(p), b.C.Cookie^chunk.Freed|class)
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), p)
		return p
	}},
	{Name: "the free list leads to the head of a block", Words: "in no block that chunks share", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, b.C.FreeList(class), b.C.Blocks+8)
		return b.C.Blocks + 8
	}},
	{Name: "the free list leads to a live chunk", Words: "leads here, where the header is", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), b.Chunks[3])
		return b.Chunks[3]
	}},
	{Name: "the free list leads to one of another class", Words: "leads here, where the header is", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, b.C.FreeList(class+1), freed(b, 0))
		return freed(b, 0)
	}},
	{Name: "a circle of freed chunks", Words: "goes on here, and headers tell of", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, conformance.Link(freed(b, 4)), freed(b, 2)) })},
	{Name: "the free list ends too early", Words: "and is not the", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, conformance.Link(freed(b, 4)), 0) })},
	{Name: "a chunk freed by its header only", Words: "and is not the", Do: conformance.Somewhere(func(b *broken) {
		conformance.Overwrite(b, conformance.Header(b.Chunks[3]), b.C.Cookie^chunk.Freed|class)
	})},
	{Name: "the free list leads into a chunk", Words: "and is not the", Do: func(b *broken) uintptr {
		big := b.Alloc(1000)
		conformance.Overwrite(b, conformance.Header(big+96), b.C.Cookie^chunk.Freed|class)
		conformance.Overwrite(b, conformance.Link(big+96), freed(b, 6))
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), big+96) // as many as before
		return 0
	}},
	{Name: "a circle in a torn context", Words: "goes on here, and headers tell of", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), 0)
		conformance.Overwrite(b, conformance.Link(freed(b, 4)), freed(b, 2))
		return 0
	}},
}

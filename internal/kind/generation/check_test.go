package generation_test

import (
	"slices"
	"testing"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind/conformance"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// What the check of a Generation compares, each broken by itself.

func TestTheCheckFindsEachBreak(t *testing.T) {
	subject := conformance.Kind{ID: generation.ID, Methods: generation.Methods{}, Hot: true}
	own := breaks
	if relaxed.HotCounters {
		own = slices.Concat(own, counted)
	}
	conformance.RunBreaks(t, subject, fill, slices.Concat(conformance.Common, conformance.Current, conformance.Large, conformance.Growable, own))
}

// fill frees some chunks of each block.
func fill(b *conformance.Broken) {
	for range 200 {
		b.Alloc(64)
	}
	for range 3 {
		b.Alloc(20_000)
	}
	var live []uintptr
	for i, p := range b.Chunks[:200] {
		if i%5 != 0 {
			live = append(live, p)
		} else if err := b.Methods.Free(b.C, p, chunk.Header(p)^b.C.Cookie); err != nil {
			b.Fatal(err)
		}
	}
	b.Chunks = live
}

// heads are the words of the head of the current block and of the next.
func heads(b *conformance.Broken) (current, next *generation.Head) {
	return generation.HeadOf(b.Shared(0)), generation.HeadOf(b.Shared(1))
}

// freedBy is what changes when a chunk is freed.
const freedBy = chunk.Generation ^ chunk.GenerationFreed

var breaks = []conformance.Break{
	{Name: "the tag of the current block", Words: "which is not that of a block of", Do: func(b *conformance.Broken) uintptr {
		current, _ := heads(b)
		tag, _, _, _ := current.Words()
		conformance.Overwrite(b, tag, *tag^1<<20)
		return current.Address()
	}},
	{Name: "the tag has another mask", Words: "which is not that of a block of", Do: func(b *conformance.Broken) uintptr {
		_, next := heads(b)
		tag, _, _, _ := next.Words()
		conformance.Overwrite(b, tag, *tag^1<<13)
		return next.Address()
	}},
	{Name: "the bytes left", Words: "live bytes, and its head says", Do: func(b *conformance.Broken) uintptr {
		_, next := heads(b)
		_, left, _, _ := next.Words()
		conformance.Overwrite(b, left, *left-72)
		return next.Address()
	}},
	{Name: "the bytes left of the current block", Words: "live bytes, and its head says", Do: func(b *conformance.Broken) uintptr {
		current, _ := heads(b)
		_, left, _, _ := current.Words()
		conformance.Overwrite(b, left, *left+72)
		return current.Address()
	}},
	{Name: "the number of freed chunks", Words: "of its chunks are freed, and its head says", Do: func(b *conformance.Broken) uintptr {
		_, next := heads(b)
		_, _, frees, _ := next.Words()
		conformance.Overwrite(b, frees, *frees+1)
		return next.Address()
	}},
	{Name: "a chunk freed by its header only", Words: "of its chunks are freed, and its head says", Do: func(b *conformance.Broken) uintptr {
		p := b.Chunks[len(b.Chunks)-1]
		conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)^freedBy)
		return b.C.BlockOf(p).Address()
	}},
	{Name: "the tail of the current block", Words: "of it were not allocated", Do: func(b *conformance.Broken) uintptr {
		current, _ := heads(b)
		_, _, _, tail := current.Words()
		conformance.Overwrite(b, tail, 8)
		return current.Address()
	}},
	{Name: "a tail larger than its block", Words: "of it were not allocated", Do: func(b *conformance.Broken) uintptr {
		_, next := heads(b)
		_, _, _, tail := next.Words()
		conformance.Overwrite(b, tail, 1<<15)
		return next.Address()
	}},
	{Name: "a tail too large", Words: "and the block was cut for", Do: func(b *conformance.Broken) uintptr {
		_, next := heads(b)
		_, _, _, tail := next.Words()
		conformance.Overwrite(b, tail, *tail+8)
		return next.Address()
	}},
	{Name: "the account of tails", Words: "at their ends, and the accounts say", Do: func(b *conformance.Broken) uintptr {
		conformance.Overwrite(b, &b.C.Tails, b.C.Tails+8)
		return 0
	}},
	{Name: "a header overwritten", Words: "no chunk of this block begins with that", Do: func(b *conformance.Broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), 0x4141414141414141)
		return b.Chunks[50]
	}},
	{Name: "a header of a block of another size", Words: "no chunk of this block begins with that", Do: func(b *conformance.Broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), chunk.Header(b.Chunks[50])^1<<14)
		return b.Chunks[50]
	}},
	{Name: "a chunk larger than what is left of its block", Words: "and the block was cut for", Do: func(b *conformance.Broken) uintptr {
		p := b.Chunks[len(b.Chunks)-1]
		conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)|(chunk.Classes-1))
		return p
	}},
	{Name: "an empty block", Words: "it is empty, and was not released", Do: func(b *conformance.Broken) uintptr {
		_, next := heads(b)
		for _, p := range b.Chunks {
			if b.C.BlockOf(p) == b.Shared(1) {
				conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)^freedBy)
			}
		}
		return next.Address()
	}},
}

// counted are the breaks of what is counted under the race detector.
var counted = []conformance.Break{
	{Name: "the count of chunks", Words: "are freed, and the core counts", Do: func(b *conformance.Broken) uintptr {
		chunks, _ := generation.Counts(b.C)
		conformance.Overwrite(b, chunks, *chunks+1)
		return 0
	}},
	{Name: "the count of freed chunks", Words: "are freed, and the core counts", Do: func(b *conformance.Broken) uintptr {
		_, freed := generation.Counts(b.C)
		conformance.Overwrite(b, freed, *freed-1)
		return 0
	}},
}

package generation_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/conformance"
	"github.com/gopalloc/palloc/internal/kind/generation"
)

type broken = conformance.Broken

// What the check of a Generation compares, each broken by itself.

func TestTheCheckFindsEachBreak(t *testing.T) {
	conformance.RunBreaks(t, generation.ID, generation.Methods{}, fill, conformance.Common, conformance.Current, conformance.Large, conformance.Growable, breaks)
}

// fill frees some chunks of each block.
func fill(b *broken) {
	b.Fill(200, 64)
	b.Fill(3, 20_000)
	var live []uintptr
	for i, p := range b.Chunks[:200] {
		if i%5 != 0 {
			live = append(live, p)
		} else {
			b.Free(p)
		}
	}
	b.Chunks = live
}

// inHead is a Break's Do of the head of the current block, with n of 0, or of the next one.
func inHead(n int, do func(b *broken, h generation.HeadWords)) func(*broken) uintptr {
	return conformance.InShared(n, func(b *broken, k *kind.Block) { do(b, generation.HeadOf(k)) })
}

// freedBy is what changes when a chunk is freed.
const freedBy = chunk.Generation ^ chunk.GenerationFreed

var breaks = []conformance.Break{
	{Name: "the tag of the current block", Words: "which is not that of a block of", Do: inHead(0, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Tag, *h.Tag^1<<20) })},
	{Name: "the tag has another mask", Words: "which is not that of a block of", Do: inHead(1, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Tag, *h.Tag^1<<13) })},
	{Name: "the bytes left", Words: "live bytes, and its head says", Do: inHead(1, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Left, *h.Left-72) })},
	{Name: "the bytes left of the current block", Words: "live bytes, and its head says", Do: inHead(0, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Left, *h.Left+72) })},
	{Name: "the number of freed chunks", Words: "of its chunks are freed, and its head says", Do: inHead(1, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Frees, *h.Frees+1) })},
	{Name: "a chunk freed by its header only", Words: "of its chunks are freed, and its head says", Do: func(b *broken) uintptr {
		p := b.Chunks[len(b.Chunks)-1]
		conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)^freedBy)
		return b.C.BlockOf(p).Address()
	}},
	{Name: "the tail of the current block", Words: "of it were not allocated", Do: inHead(0, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Tail, 8) })},
	{Name: "a tail larger than its block", Words: "of it were not allocated", Do: inHead(1, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Tail, 1<<15) })},
	{Name: "a tail too large", Words: "and the block was cut for", Do: inHead(1, func(b *broken, h generation.HeadWords) { conformance.Overwrite(b, h.Tail, *h.Tail+8) })},
	{Name: "the account of tails", Words: "at their ends, and the accounts say", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, &b.C.Tails, b.C.Tails+8) })},
	{Name: "a header overwritten", Words: "no chunk of this block begins with that", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), 0x4141414141414141)
		return b.Chunks[50]
	}},
	{Name: "a header of a block of another size", Words: "no chunk of this block begins with that", Do: func(b *broken) uintptr {
		conformance.Overwrite(b, conformance.Header(b.Chunks[50]), chunk.Header(b.Chunks[50])^1<<14)
		return b.Chunks[50]
	}},
	{Name: "a chunk larger than what is left of its block", Words: "and the block was cut for", Do: func(b *broken) uintptr {
		p := b.Chunks[len(b.Chunks)-1]
		conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)|(chunk.Classes-1))
		return p
	}},
	{Name: "an empty block", Words: "it is empty, and was not released", Do: conformance.InShared(1, func(b *broken, k *kind.Block) {
		for _, p := range b.Chunks {
			if b.C.BlockOf(p) == k {
				conformance.Overwrite(b, conformance.Header(p), chunk.Header(p)^freedBy)
			}
		}
	})},
}

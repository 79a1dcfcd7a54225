package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Accounts of contexts.
//
// Invariant: totals change only when blocks are bought or sold, and are exact;
// Total is the sum of the blocks that the context owns now. Readers need no
// lock of the owner's and stop nobody.
//
// Cost: a few loads a context, for Stats of an AllocSet one for each freed chunk,
// and the tree's lock while a subtree is walked.

// Stats are the accounts of one context, in bytes and numbers.
type Stats struct {
	Total      int64 // bytes of all blocks that the context owns
	Blocks     int64 // how many blocks
	Free       int64 // bytes of them that are unsold: tails, and freed chunks with their headers
	FreeChunks int64 // freed chunks that wait to be sold again
	Used       int64 // Total less Free
}

// Stats reads the accounts of the context alone. Any goroutine; while the owner
// is at work the figures may be of slightly different moments.
//
// PostgreSQL: the stats method of MemoryContextMethods.
func (mc Context) Stats() Stats {
	defer mc.lock("Context.Stats").unlock()
	return public(mc.stats())
}

// MemAllocated is the bytes of all blocks that the context owns, and, with
// recurse, that all contexts below it own. Any goroutine.
//
// PostgreSQL: MemoryContextMemAllocated.
func (mc Context) MemAllocated(recurse bool) int64 {
	defer mc.lock("Context.MemAllocated").unlock()
	if !recurse {
		return int64(relaxed.Load(&mc.core.Total))
	}
	sum := int64(0)
	for s := mc.slot(); s != nil; s = s.after(mc.slot()) {
		sum += int64(relaxed.Load(&s.Total))
	}
	return sum
}

// stats reads the accounts of a context that was live a moment ago: if it was
// deleted since, they are about a core that holds a keeper at most.
func (mc Context) stats() kind.Stats { return methods[kind.KindOf(mc.epoch)].Stats(mc.core) }

func public(s kind.Stats) Stats {
	return Stats{
		Total:      int64(s.Total),
		Blocks:     int64(s.Blocks),
		Free:       int64(s.Free),
		FreeChunks: int64(s.FreeChunks),
		Used:       int64(s.Used()),
	}
}

// add sums two accounts.
func (s Stats) add(t Stats) Stats {
	return Stats{s.Total + t.Total, s.Blocks + t.Blocks, s.Free + t.Free, s.FreeChunks + t.FreeChunks, s.Used + t.Used}
}

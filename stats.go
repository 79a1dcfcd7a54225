package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Accounts of contexts.
//
// Invariant: totals change only when blocks are bought or sold, and are exact;
// Total is the sum of the blocks that the context owns now. Readers need no
// lock of the owner's and stop nobody.
//
// Cost: a few loads a context, for Stats of an AllocSet one for each freed chunk, with
// no lock held; for what is asked of a subtree the tree's lock, some hundred contexts at a
// time.

// Stats are the accounts of one context, in bytes and numbers.
type Stats struct {
	Held       int64 // bytes of all blocks that the context owns
	Blocks     int64 // how many blocks
	Free       int64 // bytes of them that are not allocated: tails, and freed chunks with their headers
	FreeChunks int64 // freed chunks that wait to be used again, or for their block to be empty; joined ones count as one
	Used       int64 // Total less Free: live chunks, rounded up and with their headers, and the heads of blocks
}

// Stats reads the accounts of the context alone. Any goroutine; while the owner
// is at work the figures may be of slightly different moments. For an AllocSet it takes
// a step for each freed chunk; Held takes none.
//
// PostgreSQL: the stats method of MemoryContextMethods.
func (mc Context) Stats() Stats {
	mc.check("Context.Stats")
	s := public(mc.stats(false))
	mc.check("Context.Stats") // else they are about whatever followed
	return s
}

// Held returns the bytes of the blocks that the context holds, in constant time. Any
// goroutine.
//
// PostgreSQL: MemoryContextMemAllocated, not recursive.
func (mc Context) Held() int64 {
	mc.check("Context.Held")
	return int64(relaxed.Load(&mc.ref.Core.Total))
}

// TreeHeld returns the bytes of the blocks that the context and all contexts below it
// hold. Of more than some hundred contexts, one that is created, deleted or moved meanwhile
// is counted at most once. Any goroutine. It takes a step for each context; Budget does
// not where there is one.
//
// PostgreSQL: MemoryContextMemAllocated, recursive.
func (mc Context) TreeHeld() int64 { return mc.sum("Context.TreeHeld") }

// sum is the bytes of all blocks that the context and those below own. When the context
// was deleted, that is a Fault of op, or 0 without an op.
func (mc Context) sum(op string) (bytes int64) {
	if bytes, ok := mc.sumAtOnce(op); ok {
		return bytes
	}
	mc.ref.Each(op, func(s *tree.Node) { bytes += int64(relaxed.Load(&s.Total)) })
	return bytes
}

// sumAtOnce is sum if one hold of the lock is enough for it: it makes no garbage.
func (mc Context) sumAtOnce(op string) (bytes int64, ok bool) {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() {
		return 0, op == ""
	}
	top := mc.slot()
	for s := top; s != nil; s = s.After(top) {
		if bytes += int64(relaxed.Load(&s.Total)); !tree.Step(1) {
			return 0, false
		}
	}
	return bytes, true
}

// stats reads the accounts of a context that was live a moment ago: if it was deleted
// since, they are about whatever its node is now. chunks asks for the number of chunks, too.
func (mc Context) stats(chunks bool) (s kind.Stats) {
	mc.look(func() { s = kinds.Methods[kind.KindOf(mc.ref.Epoch)].Stats(mc.ref.Core, chunks) })
	return s
}

// look reads what a kind keeps in a core. No lock is needed, but where the kinds count:
// there it takes a few steps, and the race detector would see the core's next owner
// begin.
func (mc Context) look(read func()) {
	if relaxed.HotCounters {
		tree.Lock()
		defer tree.Unlock()
		if !mc.Live() {
			return
		}
	}
	read()
}

func public(s kind.Stats) Stats {
	return Stats{
		Held:       int64(s.Total),
		Blocks:     int64(s.Blocks),
		Free:       int64(s.Free),
		FreeChunks: int64(s.FreeChunks),
		Used:       int64(s.Used()),
	}
}

// add sums two accounts.
func (s Stats) add(t Stats) Stats {
	return Stats{s.Held + t.Held, s.Blocks + t.Blocks, s.Free + t.Free, s.FreeChunks + t.FreeChunks, s.Used + t.Used}
}

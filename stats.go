package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Statistics of contexts.
//
// Invariant: totals change only when blocks are acquired or released, and are exact; Held
// is the sum of the blocks that the context holds now. Readers need no lock of the owner,
// and stop no goroutine.
//
// Cost: a few loads a context; for Stats of an AllocSet one for each freed chunk, with no
// lock held; for statistics of a subtree the tree's lock, for some hundred contexts at a
// time.

// Stats are the statistics of one context. Held is Used plus Free.
type Stats struct {
	Held       int64 // bytes of all blocks that the context holds
	Blocks     int64 // number of these blocks
	Free       int64 // bytes of Held that are free: ends of blocks, and freed chunks with their headers
	FreeChunks int64 // number of freed chunks in blocks that are held; joined ones count as one
	Used       int64 // the other bytes of Held: live chunks, rounded up, with their headers; heads of blocks
}

// Stats returns the statistics of the context alone. Any goroutine; while the owner
// allocates or frees, the figures may be of slightly different moments. For an AllocSet it
// takes a step for each freed chunk; use Held for the size alone.
//
// PostgreSQL: the stats method of MemoryContextMethods.
func (mc Context) Stats() Stats {
	mc.check("Context.Stats")
	s := public(mc.stats(false))
	mc.check("Context.Stats") // otherwise they are of a later context of the node
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

// TreeHeld returns the bytes of the blocks that the context and all contexts below it hold.
// If there are more than some hundred contexts, a context that is created, deleted or moved
// meanwhile may be missing, but is never counted twice. It takes a step for each context;
// where there is a budget, Budget takes constant time. Any goroutine.
//
// PostgreSQL: MemoryContextMemAllocated, recursive.
func (mc Context) TreeHeld() int64 { return mc.sum("Context.TreeHeld") }

// sum returns the bytes of the blocks that the context and those below it hold. If the
// context was deleted it panics with a Fault of op, or returns 0 when op is "".
func (mc Context) sum(op string) (bytes int64) {
	if bytes, ok := mc.sumAtOnce(op); ok {
		return bytes
	}
	mc.ref.Each(op, func(s *tree.Node) { bytes += int64(relaxed.Load(&s.Total)) })
	return bytes
}

// sumAtOnce works as sum does, but holds the lock once and makes no garbage. ok is false if the
// tree is too large for that.
func (mc Context) sumAtOnce(op string) (bytes int64, ok bool) {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() {
		return 0, op == ""
	}
	top := mc.ref.Node()
	for s := top; s != nil; s = s.After(top) {
		if bytes += int64(relaxed.Load(&s.Total)); !tree.Step(1) {
			return 0, false
		}
	}
	return bytes, true
}

// stats reads the statistics of a context that was live before: if it was deleted since,
// they are of a later context of the node. chunks asks for the number of chunks, too.
// It takes a lock only with the race detector, which would otherwise report the node's next
// context.
func (mc Context) stats(chunks bool) (s kind.Stats) {
	if !relaxed.PlainStores {
		tree.Lock()
		defer tree.Unlock()
		if !mc.Live() {
			return s
		}
	}
	s = kinds.Methods[kind.KindOf(mc.ref.Epoch)].Stats(mc.ref.Core, chunks)
	checked.AddGuarded(mc.ref.Core, &s)
	return s
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

// add returns the sums of the figures.
func (s Stats) add(t Stats) Stats {
	return Stats{s.Held + t.Held, s.Blocks + t.Blocks, s.Free + t.Free, s.FreeChunks + t.FreeChunks, s.Used + t.Used}
}

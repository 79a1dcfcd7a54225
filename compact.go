package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// Giving back what was freed before the context ends.
//
// Invariant: live chunks stay where they are.
//
// Cost: of an AllocSet a step for each chunk that was freed since the last time, of a
// Slab and a Generation a step for each block.

// compactions is how often Compact was called: who asks a callback learns whether it was.
var compactions atomic.Uint64

// Compact gives the blocks of the context back that hold no live chunk, and returns how
// many bytes they had: what MemAllocated fell by. Other contexts can have that memory;
// the system gets it with Trim. Freed chunks of an AllocSet that lie side by side become
// one free span, which serves a request of any size. A callback of OnPressure that frees
// single chunks calls it: see Pressure.Need. The context that allocates needs no call,
// since a request that its limit refuses is looked for among its freed chunks first. Live
// chunks do not move. A Bump has nothing to give back, since it does not know which
// chunks are in use. The time it takes grows with the
// number of chunks that were freed since the last time. Owner only; of a Shared context
// any goroutine.
//
// PostgreSQL has none: blocks that chunks share go back at the reset.
func (mc Context) Compact() int64 {
	mc.check("Context.Compact")
	compactions.Add(1)
	return int64(kinds.Methods[mc.core.Kind()].Compact(mc.core))
}

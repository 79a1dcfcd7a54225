package cell

import "github.com/gopalloc/palloc"

// palloc, a peer for each kind of context.
//
// Invariant: a kind is asked for what its API can do. The loops are the same for
// all kinds, and as a user writes them; chunks of one constant size are typed.
// Cost: none.

// maker makes a context. size is that of all its chunks, for a kind that has one size.
type maker func(size int) palloc.Context

func set(int) palloc.Context        { return palloc.NewAllocSet(palloc.Top(), "cell") }
func bump(int) palloc.Context       { return palloc.NewBump(palloc.Top(), "cell") }
func slab(size int) palloc.Context  { return palloc.NewSlab(palloc.Top(), "cell", size) }
func generation(int) palloc.Context { return palloc.NewGeneration(palloc.Top(), "cell") }

func init() {
	for peer, mk := range map[string]maker{
		"palloc-allocset": set, "palloc-bump": bump, "palloc-slab": slab, "palloc-generation": generation,
	} {
		join(peer, pallocFills(mk))
	}
	for peer, mk := range map[string]maker{"palloc-allocset": set, "palloc-slab": slab, "palloc-generation": generation} {
		join(peer, pallocFrees(mk))
	}
	for peer, mk := range map[string]maker{"palloc-allocset": set, "palloc-generation": generation} {
		join(peer, pallocSizes(mk))
	}
}

// in returns a workload in a context of its own.
func in(mk maker, size int, run func(mc palloc.Context) figures) workload {
	return plain(func() figures {
		mc := mk(size)
		defer mc.Delete()
		return run(mc)
	})
}

// pallocFills returns the workloads that free by resets alone.
func pallocFills(mk maker) map[string]workload {
	fill := func(size int, time func(func(int)) figures, loop func(palloc.Context, int)) workload {
		return in(mk, size, func(mc palloc.Context) figures {
			return time(func(n int) { loop(mc, n) })
		})
	}
	return map[string]workload{
		"cached-64":        fill(64, cached, pallocCached),
		"cached-64-zeroed": fill(64, cached, pallocCachedZeroed),
		"million-16":       fill(16, million, pallocMillion16),
		"million-64":       fill(64, million, pallocMillion64),
		"million-256":      fill(256, million, pallocMillion256),
	}
}

// pallocFrees returns those that free chunks of one size.
func pallocFrees(mk maker) map[string]workload {
	return map[string]workload{
		"pair-64": in(mk, 64, func(mc palloc.Context) figures {
			return steps(func(n int) { pallocPair(mc, n) })
		}),
		"queue-128": in(mk, 128, func(mc palloc.Context) figures {
			return steps(newPallocQueue(mc).steps)
		}),
	}
}

// pallocSizes returns those that free chunks of any size.
func pallocSizes(mk maker) map[string]workload {
	growing := func(inTurn int, times func(palloc.Context, int)) workload {
		return in(mk, 0, func(mc palloc.Context) figures {
			return grow(inTurn, func(n int) { times(mc, n) })
		})
	}
	return map[string]workload{
		"churn": in(mk, 0, func(mc palloc.Context) figures {
			return steps(newPallocChurn(mc, 0).steps)
		}),
		"churn-2": in(mk, 0, func(one palloc.Context) figures {
			two := mk(0)
			defer two.Delete()
			return stepsOfTwo([2]func(int){newPallocChurn(one, 0).steps, newPallocChurn(two, 1).steps})
		}),
		"grow-1": growing(1, pallocGrow),
		"grow-2": growing(2, pallocGrowTwo),
	}
}

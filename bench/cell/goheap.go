package cell

// Go's heap, as a program uses it: a chunk is made, and freed by being dropped.
//
// Invariant: no chunk stays on a stack: each becomes reachable from a variable
// of the package. Go clears all of them. Cost: none.

func init() {
	join("goheap", map[string]workload{
		"cached-64":        plain(func() figures { return cached(goCached) }),
		"cached-64-zeroed": plain(func() figures { return cached(goCached) }),
		"million-16":       plain(func() figures { return million(goMillion16) }),
		"million-64":       plain(func() figures { return million(goMillion64) }),
		"million-256":      plain(func() figures { return million(goMillion256) }),
		"pair-64":          plain(func() figures { return steps(goPair) }),
		"churn":            plain(func() figures { return steps(newGoChurn(0).steps) }),
		"churn-2": plain(func() figures {
			return stepsOfTwo([2]func(int){newGoChurn(0).steps, newGoChurn(1).steps})
		}),
		"queue-128": plain(func() figures { return steps(newGoQueue().steps) }),
		"call":      plain(func() figures { return calls(goCalls) }),
		"grow-1":    plain(func() figures { return grow(1, goGrow) }),
		"grow-2":    plain(func() figures { return grow(2, goGrowTwo) }),
		"trees-1":   plain(func() figures { return trees(goGrove) }),
		"trees-2":   plain(func() figures { return trees(goGrove, goGrove) }),
	})
}

// kept holds what makes chunks reachable.
var kept struct {
	linked16  *linked16
	linked64  *linked64
	linked256 *linked256
	plain64   *plain64
	frame     [perCall]*plain100
	buffers   [2][]byte
	slices    [perCall][]byte
	garbage   *[garbageSize]byte
}

package cell

import "github.com/gopalloc/palloc"

// palloc: a context for a short call.
//
// Invariant: all hang below one parent. Cost: what is measured.

func init() {
	join("palloc-allocset", map[string]workload{"call": pallocCall(pallocSetCalls)})
	join("palloc-bump", map[string]workload{"call": pallocCall(pallocBumpCalls)})
}

func pallocCall(loop func(parent palloc.Context, n int)) workload {
	return in(set, 0, func(parent palloc.Context) figures {
		return calls(func(n int) { loop(parent, n) })
	})
}

func pallocSetCalls(parent palloc.Context, n int) {
	for range n {
		mc := palloc.NewAllocSet(parent, "call")
		var last *uint64
		for range perCall {
			p := (*uint64)(mc.Alloc(100))
			*p = numberOf(last)
			last = p
		}
		mc.Delete()
	}
}

func pallocBumpCalls(parent palloc.Context, n int) {
	for range n {
		mc := palloc.NewBump(parent, "call")
		var last *uint64
		for range perCall {
			p := (*uint64)(mc.Alloc(100))
			*p = numberOf(last)
			last = p
		}
		mc.Delete()
	}
}

//go:build unix || windows

package cell

import (
	"unsafe"

	"modernc.org/memory"
)

// modernc.org/memory: a malloc in Go, off Go's heap. It has no resets: chunks are
// freed one by one, along their links.
//
// Invariant: links are stored as numbers, since what lay there before may be
// anything; nodes, which have pointers, are cleared. A free fails only when the
// system refuses to unmap, which is ignored. Cost: what is measured.

func init() {
	fill := func(time func(func(int)) figures, loop func(m *memory.Allocator, n int)) workload {
		return plain(func() figures {
			m := new(memory.Allocator)
			defer m.Close()
			return time(func(n int) { loop(m, n) })
		})
	}
	growing := func(inTurn int, loop func(m *memory.Allocator, n int)) workload {
		return fill(func(times func(int)) figures { return grow(inTurn, times) }, loop)
	}
	join("modernc", map[string]workload{
		"cached-64":        fill(cached, moderncCached),
		"cached-64-zeroed": fill(cached, moderncCachedZeroed),
		"million-16":       fill(million, func(m *memory.Allocator, n int) { moderncFill(m, n, 16) }),
		"million-64":       fill(million, func(m *memory.Allocator, n int) { moderncFill(m, n, 64) }),
		"million-256":      fill(million, func(m *memory.Allocator, n int) { moderncFill(m, n, 256) }),
		"pair-64":          fill(steps, moderncPair),
		"churn":            plain(func() figures { return steps(newModerncChurn(0).steps) }),
		"churn-2": plain(func() figures {
			return stepsOfTwo([2]func(int){newModerncChurn(0).steps, newModerncChurn(1).steps})
		}),
		"queue-128": plain(func() figures { return steps(newModerncQueue().steps) }),
		"call":      fill(calls, moderncCalls),
		"grow-1":    growing(1, moderncGrow),
		"grow-2":    growing(2, moderncGrowTwo),
		"trees-1":   plain(func() figures { return trees(moderncGrove()) }),
		"trees-2":   plain(func() figures { return trees(moderncGrove(), moderncGrove()) }),
	})
}

// must returns p, and panics with err: the system is not expected to refuse a chunk.
func must(p unsafe.Pointer, err error) unsafe.Pointer {
	if err != nil {
		panic(err)
	}
	return p
}

// freeChain frees chunks from the last to the first.
func freeChain(m *memory.Allocator, last unsafe.Pointer) {
	for last != nil {
		p := last
		last = (*address)(p).chunk()
		m.UnsafeFree(p)
	}
}

// moderncFill allocates chunks that are linked, and frees them.
func moderncFill(m *memory.Allocator, n, size int) {
	var last unsafe.Pointer
	for range n {
		p := must(m.UnsafeMalloc(size))
		(*address)(p).set(last)
		last = p
	}
	freeChain(m, last)
}

func moderncCached(m *memory.Allocator, rounds int) {
	for range rounds {
		moderncFill(m, perRound, 64)
	}
}

func moderncCachedZeroed(m *memory.Allocator, rounds int) {
	for range rounds {
		var last unsafe.Pointer
		for range perRound {
			p := must(m.UnsafeCalloc(64))
			(*address)(p).set(last)
			last = p
		}
		freeChain(m, last)
	}
}

func moderncCalls(m *memory.Allocator, n int) {
	for range n {
		moderncFill(m, perCall, 100)
	}
}

func moderncPair(m *memory.Allocator, n int) {
	for i := range n {
		p := must(m.UnsafeMalloc(64))
		*(*uint64)(p) = uint64(i)
		m.UnsafeFree(p)
	}
}

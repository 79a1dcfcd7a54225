//go:build goexperiment.arenas

package cell

import (
	"arena"
	"encoding/binary"
)

// Go's experimental arenas, in builds with GOEXPERIMENT=arenas. A reset is the
// end of one arena and the beginning of another.
//
// Invariant: an arena is freed once. Cost: what is measured.

func init() {
	join("arenas", map[string]workload{
		"cached-64":        plain(func() figures { return cached(arenaCached) }),
		"cached-64-zeroed": plain(func() figures { return cached(arenaCached) }),
		"million-16":       plain(func() figures { return million(arenaMillion16) }),
		"million-64":       plain(func() figures { return million(arenaMillion64) }),
		"million-256":      plain(func() figures { return million(arenaMillion256) }),
		"call":             plain(func() figures { return calls(arenaCalls) }),
		"trees-1":          plain(func() figures { return trees(arenaGrove) }),
		"trees-2":          plain(func() figures { return trees(arenaGrove, arenaGrove) }),
	})
}

func arenaCached(rounds int) {
	for range rounds {
		a := arena.NewArena()
		var last *plain64
		for range perRound {
			p := arena.New[plain64](a)
			p[0] = numberOf(last)
			last = p
		}
		a.Free()
	}
}

func arenaMillion16(chunks int) {
	a := arena.NewArena()
	var last *plain16
	for range chunks {
		p := arena.New[plain16](a)
		p[0] = numberOf(last)
		last = p
	}
	a.Free()
}

func arenaMillion64(chunks int) {
	a := arena.NewArena()
	var last *plain64
	for range chunks {
		p := arena.New[plain64](a)
		p[0] = numberOf(last)
		last = p
	}
	a.Free()
}

func arenaMillion256(chunks int) {
	a := arena.NewArena()
	var last *plain256
	for range chunks {
		p := arena.New[plain256](a)
		p[0] = numberOf(last)
		last = p
	}
	a.Free()
}

func arenaCalls(n int) {
	for range n {
		a := arena.NewArena()
		for i := range perCall {
			p := arena.New[plain100](a)
			binary.NativeEndian.PutUint64(p[:], uint64(i))
		}
		a.Free()
	}
}

func arenaBuild(a *arena.Arena, depth int) *goNode {
	n := arena.New[goNode](a)
	if depth > 0 {
		n.left = arenaBuild(a, depth-1)
		n.right = arenaBuild(a, depth-1)
	}
	return n
}

var arenaGrove = grove{
	plant: func(depth, trees int) (nodes int) {
		for range trees {
			a := arena.NewArena()
			nodes += arenaBuild(a, depth).count()
			a.Free()
		}
		return nodes
	},
	keep: func(depth int) func() int {
		a := arena.NewArena()
		n := arenaBuild(a, depth)
		return func() int {
			defer a.Free()
			return n.count()
		}
	},
}

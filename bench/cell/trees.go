package cell

import (
	"time"

	"github.com/gopalloc/palloc/internal/process"
)

// The Benchmarks Game's binary trees, without the allocator.
//
// Invariant: every peer builds the same trees in the same order, a node before
// its children. Cost: five indirect calls a thread.

const (
	shallowest = 4
	stride     = 4
)

// grove builds the trees of one thread.
type grove struct {
	// plant builds a number of trees of a depth one after the other, counts the
	// nodes of each, and fells it. It returns the sum of the counts.
	plant func(depth, trees int) (nodes int)
	// keep builds a tree that stays; the returned function counts and fells it.
	keep func(depth int) (fell func() int)
}

// trees plays the game with a thread for each grove.
func trees(groves ...grove) figures {
	cpu, wall := process.CPUTime(), time.Now()
	check := groves[0].plant(scale.depth+1, 1)
	fell := groves[0].keep(scale.depth)
	if len(groves) == 1 {
		check += groves[0].share(1)
	} else {
		var nodes [2]int
		both(func(i int) { nodes[i] = groves[i].share(2) })
		check += nodes[0] + nodes[1]
	}
	check += fell()
	return figures{
		"wall":  float64(time.Since(wall).Nanoseconds()),
		"ns":    float64((process.CPUTime() - cpu).Nanoseconds()),
		"check": float64(check),
	}
}

// share plants one thread's share of the trees of all depths.
func (g grove) share(threads int) (nodes int) {
	for depth := shallowest; depth <= scale.depth; depth += stride {
		nodes += g.plant(depth, 1<<(scale.depth-depth+shallowest)/threads)
	}
	return nodes
}

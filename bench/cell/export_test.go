package cell

import (
	"maps"
	"slices"
	"time"
)

// Shorten lowers what the workloads do to what a test can wait for, and returns
// how to take it back.
func Shorten() (restore func()) {
	whole := scale
	scale = amounts{
		rounds:     100,
		chunks:     10_000,
		steps:      10_000,
		calls:      1_000,
		buffers:    40,
		depth:      8,
		replay:     time.Millisecond,
		goroutines: 50,
		nodes:      10_000,
		window:     20 * time.Millisecond,
	}
	return func() { scale = whole }
}

// Depth returns the depth of the trees.
func Depth() int { return scale.depth }

// Workloads returns the names of a peer's workloads.
func Workloads(peer string) []string { return slices.Sorted(maps.Keys(peers[peer])) }

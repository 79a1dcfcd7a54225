package cell

import (
	"slices"
	"sync"
	"time"

	"github.com/gopalloc/palloc/internal/process"
)

// Timing: the clock is read around loops, never in them.
//
// Invariant: what a workload does not count has been done before the first
// reading. Cost: two readings a figure.

// per returns a time in nanoseconds for each of n.
func per(spent time.Duration, n int) float64 { return float64(spent.Nanoseconds()) / float64(n) }

// steady runs warm rounds of a loop, then n, and returns what one of the n took.
func steady(warm, n int, loop func(n int)) float64 {
	loop(warm)
	start := process.CPUTime()
	loop(n)
	return per(process.CPUTime()-start, n)
}

// cached times rounds of a hundred chunks and a reset.
func cached(loop func(rounds int)) figures {
	return figures{"ns": steady(scale.rounds/10, scale.rounds, loop) / perRound}
}

// million times nine passes of n chunks and a reset; the first is cold.
func million(pass func(chunks int)) figures {
	ns := make([]float64, 9)
	for i := range ns {
		start := process.CPUTime()
		pass(scale.chunks)
		ns[i] = per(process.CPUTime()-start, scale.chunks)
	}
	return figures{"cold": ns[0], "ns": median(ns[1:])}
}

// steps times single steps.
func steps(loop func(steps int)) figures {
	return figures{"ns": steady(scale.steps/10, scale.steps, loop)}
}

// stepsOfTwo times steps on two threads at once.
func stepsOfTwo(loops [2]func(steps int)) figures {
	both(func(i int) { loops[i](scale.steps / 10) })
	cpu, wall := process.CPUTime(), time.Now()
	both(func(i int) { loops[i](scale.steps) })
	return figures{"wall": per(time.Since(wall), scale.steps), "ns": per(process.CPUTime()-cpu, 2*scale.steps)}
}

// both runs two at once, and returns when both are done.
func both(run func(i int)) {
	var done sync.WaitGroup
	for i := range 2 {
		done.Go(func() { run(i) })
	}
	done.Wait()
}

// calls times contexts of ten chunks each.
func calls(loop func(calls int)) figures {
	return figures{"ns": steady(scale.calls/10, scale.calls, loop)}
}

// grow times buffers that are doubled, a number of them in turn.
func grow(inTurn int, loop func(times int)) figures {
	n := scale.buffers / inTurn
	return figures{"ns": steady(n/20, n, loop) / float64(inTurn)}
}

// median returns the middle of the numbers, or between the middle two. It sorts them.
func median(list []float64) float64 {
	slices.Sort(list)
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

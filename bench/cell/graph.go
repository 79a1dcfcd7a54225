package cell

import (
	"runtime"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"time"
)

// graph-gc: what ten million live nodes that point at each other cost a program
// that does not touch them.
//
//   - gc: wall time of a forced collection, the median of five.
//   - share: processor time that the collector takes from the program while it
//     makes 200 MB of garbage a second, in percent of one processor. What
//     processors do for it that have nothing else to do is not in it.
//   - tick: how late a goroutine that sleeps for 500 microseconds at a time wakes
//     up meanwhile, at the 99.9th percentile.
//
// The runtime accounts for its processor time when a collection ends. The window
// therefore begins with the end of a forced collection and ends with that of the
// first ordinary one after six seconds: it has whole collections, and only those
// that the garbage brought about.
//
// Invariant: the graph lives until the last figure is read. Cost: two processors
// for the window.

const (
	garbageRate = 200_000_000 // bytes a second
	garbageSize = 256
	nap         = 500 * time.Microsecond
)

// graphGC measures while the graph that build makes is live; build returns its last node.
func graphGC[T any](build func(nodes int) *T) workload {
	return plain(func() figures {
		last := build(scale.nodes)
		f := figures{"gc": forced()}
		f["share"], f["tick"] = littered(scale.window)
		runtime.KeepAlive(last)
		return f
	})
}

// forced returns the median of five forced collections, in nanoseconds. The first has
// taken what building the graph left.
func forced() float64 {
	runtime.GC()
	ns := make([]float64, 5)
	for i := range ns {
		start := time.Now()
		runtime.GC()
		ns[i] = float64(time.Since(start).Nanoseconds())
	}
	return median(ns)
}

// littered makes garbage for a window, and returns the collector's share and the
// delay that one nap of a thousand exceeds.
func littered(window time.Duration) (share, tick float64) {
	var over atomic.Bool
	delays := make([]float64, 0, 4*window/nap)
	both(func(i int) {
		if i == 0 {
			share = litter(window)
			over.Store(true)
			return
		}
		for !over.Load() && len(delays) < cap(delays) {
			start := time.Now()
			time.Sleep(nap)
			delays = append(delays, float64((time.Since(start) - nap).Nanoseconds()))
		}
	})
	slices.Sort(delays)
	return share, delays[len(delays)*999/1000]
}

// litter makes garbage at its rate, in small pieces between naps, and returns the
// collector's share.
func litter(window time.Duration) float64 {
	runtime.GC()
	start, before := time.Now(), readCollector()
	last := before
	for made := int64(0); ; {
		spent := time.Since(start)
		now := readCollector()
		if spent >= window && now.cycles != last.cycles {
			return 100 * (now.seconds - before.seconds) / spent.Seconds()
		}
		if spent < window {
			last = now
		}
		for due := int64(spent.Seconds() * garbageRate); made < due; made += garbageSize {
			kept.garbage = new([garbageSize]byte)
		}
		time.Sleep(nap)
	}
}

// collector returns what the collector has done since the process began.
type collector struct {
	cycles  uint64
	seconds float64 // taken from the program
}

func readCollector() collector {
	samples := [...]metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	}
	metrics.Read(samples[:])
	return collector{samples[0].Value.Uint64(), samples[1].Value.Float64() - samples[2].Value.Float64()}
}

package maps

import "runtime"

// The longest insert: how long a caller may wait for one.
//
// Invariant: the time is the thread's own where the system tells it, so that other programs take no
// part in it; the collector's assistance does. The keys are the same in each round, and the least
// of the rounds is taken.
//
// Cost: a system call for each insert.

// findLongest returns, in microseconds, the longest insert of each map on the way to n entries.
func findLongest(n, rounds int) row {
	r := row{what: "longest insert", unit: "µs", taken: make([][]float64, len(names))}
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = uint64(2*i+1) * 0x9e3779b97f4a7c15
	}
	for range rounds {
		for who, s := range []subject[uint64]{new(pallocWords), new(goMapWords), new(cockroachWords), new(dolthubWords)} {
			runtime.GC()
			s.begin()
			r.taken[who] = append(r.taken[who], longestOf(s, keys))
			s.end()
		}
	}
	return r
}

func longestOf(s subject[uint64], keys []uint64) float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	longest, last := int64(0), threadTime()
	for i := range keys {
		s.insert(keys[i : i+1])
		now := threadTime()
		longest, last = max(longest, now-last), now
	}
	return float64(longest) / 1e3
}

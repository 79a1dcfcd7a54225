package maps

import (
	"runtime"
	"slices"
)

// The longest inserts: how long a caller may wait for one.
//
// Invariant: the time is the thread's own where the system tells it, so that other programs take no
// part in it but by interrupts, which the very longest may be; the collector's assistance does. The keys
// are the same in each round.
//
// Cost: a system call for each insert.

// ranks are the inserts that are shown, counted from the longest.
var ranks = []struct {
	rank int
	what string
}{{1, "longest insert"}, {10, "tenth longest"}, {100, "hundredth longest"}, {1000, "thousandth longest"}}

// findLongest returns, in microseconds, the longest inserts of each map on the way to n entries.
func findLongest(n, rounds int) (rows []row) {
	for _, r := range ranks {
		rows = append(rows, row{what: r.what, unit: "µs", taken: make([][]float64, len(names))})
	}
	keys := make([]uint64, n)
	for i := range keys {
		keys[i] = uint64(2*i+1) * 0x9e3779b97f4a7c15
	}
	for range rounds {
		for who, s := range []subject[uint64]{new(pallocWords), new(goMapWords), new(cockroachWords), new(dolthubWords)} {
			runtime.GC()
			s.begin()
			longest := longestOf(s, keys)
			s.end()
			for i, r := range ranks {
				took := longest[max(0, len(longest)-r.rank)]
				rows[i].taken[who] = append(rows[i].taken[who], float64(took)/1e3)
			}
		}
	}
	return rows
}

// longestOf returns the nanoseconds of the longest inserts, the longest last.
func longestOf(s subject[uint64], keys []uint64) (longest []int64) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	most := 2 * ranks[len(ranks)-1].rank
	least, last := int64(-1), threadTime()
	for i := range keys {
		s.insert(keys[i : i+1])
		now := threadTime()
		took := now - last
		if last = now; took <= least {
			continue
		}
		if longest = append(longest, took); len(longest) == most { // half of them go
			slices.Sort(longest)
			longest = append(longest[:0], longest[most/2:]...)
			least, last = longest[0], threadTime()
		}
	}
	slices.Sort(longest)
	return longest
}

package block

import (
	"math/rand/v2"
	"testing"
)

// slowRuns returns what firstRun does for every n, and longestRun, by counting.
func slowRuns(free uint64) (first [65]int, longest int) {
	for n := range first {
		first[n] = -1
	}
	for i := 0; i < 64; i++ {
		run := 0
		for i+run < 64 && free>>(i+run)&1 == 1 {
			run++
			if first[run] < 0 {
				first[run] = i
			}
		}
		longest = max(longest, run)
	}
	return first, longest
}

func TestFirstRunAndLongestRunOfBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 20000 {
		free := rng.Uint64() & rng.Uint64()
		switch round % 4 {
		case 0:
			free |= rng.Uint64() | rng.Uint64()
		case 1:
			free = ^uint64(0) << rng.UintN(64) >> rng.UintN(64)
		case 2:
			free = ^free | rng.Uint64()
		}
		first, longest := slowRuns(free)
		if got := int(longestRun(free)); got != longest {
			t.Fatalf("longestRun(%064b) = %d, want %d", free, got, longest)
		}
		for n := uint(1); n <= 64; n++ {
			if got := firstRun(free, n, anyUnit); got != first[n] {
				t.Fatalf("firstRun(%064b, %d) = %d, want %d", free, n, got, first[n])
			}
		}
	}
}

func TestAlignedUnitsAreMultiples(t *testing.T) {
	for n := uint(1); n < unitsPerPage; n *= 2 {
		for u := range uint(unitsPerPage) {
			if got, want := alignedUnits(n)>>u&1 == 1, u%n == 0; got != want {
				t.Fatalf("alignedUnits(%d) has unit %d: %v, want %v", n, u, got, want)
			}
		}
	}
}

package shared

import (
	"sync"
	"testing"
)

// TestGoroutinesDifferInTheirSpots: otherwise all of them would try the same shard first.
func TestGoroutinesDifferInTheirSpots(t *testing.T) {
	if testing.AllocsPerRun(10, func() { spot() }) > 0 {
		t.Skip("-d=checkptr puts the variable whose address is looked at on Go's heap")
	}
	const goroutines = 64
	var mu sync.Mutex
	var wg, started sync.WaitGroup
	seen := map[uint32]int{}
	started.Add(goroutines)
	for range goroutines {
		wg.Go(func() {
			started.Done()
			started.Wait() // all at once: none has the stack of another
			n := spot() % MaxShards
			mu.Lock()
			seen[n]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(seen) < MaxShards/2 {
		t.Errorf("%d goroutines are at %d of %d shards: %v", goroutines, len(seen), MaxShards, seen)
	}
}

package palloc_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The fault matrix: two goroutines in a context that is not Shared.

var isTogether = []palloc.Mistake{palloc.TwoGoroutines}

var goroutines = []misuse{
	{rows: "45", what: "two goroutines in one context: allocate", kinds: "ASGB", do: meet(false), skip: noRaceDetector,
		want: wanted{mistake: isTogether, facts: "other", says: "while goroutine", by: "owner"}},
	{rows: "46", what: "two goroutines in one context: allocate and free", kinds: "ASG", do: meet(true), skip: noRaceDetector,
		want: wanted{mistake: isTogether, facts: "other", says: "while goroutine", by: "owner"}},
	{rows: "B38", what: "two goroutines in one context", kinds: "ASGB", do: meet(false), skip: noRaceDetector,
		want: wanted{mistake: isTogether, facts: "other", says: "while goroutine", by: "owner"}},
}

func noRaceDetector(*cell) string {
	if raced {
		return "the race detector reports it, and fails the test"
	}
	return ""
}

// meet is a misuse by two goroutines. In the right program they take turns.
func meet(free bool) func(c *cell) {
	return func(c *cell) {
		var turn sync.Mutex
		var met atomic.Bool
		var wg sync.WaitGroup
		var found [2]*cell
		deadline := time.Now().Add(c.patience())
		for g := range found {
			one := *c
			found[g] = &one
			wg.Go(func() {
				one.catch(func() {
					for i := 0; !met.Load() && time.Now().Before(deadline) && (!c.right || i < 20); i++ {
						if c.right {
							turn.Lock()
						}
						one.allocateSome(free)
						if c.right {
							turn.Unlock()
						}
					}
				})
				met.Store(met.Load() || len(one.faults) > 0)
			})
		}
		wg.Wait()
		for _, one := range found {
			for _, f := range one.faults {
				if f.Mistake == palloc.TwoGoroutines {
					c.faults = append([]*palloc.Fault{f}, c.faults...)
				}
			}
		}
	}
}

// patience is how long two goroutines try to meet.
func (c *cell) patience() time.Duration {
	if c.checked {
		return 20 * time.Second
	}
	return 300 * time.Millisecond
}

func (c *cell) allocateSome(free bool) {
	var list []unsafe.Pointer
	for range 50 {
		list = append(list, c.mc.Alloc(c.size))
	}
	for _, p := range list {
		if free {
			palloc.FreePointer(p)
		}
	}
}

func TestFaultMatrixGoroutinesMeetEachTime(t *testing.T) {
	if raced {
		t.Skip("the race detector reports it, and fails the test")
	}
	runs := 200
	if testing.Short() {
		runs = 10
	}
	for i := range goroutines {
		for _, c := range goroutines[i].cells() {
			for range runs {
				one := *c
				one.run("")
				one.end()
				if amiss := one.verdict(); amiss != "" {
					t.Fatalf("%v: %s", &one, amiss)
				}
			}
		}
	}
}

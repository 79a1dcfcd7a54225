package palloc_test

import (
	"flag"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/osmem"
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

// meet is a misuse by two goroutines, of which none gets far ahead of the other. In the right
// program they take turns.
func meet(free bool) func(c *cell) {
	return func(c *cell) {
		var turn sync.Mutex
		var met atomic.Bool
		var wg sync.WaitGroup
		var round [2]atomic.Int64
		var found [2]*cell
		deadline := time.Now().Add(c.patience())
		for g := range found {
			one := *c
			found[g] = &one
			wg.Go(func() {
				one.catch(func() {
					for i := int64(0); !met.Load() && time.Now().Before(deadline) && (!c.right || i < 5); i++ {
						for round[g].Store(i); i > round[1-g].Load()+2 && !met.Load() && time.Now().Before(deadline); {
							time.Sleep(time.Microsecond)
						}
						if c.right {
							turn.Lock()
						}
						one.allocateSome(free)
						if c.right {
							turn.Unlock()
						}
					}
				})
				round[g].Store(1 << 62)
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
	for range 200 {
		list = append(list, c.mc.Alloc(c.size))
	}
	for _, p := range list {
		if free {
			palloc.FreePointer(p)
		}
	}
}

var rounds = flag.Int("rounds", 20, "how often TestFaultMatrixGoroutinesMeetEachTime runs each cell")

// TestFaultMatrixGoroutinesMeetEachTime has both goroutines take turns on one processor, and run on
// several.
func TestFaultMatrixGoroutinesMeetEachTime(t *testing.T) {
	if osmem.Current().Protects() {
		mustProtect(t) // of what runs beside an emulator nothing is known
	}
	if raced {
		t.Skip("the race detector reports it, and fails the test")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for processors, runs := range map[int]int{1: *rounds, max(2, runtime.NumCPU()): 3} {
		runtime.GOMAXPROCS(processors)
		for i := range goroutines {
			for _, c := range goroutines[i].cells() {
				for range runs {
					one := *c
					one.run("")
					one.end()
					if amiss := one.verdict(); amiss != "" {
						t.Fatalf("%d processors: %v: %s", processors, &one, amiss)
					}
				}
			}
		}
	}
}

package palloc_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Meddling: what any goroutine may do to a context, at the moment at which its owner
// creates, fills, empties or deletes it.

// meddle lets another goroutine have each context that own makes, until time is up, and
// own go on once the other is done with it; a Fault says that it was deleted meanwhile.
func meddle(t *testing.T, with func(c palloc.Context), own func(lend func(c palloc.Context) (done func()))) {
	t.Helper()
	duration := 400 * time.Millisecond
	if cramped() {
		duration /= 2
	}
	var lent atomic.Pointer[palloc.Context]
	var over atomic.Bool
	var other sync.WaitGroup
	other.Go(func() {
		for !over.Load() {
			if c := lent.Load(); c != nil {
				faultOf(t, func() { with(*c) })
				lent.Store(nil)
			}
		}
	})
	defer other.Wait()
	defer over.Store(true)
	lend := func(c palloc.Context) (done func()) {
		lent.Store(&c)
		return func() {
			for lent.Load() != nil {
				runtime.Gosched()
			}
		}
	}
	for end := time.Now().Add(duration); time.Now().Before(end); {
		own(lend)
	}
}

// TestNothingOfADeletedContextGoesToTheNext: the next one of the name has its core.
func TestNothingOfADeletedContextGoesToTheNext(t *testing.T) {
	none := func(int64) int64 { return 0 }
	for name, say := range map[string]func(c palloc.Context){
		"idents":    func(c palloc.Context) { c.SetIdent("another's") },
		"limits":    func(c palloc.Context) { c.SetLimit(10_000) },
		"callbacks": func(c palloc.Context) { c.OnPressure(none) },
		"sections":  func(c palloc.Context) { c.EnterCritical() },
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			rounds := 0
			pause, spun := 0, 0
			meddle(t, say, func(lend func(c palloc.Context) func()) {
				rounds++
				c := palloc.NewAllocSet(mc, "c")
				if ident, limit := c.Ident(), c.Budget().Limit; ident != "" || limit != palloc.NoLimit {
					t.Fatalf("a new context has ident %q and limit %d", ident, limit)
				}
				done := lend(c)
				for pause = (pause + 7) % 500; spun%512 < pause; spun++ {
				}
				spun = 0
				c.Delete()
				done()
				if rounds%64 != 0 {
					return
				}
				if err := mc.Check(); err != nil {
					t.Fatal(err)
				}
			})
			if mc.DeleteChildren(); mc.Check() != nil || !mc.IsEmpty() {
				t.Error("the tree is in disorder")
			}
			t.Logf("%d rounds", rounds)
		})
	}
}

// TestABudgetOpenedAmidSalesKnowsNoMoreThanIsHeld: it is the owner's next purchase that
// it may not know of.
func TestABudgetOpenedAmidSalesKnowsNoMoreThanIsHeld(t *testing.T) {
	meddle(t, func(c palloc.Context) { c.Parent().Peak() }, func(lend func(c palloc.Context) func()) {
		mc := palloc.NewAllocSet(palloc.Top(), "budget")
		c := palloc.NewAllocSet(mc, "c")
		done := lend(c)
		for range 10 {
			palloc.FreePointer(c.Alloc(9000))
		}
		done()
		if err := mc.Check(); err != nil {
			t.Fatal(err)
		}
		mc.Delete()
	})
}

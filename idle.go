package palloc

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/block"
)

// Memory given back when nothing happens: a goroutine that trims the warehouse once
// there was no trade for a while.
//
// Invariant: at most one such goroutine; stop ends it before it returns. After a trim
// it waits for the next trade, and no timer runs.
//
// Cost: none while nobody asked for it. A timer for each interval in which there was
// trade; what a Trim costs once it ends.

// idling says that TrimWhenIdle is in force.
var idling atomic.Bool

// TrimWhenIdle calls Trim whenever no block was bought from or sold to the warehouse
// for that long, at the latest after twice as long, and then sleeps until the next one
// is. Contexts that get by with the blocks they have, or that the last one of their
// name left, trade nothing: a program that does nothing else counts as idle, and buys
// those blocks anew after each Trim. It is off until called. stop ends it, and waits for
// a Trim that is under way; it may be called more than once. A second TrimWhenIdle
// before that is a Fault, as is a time that is not positive. Any goroutine.
//
// PostgreSQL has none.
func TrimWhenIdle(after time.Duration) (stop func()) {
	if after <= 0 {
		panic(&Fault{Op: "TrimWhenIdle", Reason: fmt.Sprintf("an interval of %v: it is more than 0", after)})
	}
	if !idling.CompareAndSwap(false, true) {
		panic(&Fault{Op: "TrimWhenIdle", Reason: "it is in force already: stop that first"})
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		trimWhenIdle(after, quit)
	}()
	return sync.OnceFunc(func() {
		close(quit)
		<-done
		idling.Store(false)
	})
}

// trimWhenIdle trims after each interval without trade, and then waits for trade.
func trimWhenIdle(after time.Duration, quit <-chan struct{}) {
	resumed := make(chan struct{}, 1)
	defer block.TrimAndNotify(nil)
	for quiet(after, quit) {
		dropSpares()
		block.TrimAndNotify(resumed)
		select {
		case <-resumed:
		case <-quit:
			return
		}
	}
}

// quiet waits for an interval without trade. It says false when it is to end.
func quiet(after time.Duration, quit <-chan struct{}) bool {
	timer := time.NewTimer(after)
	defer timer.Stop()
	for seen := block.Operations(); ; {
		select {
		case <-timer.C:
		case <-quit:
			return false
		}
		now := block.Operations()
		if now == seen {
			return true
		}
		seen = now
		timer.Reset(after)
	}
}

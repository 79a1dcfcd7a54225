package budget

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
)

// Waits for another goroutine to free memory.
//
// Invariant: the goroutines that wait here, each for the holder of a resource, form no
// cycle: a wait that would close one is not begun. Each wait ends after a known time.
//
// Cost: a timer and a channel for each wait.

// resource is what goroutines wait for: a reclaimer or a listener.
type resource interface {
	// holder returns the goroutine that ends the wait, nil when it is not known. The lock of
	// budgets must be held.
	holder() *goroutine
}

var (
	errDeadlock = errors.New("the wait would be for itself")
	errTimeout  = fmt.Errorf("a callback of OnPressure that another goroutine is running did not return within %v: it may be waiting for the goroutine that allocates here", maxWait)
)

// await waits until done is closed. It returns errDeadlock at once when the wait would be
// for itself, errTimeout after until, and an error when the request is canceled. Meanwhile it
// runs the callbacks that the goroutine is asked to run as an owner.
func (r *request) await(on resource, done <-chan struct{}, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		if !r.me.beginWait(on, r.core) {
			return errDeadlock
		}
		var list []*Listener
		if HasOwnerRequests() && !r.core.Kind().IsConcurrent() {
			list = pendingAbove(r.core)
		}
		woken, err := len(list) > 0, error(nil)
		if !woken {
			select {
			case <-done:
			case <-timer.C:
				err = errTimeout
			case <-r.cancel.done(r.core):
				err = r.cancel.err(r.core)
			case <-r.me.wake:
				woken = true
			}
		}
		r.me.endWait()
		if !woken {
			return err
		}
		r.answer(list)
	}
}

// beginWait notes that the goroutine waits for a resource on behalf of the context of c. It
// returns false, and does nothing, when that would close a cycle.
func (g *goroutine) beginWait(on resource, c *kind.Core) bool {
	budgets.Lock()
	defer budgets.Unlock()
	if g == overflow {
		return false
	}
	for next := on; next != nil; {
		h := next.holder()
		if h == g || h == overflow {
			return false
		}
		if h == nil {
			break
		}
		next = h.waitsOn
	}
	g.waitsOn, g.core = on, c
	if budgets.goroutines.waiting == nil {
		budgets.goroutines.waiting = make(map[*goroutine]bool)
	}
	budgets.goroutines.waiting[g] = true
	return true
}

// endWait ends a wait.
func (g *goroutine) endWait() {
	budgets.Lock()
	defer budgets.Unlock()
	g.waitsOn, g.core = nil, nil
	delete(budgets.goroutines.waiting, g)
}

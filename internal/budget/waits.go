package budget

import (
	"errors"
	"fmt"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/shared"
)

// Waiting for a goroutine that frees memory.
//
// Invariant: whoever waits for a goroutine is not waited for by that one, at any
// distance, as far as both wait here. A wait ends after a known time at the latest.
//
// Cost: a timer and a channel for each wait.

// holding is something that one goroutine holds and others wait for.
type holding interface {
	// holder is the goroutine, nil where it is not known. The lock of budgets must be
	// held.
	holder() *routine
}

var (
	errCircle = errors.New("the wait would be for itself")
	errLate   = fmt.Errorf("a callback of OnPressure that another goroutine is running did not return within %v: it may be waiting for whoever is allocating here", maxWait)
)

// await waits until done is closed. It answers errCircle at once when that would
// be to wait for itself, errLate when it took too long, and else why the request was
// canceled. What the goroutine is asked as an owner it answers meanwhile.
func (r *request) await(on holding, done <-chan struct{}, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		if !r.me.waitsFor(on, r.core) {
			return errCircle
		}
		list := []*Listener(nil)
		if posted.Load() != 0 && r.core.Kind() != shared.ID {
			list = askedAbove(r.core)
		}
		if len(list) > 0 {
			r.me.waitsNoMore()
			r.answer(list)
			continue
		}
		select {
		case <-done:
			r.me.waitsNoMore()
			return nil
		case <-timer.C:
			r.me.waitsNoMore()
			return errLate
		case <-r.canceled.done(r.core):
			r.me.waitsNoMore()
			return r.canceled.err(r.core)
		case <-r.me.wake:
			r.me.waitsNoMore()
		}
	}
}

// waitsFor notes what the goroutine waits for, unless that would close a circle.
func (m *routine) waitsFor(on holding, c *kind.Core) bool {
	budgets.Lock()
	defer budgets.Unlock()
	if m == crowd {
		return false
	}
	for next := on; next != nil; {
		h := next.holder()
		if h == m || h == crowd {
			return false
		}
		if h == nil {
			break
		}
		next = h.on
	}
	m.on, m.core = on, c
	if budgets.routines.waiting == nil {
		budgets.routines.waiting = make(map[*routine]bool)
	}
	budgets.routines.waiting[m] = true
	return true
}

// waitsNoMore ends a wait.
func (m *routine) waitsNoMore() {
	budgets.Lock()
	defer budgets.Unlock()
	m.on, m.core = nil, nil
	delete(budgets.routines.waiting, m)
}

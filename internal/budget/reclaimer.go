package budget

import (
	"slices"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
)

// Reclaimers, and the requests that wait for them.
//
// Invariant: an account has at most one reclaimer, which has the account's callbacks run.
// Other requests that the account refuses wait for its end, and are then tried again. The
// one that arrived first becomes the next reclaimer, with what it needs reserved. No wait
// is begun that would be for itself: a request in a callback of the reclaimer has the other
// callbacks run on its own.
//
// Cost: a Go object and a channel for each reclaimer.

// reclaimer is a request that has the callbacks of an account run.
type reclaimer struct {
	account   *account
	by        *goroutine
	number    uint64
	base      int64         // account.released when reserved was first set
	outer     *reclaimer    // in whose callback this one is: then it is not the account's, and no request waits for it
	done      chan struct{} // closed at its end
	exhausted bool          // its last round freed nothing
	reclaims  []Reclaim

	waiters  []waiter
	reserved int64        // bytes below the limit, for the entitled only
	entitled []*kind.Core // the contexts of the request, and of requests in its callbacks
}

// waiter is a request that waits for a reclaimer.
type waiter struct {
	*request
	more int64 // bytes that it needs
}

// holder returns the goroutine of the reclaimer.
func (p *reclaimer) holder() *goroutine { return p.by }

// becomeReclaimer makes the request the account's reclaimer, or, in a callback of that, a
// nested one. Where another request is the reclaimer it waits for that. It returns true when
// the allocation should be repeated first.
func (r *request) becomeReclaimer(s *LimitError) (again bool, err error) {
	a := s.account
	budgets.Lock()
	fits, idle, last := s.More <= a.available(r.core), a.reclaimer == nil && len(a.listeners.list) == 0, r.awaited
	budgets.Unlock()
	switch {
	case fits:
		return true, nil
	case idle:
		return false, r.fail(s, nil)
	}
	if err := r.cancel.err(r.core); err != nil {
		return false, r.fail(s, err)
	}
	if last != nil && last.account == a && last.exhausted && last.number > r.arrival {
		r.reclaims = last.reclaims // all callbacks ran since this request began
		return false, r.fail(s, nil)
	}
	r.identify()
	other := r.startReclaim(a, s.More)
	if other == nil {
		return false, nil
	}
	switch err = r.awaitReclaimer(other, s.More); {
	case r.reclaimer != nil: // this one is next
		return true, nil
	case err == nil:
		r.awaited = other
		return true, nil
	case err == errDeadlock:
		r.reclaimer = other.nest(r)
		return false, nil
	case r.fits(s): // a limit was raised, or the callback goes on though it freed enough
		return true, nil
	}
	return false, r.fail(s, err)
}

// startReclaim makes the request the account's reclaimer. If there is one it makes the
// request wait for that, and returns it.
func (r *request) startReclaim(a *account, more int64) (other *reclaimer) {
	budgets.Lock()
	defer budgets.Unlock()
	if p := a.reclaimer; p != nil {
		a.demand += more
		p.waiters = append(p.waiters, waiter{r, more})
		return p
	}
	r.install(a)
	return nil
}

// install makes the request the account's reclaimer. The lock of budgets must be held.
func (r *request) install(a *account) {
	budgets.reclaimers++
	r.reclaimer = &reclaimer{account: a, by: r.me, number: budgets.reclaimers, done: make(chan struct{}), entitled: []*kind.Core{r.core}}
	a.reclaimer = r.reclaimer
}

// awaitReclaimer waits for the end of a reclaimer, of which the request is a waiter. A
// callback that runs meanwhile may panic or end the goroutine.
func (r *request) awaitReclaimer(p *reclaimer, more int64) error {
	defer func() {
		budgets.Lock()
		p.account.demand -= more
		p.waiters = slices.DeleteFunc(p.waiters, func(w waiter) bool { return w.request == r })
		budgets.Unlock()
	}()
	return r.await(p, p.done, time.Now().Add(maxWait))
}

// nest returns a reclaimer for a request in a callback of p, and entitles the request to
// what p reserved.
func (p *reclaimer) nest(r *request) *reclaimer {
	budgets.Lock()
	defer budgets.Unlock()
	p.entitled = append(p.entitled, r.core)
	return &reclaimer{account: p.account, by: r.me, outer: p}
}

// endReclaim ends the request's reclaimer and makes the next one. exhausted tells the
// waiters that the last round freed nothing.
func (r *request) endReclaim(exhausted bool) {
	p := r.reclaimer
	if p == nil {
		return
	}
	r.reclaimer, r.round, r.rounds = nil, nil, 0
	budgets.Lock()
	defer budgets.Unlock()
	if o := p.outer; o != nil {
		i := slices.Index(o.entitled, r.core)
		o.entitled = slices.Delete(o.entitled, i, i+1)
		return
	}
	p.exhausted, p.reclaims = exhausted, slices.Clone(r.reclaims)
	if p.account.reclaimer = nil; !exhausted {
		p.handOver()
	}
	p.by = nil // waiters that have not woken up yet no longer wait for this goroutine
	close(p.done)
}

// handOver makes the waiter that arrived first the next reclaimer, and reserves what it
// needs if there is as much. It passes over one that runs a callback as an owner. The lock
// of budgets must be held.
func (p *reclaimer) handOver() {
	var next waiter
	for _, w := range p.waiters {
		if w.me.waitsOn == resource(p) && (next.request == nil || w.arrival < next.arrival) {
			next = w
		}
	}
	if next.request == nil {
		return
	}
	next.install(p.account)
	if next.more <= p.account.limit-p.account.held.Load() {
		next.reclaimer.reserved = next.more
	}
}

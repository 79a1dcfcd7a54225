package budget

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Callbacks that only the owner of their context runs.
//
// Invariant: a listener has at most one pending request, which other goroutines add to. The
// owner answers it when it next allocates the slow way, while it waits, or when it calls
// Answer. A request that stays pending is answered later.
//
// Cost: an allocation that takes the slow way reads one word while no owner is asked
// anything in the process. Else it looks for pending requests of the contexts above.

// ownerWait is how long a request waits for an owner to begin.
const ownerWait = 100 * time.Millisecond

// ownerRequests is the number of pending requests to owners, in the process, and checking and sampling.
var ownerRequests atomic.Int32

// Both are more than there are requests.
const (
	checking = 1 << 29 // contexts may be checked
	sampling = 1 << 30 // chunks are guarded
)

// ExpectChecked makes HasDetour report true from now on, since there may be checked contexts.
func ExpectChecked() { ownerRequests.Or(checking) }

// Sample makes Alloc guard one in n chunks, on average, from now on: see checked.Guarded.
func Sample(n int64) {
	checked.Sample(n)
	ownerRequests.Or(sampling)
}

// HasDetour reports whether Alloc has more to do than to allocate: requests to owners, chunks to
// guard, or checked contexts. Any goroutine.
func HasDetour() bool { return ownerRequests.Load() != 0 }

// AsksOrSamples works as HasDetour does, but not for checked contexts. Any goroutine.
func AsksOrSamples() bool { return ownerRequests.Load()&^checking != 0 }

// ownerRequest is a request to the owner of a listener's context.
type ownerRequest struct {
	Pressure
	until   time.Time     // the end of the wait, counted from the first goroutine that asked
	done    chan struct{} // closed when it is complete
	outcome               // once it is complete
}

// errOwnerTimeout is recorded of a callback whose owner did not begin in time.
var errOwnerTimeout = fmt.Errorf("its owner did not answer within %v; the request stays pending", ownerWait)

// askOwner leaves a request with the owner of the listener's context and waits until that is
// complete. On behalf of a soft limit it does not wait.
func (r *request) askOwner(l named, p Pressure, s *LimitError) error {
	q, waiting := l.enqueue(p)
	if q == nil {
		return nil
	}
	for _, g := range waiting {
		g.wakeIfOwner(l.Listener)
	}
	if s.soft {
		return nil
	}
	released := s.account.releases()
	err := r.await(l, q.done, q.until)
	late := errOwnerTimeout
	if errors.Is(err, errTimeout) && l.isRunning() { // the owner has begun
		late = errTimeout
		err = r.await(l, q.done, time.Now().Add(maxWait))
	}
	freed := s.account.releases() - released
	r.progress = r.progress || freed > 0
	switch {
	case err == errDeadlock:
		return nil
	case errors.Is(err, errTimeout):
		r.recordCall(l, p, freed, late)
		return nil
	case err == nil:
		r.record(l, p, freed, q.outcome)
	}
	return err
}

// enqueue leaves a request with the owner, or adds to the pending one; nil: the listener was
// removed. With a new request it returns the goroutines that wait for something now: one may
// be the owner.
func (l *Listener) enqueue(p Pressure) (q *ownerRequest, waiting []*goroutine) {
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case l.removed || !l.owner.Live():
		return nil, nil
	case l.pending != nil:
		l.pending.Need = max(l.pending.Need, p.Need)
		return l.pending, nil
	}
	l.pending = &ownerRequest{Pressure: p, until: time.Now().Add(ownerWait), done: make(chan struct{})}
	ownerRequests.Add(1)
	for g := range budgets.goroutines.waiting {
		waiting = append(waiting, g)
	}
	return l.pending, waiting
}

// complete completes the listener's pending request, if there is one. The lock of budgets
// must be held.
func (l *Listener) complete(o outcome) {
	if l.pending != nil {
		ownerRequests.Add(-1)
		l.pending.outcome = o
		close(l.pending.done)
		l.pending = nil
	}
}

// wakeIfOwner wakes a goroutine that waits, if it owns the listener's context.
func (g *goroutine) wakeIfOwner(l *Listener) {
	budgets.Lock()
	c := g.core
	budgets.Unlock()
	tree.Lock()
	owner := c != nil && isOwnedWith(c, l.owner.Core)
	tree.Unlock()
	if owner {
		select {
		case g.wake <- struct{}{}:
		default: // it will wake anyway
		}
	}
}

// HasOwnerRequests reports whether a request to an owner is pending in the process. Any
// goroutine.
func HasOwnerRequests() bool { return ownerRequests.Load()&(checking-1) != 0 }

// Answer runs the callbacks of the context, and of those above it, whose owner is asked to,
// and reports whether there were any. Owner only.
func Answer(mc tree.Ref) (answered bool) {
	list := pendingAbove(mc.Core)
	if len(list) == 0 {
		return false
	}
	me, nested := budgets.goroutines.enter()
	if !nested {
		defer budgets.goroutines.leave(me)
	}
	for _, l := range list {
		answered = l.answer(me) || answered
	}
	return answered
}

// AnswerFor is Answer before op allocates in the context of c. It panics when a callback
// resets or deletes that context.
func AnswerFor(c *kind.Core, op string) {
	if c.Kind().IsConcurrent() || relaxed.Load32(&c.Has)&kind.Limited == 0 {
		return
	}
	list := pendingAbove(c)
	if len(list) == 0 {
		return
	}
	r := newRequest(c, op)
	defer r.end()
	r.identify()
	r.answer(list)
}

// answer runs listeners for the owner of the request's context.
func (r *request) answer(list []*Listener) {
	r.notePath()
	for _, l := range list {
		n := l.named()
		l.answer(r.me)
		r.checkLive(n)
	}
}

// answer runs the listener, in the goroutine of its owner, if a request is still pending.
func (l *Listener) answer(me *goroutine) bool {
	if begun, _ := l.begin(me); !begun {
		return false
	}
	p, pending := l.asked()
	if !pending {
		l.finish(outcome{})
		return false
	}
	l.run(me, p)
	return true
}

// asked returns what the pending request asks for. It is a copy, since others may add to the
// request meanwhile.
func (l *Listener) asked() (p Pressure, pending bool) {
	budgets.Lock()
	defer budgets.Unlock()
	if l.pending == nil {
		return Pressure{}, false
	}
	return l.pending.Pressure, true
}

// pendingAbove returns the listeners of the context of c, and of those above it that the
// same goroutine owns, which have a pending request and do not run.
func pendingAbove(c *kind.Core) (list []*Listener) {
	tree.Lock()
	defer tree.Unlock()
	budgets.Lock()
	defer budgets.Unlock()
	for s := kind.Slot[tree.Node](c); !s.Kind().IsConcurrent(); s = tree.At(s.Parent) {
		if s.Has&tree.HasListeners != 0 {
			for _, l := range listeners[s.Number()] {
				if l.pending != nil && l.by == nil {
					list = append(list, l)
				}
			}
		}
		if s.Parent == 0 {
			break
		}
	}
	return list
}

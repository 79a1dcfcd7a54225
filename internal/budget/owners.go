package budget

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// ownerWait is how long an owner is waited for.
const ownerWait = 100 * time.Millisecond

// posted is how many requests wait for an owner in the process.
var posted atomic.Int32

// posting is what the owner of a listener's context is asked.
type posting struct {
	Pressure
	until   time.Time     // the first one to ask waits
	done    chan struct{} // closed once it is answered
	outcome               // of the answer
}

// errAbsent is noted of a callback whose owner did not come by.
var errAbsent = fmt.Errorf("its owner did not come by within %v, and will be asked when it does", ownerWait)

// leave leaves a request with the owner of the listener's context and waits for the
// answer, but not for what a soft limit asks.
func (r *request) leave(l *Listener, p Pressure, s *Shortage) error {
	q, wakes := l.post(p)
	if q == nil {
		return nil
	}
	for _, w := range wakes {
		w.rouse(l)
	}
	if s.soft {
		return nil
	}
	released := s.account.releases()
	err := r.await(l, q.done, q.until)
	late := errAbsent
	if errors.Is(err, errLate) && l.running() { // it came by, and is at work
		late = errLate
		err = r.await(l, q.done, time.Now().Add(maxWait))
	}
	freed := s.account.releases() - released
	r.gained = r.gained || freed > 0
	switch {
	case err == errCircle:
		return nil
	case errors.Is(err, errLate):
		r.note(l, p, freed, late)
		return nil
	case err == nil:
		r.came(l, p, freed, q.outcome)
	}
	return err
}

// post leaves a request, or adds to the one that is there. It answers also who waits
// for something at this moment, in case that is the owner.
func (l *Listener) post(p Pressure) (q *posting, waiting []*routine) {
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case l.gone || !l.owner.Live():
		return nil, nil
	case l.left != nil:
		l.left.Need = max(l.left.Need, p.Need)
		return l.left, nil
	}
	l.left = &posting{Pressure: p, until: time.Now().Add(ownerWait), done: make(chan struct{})}
	posted.Add(1)
	for w := range budgets.routines.waiting {
		waiting = append(waiting, w)
	}
	return l.left, waiting
}

// answered takes away what was asked of the listener's owner, and says what came of it.
// The lock of budgets must be held.
func (l *Listener) answered(o outcome) {
	if l.left != nil {
		posted.Add(-1)
		l.left.outcome = o
		close(l.left.done)
		l.left = nil
	}
}

// rouse wakes a goroutine that waits, if it is the owner of the listener's context.
func (w *routine) rouse(l *Listener) {
	budgets.Lock()
	c := w.core
	budgets.Unlock()
	tree.Lock()
	mine := c != nil && isBelow(c, l.owner.Core)
	tree.Unlock()
	if mine {
		select {
		case w.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// Posted reports whether any owner is asked for anything.
func Posted() bool { return posted.Load() != 0 }

// Answer runs the callbacks of the context and of those above it that other goroutines
// asked for, and reports whether there were any.
func Answer(mc tree.Ref) (answered bool) {
	list := askedAbove(mc.Core)
	if len(list) == 0 {
		return false
	}
	me, nested := budgets.routines.enter()
	if !nested {
		defer budgets.routines.leave(me)
	}
	for _, l := range list {
		answered = l.answer(me) || answered
	}
	return answered
}

// AnswerFor is AnswerPressure of who is about to allocate.
func AnswerFor(c *kind.Core, op string) {
	if c.Kind() == shared.ID || relaxed.Load32(&c.Has)&kind.Limited == 0 {
		return
	}
	list := askedAbove(c)
	if len(list) == 0 {
		return
	}
	r := request{core: c, op: op, epoch: c.Epoch, stamp: c.Cookie}
	defer r.end()
	r.identify()
	r.answer(list)
}

// answer answers for the owner of the request's context.
func (r *request) answer(list []*Listener) {
	r.name()
	for _, l := range list {
		l.answer(r.me)
		r.check(l)
	}
}

// answer runs the listener in the goroutine of its owner, if it is still asked.
func (l *Listener) answer(me *routine) bool {
	if runs, _ := l.begin(me); !runs {
		return false
	}
	budgets.Lock()
	q := l.left
	budgets.Unlock()
	if q == nil {
		l.finish(outcome{})
		return false
	}
	l.run(me, q.Pressure)
	return true
}

// askedAbove are the listeners of the core and of those above it whose owner is asked.
func askedAbove(c *kind.Core) (list []*Listener) {
	tree.Lock()
	defer tree.Unlock()
	budgets.Lock()
	defer budgets.Unlock()
	for s := kind.Slot[tree.Node](c); s.Kind() != shared.ID; s = tree.At(s.Parent) {
		if s.Has&tree.HasListeners != 0 {
			for _, l := range listeners[s.Number()] {
				if l.left != nil && l.by == nil {
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

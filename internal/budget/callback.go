package budget

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/tree"
)

// One call of a callback, and what it freed.
//
// Invariant: callbacks run with no lock held and no kind at work, between two attempts of
// the same allocation. One that runs is not called again meanwhile. What a callback freed is
// measured: what its account released while it ran, and what became free in the context that
// allocates. What it returns is not believed.
//
// Cost: that of the callback, and a look at the free memory of the context.

// Reclaim is what a callback was called for on behalf of a request, and what it did.
type Reclaim struct {
	Context, Ident string // of the callback, before it was first called
	Calls          int
	Need           int64 // bytes, in the last call
	Freed          int64 // bytes, in all calls
	Err            error // that the last call returned, or its panic
	From           *Listener

	fruitless int // calls after which to ask for twice as much: see request.record
}

// maxReclaims is the maximum number of callbacks that an error lists.
const maxReclaims = 32

// maxWait is how long a request waits for a callback that another goroutine runs.
const maxWait = 10 * time.Second

// outcome is how a callback ended.
type outcome struct {
	err       error // that it returned, or its panic
	compacted bool  // Compact was called while it ran
}

// Compactions counts the calls of Compact. A callback during which it grew freed whatever it
// could.
var Compactions atomic.Uint64

// ask has one callback run, here or by its owner. It reports whether more became free in the
// context itself than ever before. An error ends the request.
func (r *request) ask(l candidate, s *LimitError) (freer bool, err error) {
	p, n := r.pressure(l, s), l.named()
	if l.owned && !r.owns(l.Listener) {
		return false, r.askOwner(n, p, s)
	}
	for {
		begun, busy := l.begin(r.me)
		if begun {
			return r.run(n, p, s), nil
		}
		if busy == nil || s.soft {
			return false, nil
		}
		switch err := r.await(l, busy, time.Now().Add(maxWait)); {
		case err == errDeadlock, r.fits(s):
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// pressure returns what a callback is called with.
func (r *request) pressure(l candidate, s *LimitError) Pressure {
	missing, fruitless := s.account.missing(s), 0
	if i := r.reclaimOf(l.Listener); i >= 0 {
		fruitless = r.reclaims[i].fruitless
	}
	return Pressure{
		Need: max(missing, min(l.held, l.held/shareDivisor<<fruitless)), Missing: missing, Held: l.held,
		Asker: tree.RefOf(r.core), Limit: s.account.owner, Soft: s.soft,
	}
}

// run runs a callback that has begun, and records what it freed.
func (r *request) run(l named, p Pressure, s *LimitError) (freer bool) {
	r.notePath()
	free, released := freeIn(r.core), s.account.releases()
	o := l.run(r.me, p)
	r.checkLive(l)
	now := freeIn(r.core)
	freed := s.account.releases() - released + max(0, int64(now)-int64(free))
	freer = now > max(free, r.maxFree)
	r.maxFree = max(r.maxFree, now)
	r.progress = r.progress || s.account.releases() > released || freer
	r.record(l, p, freed, o)
	return freer
}

// record records what a callback freed, and whether to call it again for twice as much. That
// is so when nothing that it freed counts, it returned no error, and what it freed was
// compacted: then it freed single chunks, and no whole block was among them.
func (r *request) record(l named, p Pressure, freed int64, o outcome) {
	i := r.recordCall(l, p, freed, o.err)
	if i >= 0 && freed == 0 && o.err == nil && p.Need < p.Held && (o.compacted || !l.Joins()) {
		r.reclaims[i].fruitless++
		r.askMore = true
	}
}

// recordCall records a call, and returns its index in reclaims, -1 when there are too many.
func (r *request) recordCall(l named, p Pressure, freed int64, err error) int {
	i := r.reclaimOf(l.Listener)
	if i < 0 {
		if i = len(r.reclaims); i == maxReclaims {
			return -1
		}
		r.reclaims = append(r.reclaims, Reclaim{Context: l.path, Ident: l.ident, From: l.Listener})
	}
	c := &r.reclaims[i]
	c.Calls++
	c.Need = p.Need
	c.Freed += freed
	c.Err = err
	return i
}

// reclaimOf returns the index of a listener in reclaims, -1 when it is not there.
func (r *request) reclaimOf(l *Listener) int {
	return slices.IndexFunc(r.reclaims, func(c Reclaim) bool { return c.From == l })
}

// owns reports whether the request is made by the goroutine that owns the listener's
// context.
func (r *request) owns(l *Listener) bool {
	tree.Lock()
	defer tree.Unlock()
	return isOwnedWith(r.core, l.owner.Core)
}

// isOwnedWith reports whether the context of c is that of top, or lies below it with no
// Shared one in between: one goroutine owns both. The tree's lock must be held.
func isOwnedWith(c, top *kind.Core) bool {
	for s := kind.Slot[tree.Node](c); ; s = tree.At(s.Parent) {
		switch {
		case &s.Core == top:
			return true
		case s.Parent == 0 || s.Kind().IsConcurrent():
			return false
		}
	}
}

// Joins reports whether Compact joins the freed chunks of the callback's context: they become
// free for other contexts only when the callback calls it.
func (l *Listener) Joins() bool { return kinds.Traits(kind.KindOf(l.owner.Epoch)).Joins }

// begin makes the goroutine the one that runs the listener, and reports whether it may. When
// another one runs it, busy is closed at the end of that run.
func (l *Listener) begin(by *goroutine) (begun bool, busy chan struct{}) {
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case l.by != nil:
		return false, l.done
	case l.removed || !l.owner.Live():
		return false, nil
	}
	l.by, l.done = by, make(chan struct{})
	return true, nil
}

// run runs a listener that has begun, and contains its panic.
func (l *Listener) run(by *goroutine, p Pressure) (o outcome) {
	before := Compactions.Load()
	defer func() {
		switch v := recover().(type) {
		case nil:
		case error:
			o.err = fmt.Errorf("the callback panicked: %w\n%s", v, debug.Stack())
		default:
			o.err = fmt.Errorf("the callback panicked: %v\n%s", v, debug.Stack())
		}
		o.compacted = Compactions.Load() != before
		l.finish(o)
	}()
	by.runCallback(p.Limit, func() { o.err = l.free(p) })
	return o
}

// finish ends what begin began.
func (l *Listener) finish(o outcome) {
	budgets.Lock()
	defer budgets.Unlock()
	l.complete(o)
	l.by = nil
	close(l.done)
}

// isRunning reports whether the listener runs now.
func (l *Listener) isRunning() bool {
	budgets.Lock()
	defer budgets.Unlock()
	return l.by != nil
}

// holder returns the goroutine that runs the listener.
func (l *Listener) holder() *goroutine { return l.by }

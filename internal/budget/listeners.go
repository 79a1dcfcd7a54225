package budget

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Callbacks that free memory before a budget refuses.
//
// Invariant: callbacks run with no lock held and no kind at work, between two attempts of
// the same allocation. One that runs is not run again meanwhile. A callback is listed with
// each account around its context.
//
// Cost: a callback is a few words on Go's heap, and a place in the list of each account
// around it. Nothing else until a budget is short.

// Pressure is what a callback is asked for. The sizes are in bytes.
type Pressure struct {
	Need    int64    // to free
	Missing int64    // below the limit, for all who wait
	Held    int64    // by the callback's context and all below it, the first maxCounted of them
	Asker   tree.Ref // the context that is allocating
	Limit   tree.Ref // the context whose limit is reached
	Soft    bool     // that is its soft limit
}

// Listener is a callback. It is a Go value in a side table on Go's heap.
type Listener struct {
	owner tree.Ref
	free  func(Pressure) error
	owned bool         // it runs only where its context is allocated from
	place tree.Callers // that registered it

	// The lock of budgets guards the rest.
	gone bool
	by   *routine      // that runs it, nil none
	done chan struct{} // closed when that is over
	left *posting      // what its owner is asked, nil nothing
}

// listeners has the callbacks by node. The tree's lock guards it.
var listeners map[uint32][]*Listener

// Listen registers a callback of the context, which runs only where the context is used if
// it is owned. stop takes it away and reports whether it was there.
func Listen(mc tree.Ref, op string, owned bool, free func(Pressure) error) (stop func() bool) {
	l := &Listener{owner: mc, free: free, owned: owned}
	runtime.Callers(2, l.place[:])
	defer mc.LockToEnter(op, tree.HasListeners).Unlock()
	if listeners == nil {
		listeners = make(map[uint32][]*Listener)
	}
	n := mc.Core.Number()
	listeners[n] = append(listeners[n], l)
	budgets.Lock()
	defer budgets.Unlock()
	for a := innermost(mc.Node()); a != nil; a = a.outer {
		a.listeners.add(l)
	}
	return func() bool { return deafen(mc, l) }
}

// deafen takes a listener off the list of a context that may be gone.
func deafen(mc tree.Ref, l *Listener) bool {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() {
		return false
	}
	list := listeners[mc.Core.Number()]
	i := slices.Index(list, l)
	if i < 0 {
		return false
	}
	unlist(mc.Node(), l)
	if listeners[mc.Core.Number()] = slices.Delete(list, i, i+1); len(list) == 1 {
		forgetListeners(mc.Node())
	}
	return true
}

// forgetListeners takes all of them off. The tree's lock must be held.
func forgetListeners(s *tree.Node) {
	if s.Has&tree.HasListeners != 0 {
		unlist(s, listeners[s.Number()]...)
		delete(listeners, s.Number())
		relaxed.Store32(&s.Has, s.Has&^tree.HasListeners)
	}
}

// unlist takes listeners of the context off the lists of the accounts around it.
func unlist(s *tree.Node, list ...*Listener) {
	budgets.Lock()
	defer budgets.Unlock()
	for _, l := range list {
		for a := innermost(s); a != nil; a = a.outer {
			a.listeners.remove(l)
		}
		l.gone = true
		l.answered(outcome{})
	}
}

// refile lists listeners with the account to and all around it, instead of with from and
// all around that. Both locks, the tree's and the budgets', must be held.
func refile(list []*Listener, from, to *account) {
	for _, l := range list {
		for a := from; a != nil; a = a.outer {
			a.listeners.remove(l)
		}
		for a := to; a != nil; a = a.outer {
			a.listeners.add(l)
		}
	}
}

// listenerSet is a list from which any one is taken in constant time.
type listenerSet struct {
	changes uint64
	list    []*Listener
	at      map[*Listener]int
}

func (s *listenerSet) add(l *Listener) {
	if s.at == nil {
		s.at = make(map[*Listener]int)
	}
	s.changes++
	s.at[l] = len(s.list)
	s.list = append(s.list, l)
}

func (s *listenerSet) remove(l *Listener) {
	i, there := s.at[l]
	if !there {
		return
	}
	s.changes++
	last := s.list[len(s.list)-1]
	s.list[i], s.at[last] = last, i
	s.list[len(s.list)-1] = nil
	s.list = s.list[:len(s.list)-1]
	delete(s.at, l)
}

// begin makes the goroutine the one that runs the listener, and says whether it may
// run. Where another one runs it, busy is closed when that is over.
func (l *Listener) begin(by *routine) (runs bool, busy chan struct{}) {
	budgets.Lock()
	defer budgets.Unlock()
	switch {
	case l.by != nil:
		return false, l.done
	case l.gone || !l.owner.Live():
		return false, nil
	}
	l.by, l.done = by, make(chan struct{})
	return true, nil
}

// running says whether the listener runs at this moment.
func (l *Listener) running() bool {
	budgets.Lock()
	defer budgets.Unlock()
	return l.by != nil
}

// Compactions counts the calls of Compact: a callback that made one has done what it could.
var Compactions atomic.Uint64

// run runs a listener that has begun, and contains its panic.
func (l *Listener) run(by *routine, p Pressure) (o outcome) {
	before := Compactions.Load()
	defer func() {
		if r := recover(); r != nil {
			o.err = panicked(r)
		}
		o.compacted = Compactions.Load() != before
		l.finish(o)
	}()
	by.inside(p.Limit, func() { o.err = l.free(p) })
	return o
}

// outcome is what came of a callback, but for what it gave back.
type outcome struct {
	err       error // that it returned, or what it panicked with
	compacted bool  // somebody called Compact while it ran
}

// finish ends what begin began.
func (l *Listener) finish(o outcome) {
	budgets.Lock()
	defer budgets.Unlock()
	l.answered(o)
	l.by = nil
	close(l.done)
}

// panicked is the error of a callback that panicked.
func panicked(r any) error {
	if err, ok := r.(error); ok {
		return fmt.Errorf("the callback panicked: %w\n%s", err, debug.Stack())
	}
	return fmt.Errorf("the callback panicked: %v\n%s", r, debug.Stack())
}

// holder is the goroutine that runs the listener.
func (l *Listener) holder() *routine { return l.by }

// maxCounted is how many contexts are looked at to see what a callback's context and
// all below it hold.
const maxCounted = 256

// weight is about what the listener's context and all below it hold.
func (l *Listener) weight() (sum int64) {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return 0
	}
	sum, _ = Holdings(l.owner.Node(), maxCounted)
	return sum
}

// holdings is what the core and all below it hold, and how many steps of at most so
// many were taken. One with an account is one step. The tree's lock must be held.
func Holdings(s *tree.Node, most int) (sum int64, steps int) {
	for t := s; t != nil && steps < most; steps++ {
		if a := accountOf(t); a != nil {
			sum += a.held.Load()
			t = t.Beside(s)
			continue
		}
		sum += int64(relaxed.Load(&t.Total))
		t = t.Next(s)
	}
	return sum, steps
}

package budget

import (
	"runtime"
	"slices"

	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Listeners: the registered callbacks that free memory before a limit refuses.
//
// Invariant: a listener is in the set of each account around its context, and the bit
// HasListeners of a node is set while its context has any.
//
// Cost: a listener is a few words on Go's heap, and a place in the set of each account
// around it. Nothing else until a limit refuses.

// Pressure is what a callback is called with. The sizes are in bytes.
type Pressure struct {
	Need    int64    // to free
	Missing int64    // below the limit, for the request and all that wait
	Held    int64    // by the callback's context and all below it, the first maxCounted of them
	Asker   tree.Ref // the context that allocates
	Limit   tree.Ref // the context whose limit is reached
	Soft    bool     // that is its soft limit
}

// Listener is a registered callback. It is a Go value in a side table on Go's heap.
type Listener struct {
	owner tree.Ref
	free  func(Pressure) error
	owned bool         // it runs only in the goroutine that owns its context
	place tree.Callers // that registered it

	// The lock of budgets guards the rest.
	removed bool
	by      *goroutine    // that runs it; nil: none
	done    chan struct{} // closed when that run is over
	pending *ownerRequest // for the owner to run it; nil: none
}

// listeners has the listeners by node. The tree's lock guards it.
var listeners map[uint32][]*Listener

// listenerSet is a set of listeners that is quick to change and to copy.
type listenerSet struct {
	changes uint64
	list    []*Listener
	at      map[*Listener]int // where each is in list
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

// Listen registers a callback of the context. One that is owned runs only in the goroutine
// that owns the context. stop removes the callback and reports whether it was there. Any
// goroutine.
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
	for a := chargedTo(mc.Node()); a != nil; a = a.parent {
		a.listeners.add(l)
	}
	return l.stop
}

// stop removes the listener. Its context may be gone.
func (l *Listener) stop() bool {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return false
	}
	s := l.owner.Node()
	list := listeners[s.Number()]
	i := slices.Index(list, l)
	switch {
	case i < 0:
		return false
	case len(list) == 1:
		dropListeners(s)
	default:
		l.leaveAccounts(s)
		listeners[s.Number()] = slices.Delete(list, i, i+1)
	}
	return true
}

// dropListeners removes all listeners of a context. The tree's lock must be held.
func dropListeners(s *tree.Node) {
	if s.Has&tree.HasListeners != 0 {
		for _, l := range listeners[s.Number()] {
			l.leaveAccounts(s)
		}
		delete(listeners, s.Number())
		relaxed.Store32(&s.Has, s.Has&^tree.HasListeners)
	}
}

// leaveAccounts removes a listener of the context from the sets of the accounts around it,
// and ends what its owner was asked. The tree's lock must be held.
func (l *Listener) leaveAccounts(s *tree.Node) {
	budgets.Lock()
	defer budgets.Unlock()
	for a := chargedTo(s); a != nil; a = a.parent {
		a.listeners.remove(l)
	}
	l.removed = true
	l.complete(outcome{})
}

// moveListeners moves listeners from the sets of an account and all around it to those of
// another. Both locks, the tree's and the budgets', must be held.
func moveListeners(list []*Listener, from, to *account) {
	for _, l := range list {
		for a := from; a != nil; a = a.parent {
			a.listeners.remove(l)
		}
		for a := to; a != nil; a = a.parent {
			a.listeners.add(l)
		}
	}
}

// named is a listener with the path and the ident of its context before it was called: it
// may delete the context, and another one may get the node.
type named struct {
	*Listener
	path, ident string
}

// named returns the listener with what its context is called now.
func (l *Listener) named() named {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return named{Listener: l} // it will not be called
	}
	return named{l, tree.PathOf(l.owner.Core), l.owner.Node().Ident()}
}

// Place returns the line that registered the callback.
func (l *Listener) Place() string { return l.place.Line() }

// maxCounted is the maximum number of contexts that are counted for Pressure.Held.
const maxCounted = 256

// held returns about how many bytes the listener's context and all below it hold.
func (l *Listener) held() (sum int64) {
	tree.Lock()
	defer tree.Unlock()
	if !l.owner.Live() {
		return 0
	}
	sum, _ = Holdings(l.owner.Node(), maxCounted)
	return sum
}

// Holdings returns how many bytes the context and all below it hold, as far as maxSteps
// steps tell, and how many steps that took. A context with an account is one step. The
// tree's lock must be held.
func Holdings(s *tree.Node, maxSteps int) (sum int64, steps int) {
	for t := s; t != nil && steps < maxSteps; steps++ {
		if a := ownAccount(t); a != nil {
			sum += a.held.Load()
			t = t.NextOutside(s)
			continue
		}
		sum += int64(relaxed.Load(&t.Total))
		t = t.Next(s)
	}
	return sum, steps
}

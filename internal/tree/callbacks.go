package tree

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Callbacks of resets and deletions.
//
// Invariant: a callback is on its context's list, the latest first, until it runs or is
// stopped. A reset or a deletion runs at most maxLate of the callbacks that are registered
// while it is under way, so that it ends.
//
// Cost: a Go object each. To register, to stop and to run one takes a few steps under
// the tree's lock, however many there are.

// maxLate is the maximum number of callbacks, registered by other callbacks, that a reset or
// a deletion runs. With more it assumes that they register each other for ever.
const maxLate = 1000

// callback is a function to run when a context is reset or deleted.
type callback struct {
	run          func()
	older, newer *callback // of the same context
	waiting      bool      // on the list
	number       uint64    // of its registration
}

// The tree's lock guards both.
var (
	callbacks  map[uint32]*callback // the latest of each node
	registered uint64               // how many registrations there were
)

// ending is what a reset or a deletion knows of the callbacks that it runs.
type ending struct {
	op    string // what was called
	taken int    // callbacks that were taken off their lists
	begun bool   // a callback has run
	since uint64 // the value of registered before the first one ran
	late  int    // callbacks that have run and were registered later
}

// BeforeReset registers a function to run when the context is next reset or deleted. stop
// removes it, and reports whether it was still there. Owner only; stop too.
func (mc Ref) BeforeReset(op string, run func()) (stop func() bool) {
	defer mc.Lock(op).Unlock()
	if callbacks == nil {
		callbacks = make(map[uint32]*callback)
	}
	registered++
	s := mc.Node()
	cb := &callback{run: run, older: callbacks[s.Number()], waiting: true, number: registered}
	if cb.older != nil {
		cb.older.newer = cb
	}
	callbacks[s.Number()] = cb
	relaxed.Store32(&s.Has, s.Has|HasCallbacks)
	return func() bool { return mc.stop(cb) }
}

// stop removes a callback from the list, and reports whether it was there. The context may
// be gone.
func (mc Ref) stop(cb *callback) bool {
	Lock()
	defer Unlock()
	if !mc.Live() || !cb.waiting {
		return false
	}
	mc.unlist(cb)
	return true
}

// unlist removes a callback from the list of the context. The tree's lock must be held.
func (mc Ref) unlist(cb *callback) {
	s := mc.Node()
	switch {
	case cb.newer != nil:
		cb.newer.older = cb.older
	case cb.older != nil:
		callbacks[s.Number()] = cb.older
	default:
		delete(callbacks, s.Number())
		relaxed.Store32(&s.Has, s.Has&^HasCallbacks)
	}
	if cb.older != nil {
		cb.older.newer = cb.newer
	}
	cb.older, cb.newer, cb.waiting = nil, nil, false
}

// runCallbacks runs the callbacks of the context, and those that they register. Each leaves
// the list before it runs, so that one that panics does not run again.
func (mc Ref) runCallbacks(e *ending) {
	for {
		cb, err := mc.popCallback(e)
		if err != nil {
			panic(Explain(mc.Core, e.op, 0, err))
		}
		if cb == nil {
			return
		}
		cb.run()
	}
}

func (mc Ref) popCallback(e *ending) (*callback, error) {
	defer mc.Lock(e.op).Unlock()
	return mc.takeCallback(e)
}

// takeCallback removes the latest callback from the list and returns it, nil if there is
// none. When too many were registered since the first one it returns a kind.Misuse instead. The tree's lock must be held.
func (mc Ref) takeCallback(e *ending) (*callback, error) {
	cb := callbacks[mc.Core.Number()]
	if cb == nil {
		return nil, nil
	}
	mc.unlist(cb)
	e.taken++
	if !e.begun {
		e.begun, e.since = true, registered
	}
	if cb.number <= e.since {
		return cb, nil
	}
	if e.late++; e.late <= maxLate {
		return cb, nil
	}
	return nil, kind.Misuse(fmt.Sprintf("callbacks of BeforeReset registered others, of which %d were run: "+
		"they would go on for ever, and the next one is dropped", maxLate))
}

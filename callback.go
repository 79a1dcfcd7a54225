package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// Callbacks of resets and deletions.
//
// Invariant: a callback is on its context's list, the latest first, until it runs or
// is stopped. The callbacks that one reset or deletion runs end: of those that were
// registered while it went on it runs mostLate at most.
//
// Cost: a Go object each; to register, to stop and to run one takes a few steps under
// the tree's lock, however many there are.

// mostLate is how many callbacks that were registered by others a reset or deletion
// runs: more are taken for some that register each other for ever.
const mostLate = 1000

// callback is a function to run when a context is reset or deleted. It is a Go
// value and lives in a side table on Go's heap.
type callback struct {
	run          func()
	older, newer *callback // of the same context; newer is nil in what is off the list, too
	waiting      bool      // on the list
	number       uint64    // of its registration
}

// registered counts the registrations. The tree's lock guards it.
var registered uint64

// ending is a reset or a deletion, as far as its callbacks see it.
type ending struct {
	op    string // what was called
	begun bool   // a callback was run
	since uint64 // registrations before
	late  int    // callbacks run that were registered since
}

// OnReset registers a function to be run once, when the context is next reset
// or deleted, before its memory is taken back. Of several, the latest runs
// first. It runs in the goroutine that resets, with no lock held; it may use any
// context that is still alive, this one included, and register others, which run in
// the same reset or deletion: when one has run 1000 such callbacks the next is
// dropped, and that is a *Fault, after which the context can be reset or deleted as
// before. stop takes the function away again, and says whether it was still waiting.
// It is a Fault when run is nil. Owner only; stop too.
//
// PostgreSQL: MemoryContextRegisterResetCallback,
// MemoryContextUnregisterResetCallback.
func (mc Context) OnReset(run func()) (stop func() bool) {
	const op = "Context.OnReset"
	defer mc.lock(op).unlock()
	if run == nil {
		panic(&Fault{Op: op, Context: pathOf(mc.core), Reason: "the function is nil"})
	}
	if tree.callbacks == nil {
		tree.callbacks = make(map[uint32]*callback)
	}
	registered++
	s := mc.slot()
	cb := &callback{run: run, older: tree.callbacks[s.Number()], waiting: true, number: registered}
	if cb.older != nil {
		cb.older.newer = cb
	}
	tree.callbacks[s.Number()] = cb
	relaxed.Store32(&s.Has, s.Has|hasCallbacks)
	return func() bool { return mc.stop(cb) }
}

// stop takes a callback off the list of a context that may be gone.
func (mc Context) stop(cb *callback) bool {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() || !cb.waiting {
		return false
	}
	mc.takeOff(cb)
	return true
}

// takeOff takes a callback off the list of the context. The tree's lock must be held.
func (mc Context) takeOff(cb *callback) {
	s := mc.slot()
	switch {
	case cb.newer != nil:
		cb.newer.older = cb.older
	case cb.older != nil:
		tree.callbacks[s.Number()] = cb.older
	default:
		delete(tree.callbacks, s.Number())
		relaxed.Store32(&s.Has, s.Has&^hasCallbacks)
	}
	if cb.older != nil {
		cb.older.newer = cb.newer
	}
	cb.older, cb.newer, cb.waiting = nil, nil, false
}

// runCallbacks runs the callbacks of the context, those that they register
// included. Each is off the list before it runs, so that one that panics does
// not run again.
func (mc Context) runCallbacks(e *ending) {
	for {
		cb, fault := mc.popCallback(e)
		if fault != nil {
			panic(fault)
		}
		if cb == nil {
			return
		}
		cb.run()
	}
}

func (mc Context) popCallback(e *ending) (*callback, *Fault) {
	defer mc.lock(e.op).unlock()
	return mc.takeCallback(e)
}

// takeCallback takes the latest off the list, nil where there is none. It is not to be
// run when too many were registered since the beginning, which is the Fault. The tree's
// lock must be held.
func (mc Context) takeCallback(e *ending) (*callback, *Fault) {
	cb := tree.callbacks[mc.core.Number()]
	if cb == nil {
		return nil, nil
	}
	mc.takeOff(cb)
	if !e.begun {
		e.begun, e.since = true, registered
	}
	if cb.number <= e.since {
		return cb, nil
	}
	if e.late++; e.late <= mostLate {
		return cb, nil
	}
	return nil, &Fault{Op: e.op, Context: pathOf(mc.core), Reason: fmt.Sprintf("callbacks of OnReset registered others, "+
		"of which %d were run: they would go on for ever, and the next one is dropped", mostLate)}
}

package palloc

import (
	"slices"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// callback is a function to run when a context is reset or deleted. It is a Go
// value and lives in a side table on Go's heap.
type callback struct{ run func() }

// OnReset registers a function to be run once, when the context is next reset
// or deleted, before its memory is taken back. Of several, the latest runs
// first. It runs in the goroutine that resets, with no lock held; it may use any
// context that is still alive, this one included. stop takes it away again, and
// says whether it was still waiting. Owner only; stop too.
//
// PostgreSQL: MemoryContextRegisterResetCallback,
// MemoryContextUnregisterResetCallback.
func (mc Context) OnReset(run func()) (stop func() bool) {
	defer mc.lock("Context.OnReset").unlock()
	if tree.callbacks == nil {
		tree.callbacks = make(map[uint32][]*callback)
	}
	s, cb := mc.slot(), &callback{run}
	tree.callbacks[s.Number()] = append(tree.callbacks[s.Number()], cb)
	relaxed.Store32(&s.Has, s.Has|hasCallbacks)
	return func() bool { return mc.stop(cb) }
}

// stop takes a callback off the list of a context that may be gone.
func (mc Context) stop(cb *callback) bool {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() {
		return false
	}
	list := tree.callbacks[mc.core.Number()]
	i := slices.Index(list, cb)
	if i < 0 {
		return false
	}
	mc.keepCallbacks(slices.Delete(list, i, i+1))
	return true
}

// runCallbacks runs the callbacks of the context, those that they register
// included. Each is off the list before it runs, so that one that panics does
// not run again.
func (mc Context) runCallbacks() {
	for {
		cb := mc.popCallback()
		if cb == nil {
			return
		}
		cb.run()
	}
}

func (mc Context) popCallback() *callback {
	defer mc.lock("Context.Reset").unlock()
	return mc.takeCallback()
}

// takeCallback takes the latest off the list. The tree's lock must be held.
func (mc Context) takeCallback() *callback {
	list := tree.callbacks[mc.core.Number()]
	if len(list) == 0 {
		return nil
	}
	cb := list[len(list)-1]
	mc.keepCallbacks(slices.Delete(list, len(list)-1, len(list)))
	return cb
}

// keepCallbacks sets the list. The tree's lock must be held.
func (mc Context) keepCallbacks(list []*callback) {
	s := mc.slot()
	if len(list) > 0 {
		tree.callbacks[s.Number()] = list
		return
	}
	delete(tree.callbacks, s.Number())
	relaxed.Store32(&s.Has, s.Has&^hasCallbacks)
}

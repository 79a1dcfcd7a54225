package palloc

import (
	"runtime"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The deletion of all that is below a context.
//
// Invariant: children before parents; the lock is held for a bounded number of steps,
// and a context whose callbacks run is still in the tree. What is left below is
// parked, and no more than a context may have so.
//
// Cost: the lock, for many contexts at once.

// deleteChildren goes down to a context without children, removes it, and goes
// on from its parent, until it is back. Those that run no callbacks are removed
// on the way, many under one lock.
func (mc Context) deleteChildren(e *ending) {
	d := descent{top: mc, at: mc, op: e.op}
	for !d.clear() {
		leaf, up := d.at, d.up
		switch {
		case !leaf.owned(): // just becoming a context, or ceasing to be one: its owner is between two steps
			runtime.Gosched()
		case d.paused:
		case leaf.removeInHand(e):
			d.at = up
		}
	}
}

// descent is where a deletion stands.
type descent struct {
	top    Context
	at, up Context // at a context below top, and its parent
	paused bool    // at has children: the lock was held long enough
	moves  uint64  // of the tree, when at was last known to lie below top
	op     string  // what was called
}

// mostAtOnce is how many contexts are removed under one lock.
const mostAtOnce = 64

// clear removes contexts below top until one is to be removed by itself, at which
// it stops, or none is left, which it says. When at was deleted meanwhile, or any
// context was moved, by a callback say, it begins at the top again.
func (d *descent) clear() (done bool) {
	defer d.top.lock(d.op).unlock()
	if d.moves != tree.moves || !d.at.Live() {
		d.at, d.moves = d.top, tree.moves
	}
	s := d.at.slot()
	for range mostAtOnce {
		for child := s.occupied(); child != nil; child = s.occupied() {
			s = child
		}
		if !s.tidy() {
			break
		}
		if &s.Core == d.top.core {
			return true
		}
		if !handle(&s.Core).owned() || s.Has&hasCallbacks != 0 {
			d.stop(s, false)
			s.takeInHand()
			return false
		}
		parent := s.end()
		if parent == nil {
			break
		}
		s = parent
	}
	d.stop(s, true)
	return false
}

// occupied is the first child that is not parked. The tree's lock must be held.
func (s *core) occupied() *core {
	for i := s.FirstChild; i != 0; {
		child := coreAt(i)
		if relaxed.Load32(&child.Parked) == 0 {
			return child
		}
		i = child.nextSibling
	}
	return nil
}

// end removes a barren context without callbacks, and answers its parent. Its core is
// parked, if it can be. It does nothing, and answers nil, when somebody takes a parked
// child meanwhile. The tree's lock must be held.
func (s *core) end() *core {
	mc, parent := handle(&s.Core), coreAt(s.parent)
	id := kind.KindOf(mc.epoch)
	if s.Has&^hasIdent != 0 || !parks(id) || !s.near() {
		s.buryChildren()
		if s.FirstChild != 0 {
			return nil
		}
		return s.reap()
	}
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(mc.epoch, kind.None)) // and a fence: see leave
	used := s.shut()
	s.forgetIdent()
	names.habit(s.name).note(used)
	if s.park(id) && (s.barren() || !mc.retake()) {
		return parent
	}
	mc.resurrect()
	return nil
}

// stop notes where the descent stands. The tree's lock must be held.
func (d *descent) stop(s *core, paused bool) {
	d.at, d.paused = handle(&s.Core), paused
	d.up = handle(&coreAt(s.parent).Core)
}

// reap removes a context that has neither children nor callbacks, and answers its
// parent. The tree's lock must be held.
func (s *core) reap() *core {
	parent := coreAt(s.parent)
	relaxed.Store64(&s.Epoch, kind.NextEpoch(s.Epoch, kind.None))
	used := s.Total - s.Room()
	s.closeParts()
	s.Retire()
	s.forgetIdent()
	s.free(used)
	return parent
}

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
// Cost: a few contexts that have nothing but memory are deleted one by one, as their
// owner would, without the lock; of others many under one lock.

// deleteChildren goes down to a context without children, removes it, and goes
// on from its parent, until it is back. Those that run no callbacks are removed
// on the way, many under one lock.
func (mc Context) deleteChildren() {
	if mc.deleteFew() {
		return
	}
	d := descent{top: mc, at: mc}
	for !d.clear() {
		leaf, up := d.at, d.up
		switch {
		case !leaf.owned(): // just becoming a context, or ceasing to be one: its owner is between two steps
			runtime.Gosched()
		case d.paused:
		case leaf.removeInHand():
			d.at = up
		}
	}
}

// deleteFew is deleteChildren without the lock, for few contexts. It says false when
// it left some: there are more, or the end of one is more than a few words. Where
// contexts are tied, another goroutine may be deleting one of them.
func (mc Context) deleteFew() bool {
	var above [mostTogether]Context
	at, depth := mc, 0
	for range 2 * mostTogether {
		s := at.slot()
		child, some := s.firstOccupied()
		switch {
		case some:
			if depth == mostTogether || !child.owned() || relaxed.Load32(&child.slot().Has) != 0 || someTied.Load() {
				return false
			}
			above[depth] = at
			at = child
			depth++
		case !s.barren() || !at.Live():
			return false
		case depth == 0:
			return true
		default:
			at.Delete()
			depth--
			at = above[depth]
		}
	}
	return false
}

// firstOccupied is the first child that is not parked, as far as parked ones are looked
// for; the zero Context when it cannot be told which. Nobody but the caller may delete
// children of s.
func (s *core) firstOccupied() (child Context, some bool) {
	i := relaxed.Load32(&s.FirstChild)
	for range reach + 1 {
		if i == 0 {
			break
		}
		c := coreAt(i)
		if relaxed.Load32(&c.Parked) == 0 {
			child = handle(&c.Core)
			if relaxed.Load32(&c.parent) != s.Number() { // a parked one left while it was passed
				child = Context{}
			}
			return child, true
		}
		i = relaxed.Load32(&c.nextSibling)
	}
	return Context{}, false
}

// descent is where a deletion stands.
type descent struct {
	top    Context
	at, up Context // at a context below top, and its parent
	paused bool    // at has children: the lock was held long enough
	moves  uint64  // of the tree, when at was last known to lie below top
}

// mostAtOnce is how many contexts are removed under one lock.
const mostAtOnce = 64

// clear removes contexts below top until one is to be removed by itself, at which
// it stops, or none is left, which it says. When at was deleted meanwhile, or any
// context was moved, by a callback say, it begins at the top again.
func (d *descent) clear() (done bool) {
	defer d.top.lock("Context.Delete").unlock()
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

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
// and a context whose callbacks run, or whose many blocks are given back, is still in
// the tree. What is left below is parked, and no more than a context may have so.
//
// Cost: the lock, for many contexts at once.

// deleteChildren goes down to a context without children, removes it, and goes
// on from its parent, until it is back. Those that run no callbacks and hold little
// are removed on the way, many under one lock.
func (mc Context) deleteChildren(e *ending) {
	d := descent{top: mc, at: mc, ending: *e}
	if !d.clear() {
		d.goOn()
	}
	*e = d.ending
}

// goOn is apart from deleteChildren for those that one hold of the lock is enough for.
func (d *descent) goOn() {
	defer d.end()
	for {
		switch leaf, up := d.at, d.up; {
		case d.paused:
		case !leaf.owned(): // just becoming a context, or ceasing to be one: its owner is between two steps
			runtime.Gosched()
		case leaf.removeInHand(&d.ending):
			d.at = up
		}
		if d.clear() {
			return
		}
	}
}

// descent is where a deletion stands.
type descent struct {
	top    Context
	at, up Context // at a context below top, and its parent
	paused bool    // at has children: the lock was held long enough
	deep   bool    // on the way down it was
	trail  *trail
	ending ending
}

// mostAtOnce is how many contexts are removed under one lock.
const mostAtOnce = 64

// What more than so many blocks, or bytes, hold is given back without the tree's lock.
const (
	mostBlocksAtOnce = 4
	mostBytesAtOnce  = 64 << 10
)

// heavy reports whether the context holds more than may be given back under the lock.
func (s *core) heavy() bool {
	return relaxed.Load32(&s.BlockCount) > mostBlocksAtOnce || relaxed.Load(&s.Total) > mostBytesAtOnce
}

// resume takes the lock to go on from at, or from its parent where at ended meanwhile, or
// was not owned. When that ended, too, or a context on the way to it was moved, by a
// callback say, the way begins at the top again. It says false, the lock free, when top is
// gone.
func (d *descent) resume() (live bool) {
	tree.pass()
	tree.Lock()
	if t := d.trail; t != nil {
		if d.deep && (t.cut || t.marks == nil) {
			tree.Unlock()
			marks := unmarked()
			tree.Lock()
			t.marks, t.cut = marks, true
		}
		if !d.at.Live() || !d.at.owned() { // who is not owned may be parked by now
			d.at = d.up
		}
		if t.cut || !d.at.Live() || !d.at.owned() {
			t.cut, d.at = false, d.top
		}
	}
	if !d.top.Live() {
		d.leave()
		tree.Unlock()
		return false
	}
	return true
}

// down goes down from s to a context without children. It says false when it has not
// come so far under this hold.
func (d *descent) down(s *core) (leaf *core, ok bool) {
	for child := s.occupied(); child != nil; child = s.occupied() {
		d.trail.mark(s)
		if s = child; !tree.step(1) {
			d.deep = true
			return s, false
		}
	}
	return s, true
}

// clear removes contexts below top until one is to be removed by itself, at which
// it stops, or none is left, which it says.
func (d *descent) clear() (done bool) {
	if !d.resume() {
		panic(d.top.gone(d.ending.op))
	}
	defer tree.Unlock()
	s := d.at.slot()
	for n := 0; n < mostAtOnce && tree.step(1); n++ {
		var ok bool
		if s, ok = d.down(s); !ok || !s.tidy() {
			break
		}
		if &s.Core == d.top.core {
			d.leave()
			return true
		}
		if !handle(&s.Core).owned() || s.Has&hasCallbacks != 0 || s.heavy() {
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

// occupied is the first child that is not parked. Of parked ones in front of it few are
// left; nil may mean that there was no time to look behind others. The tree's lock must
// be held.
func (s *core) occupied() *core {
	for i, n := s.FirstChild, 0; i != 0; n++ {
		child := coreAt(i)
		if relaxed.Load32(&child.Parked) == 0 {
			return child
		}
		if i = child.nextSibling; n > reach && (!child.bury() || !tree.step(1)) {
			return nil
		}
	}
	return nil
}

// end removes a barren context without callbacks, and answers its parent. Its core is
// parked, if it can be. It does nothing, and answers nil, when somebody takes a parked
// child meanwhile. The tree's lock must be held.
func (s *core) end() *core {
	tree.step(1 + int(s.BlockCount)) // which are given back
	mc, parent := handle(&s.Core), coreAt(s.parent)
	id := kind.KindOf(mc.epoch)
	if s.Has&^hasIdent != 0 || !parks(id) || !s.near() {
		s.buryThose(anyMark)
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
	if d.trail == nil {
		d.trail = newTrail()
	}
	d.trail.mark(s)
}

// leave takes the trail off. The tree's lock must be held.
func (d *descent) leave() {
	d.trail.leave()
	d.trail = nil
}

// end is leave for who may not have come to the end.
func (d *descent) end() {
	if d.trail != nil {
		tree.Lock()
		d.leave()
		tree.Unlock()
	}
}

// reap removes a context that has neither children nor callbacks, and answers its
// parent. The tree's lock must be held.
func (s *core) reap() *core {
	tree.step(1 + int(s.BlockCount))
	parent := coreAt(s.parent)
	relaxed.Store64(&s.Epoch, kind.NextEpoch(s.Epoch, kind.None))
	used := s.Total - s.Remaining()
	s.closeParts()
	s.Retire()
	s.forgetIdent()
	s.free(used)
	return parent
}

package tree

import (
	"runtime"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The deletion of all that is below a context.
//
// Invariant: children before parents. The lock is held for a bounded number of steps. A
// context is still in the tree while its callbacks run or its many blocks are released.
// Below the top only cached nodes are left, no more than a context may have.
//
// Cost: the lock, for many contexts at once.

// deleteChildren deletes all below the context. It goes down to a context without children,
// removes it, and goes on from its parent, until it is back. It removes many that run no
// callbacks and hold little under one hold of the lock.
func (mc Ref) deleteChildren(e *ending) {
	d := descent{top: mc, at: mc, ending: *e}
	if !d.clear() {
		d.run(e)
	}
}

// run is separate from deleteChildren since one hold of the lock is enough for most.
func (d *descent) run(e *ending) {
	defer func() { // also when a callback panics: another attempt may follow
		*e = d.ending
		d.close()
	}()
	for {
		switch leaf, up := d.at, d.up; {
		case d.paused:
		case !leaf.Owned(): // another goroutine has taken it
			runtime.Gosched()
		case leaf.removeClaimed(&d.ending):
			d.at = up
		}
		if d.clear() {
			return
		}
	}
}

// descent is the state of a deletion of all below a context.
type descent struct {
	top    Ref
	at, up Ref  // at a context below top, and its parent
	paused bool // at is not ready to be removed: the hold of the lock ended before
	deep   bool // that happened on the way down
	trail  *trail
	ending ending
}

// maxAtOnce is the number of contexts that are removed under one hold of the lock.
const maxAtOnce = 64

// A context with more blocks or bytes releases them without the tree's lock.
const (
	maxBlocksAtOnce = 4
	maxBytesAtOnce  = 64 << 10
)

// heavy reports whether the context holds more than is released under the lock.
func (s *Node) heavy() bool {
	return relaxed.Load32(&s.BlockCount) > maxBlocksAtOnce || relaxed.Load(&s.Total) > maxBytesAtOnce
}

// resume takes the lock to go on from at; from its parent if at ended meanwhile or is not
// owned; from the top if that ended, too, or a context on the way to it was moved, by a
// callback say. When top is gone it returns false, without the lock.
func (d *descent) resume() (live bool) {
	Pass()
	Lock()
	if t := d.trail; t != nil {
		if d.deep && (t.cut || t.marks == nil) {
			Unlock()
			marks := unmarked()
			Lock()
			t.marks, t.cut = marks, true
		}
		if !d.at.Live() || !d.at.Owned() { // it may be cached by now
			d.at = d.up
		}
		if t.cut || !d.at.Live() || !d.at.Owned() {
			t.cut, d.at = false, d.top
		}
	}
	if !d.top.Live() {
		d.leave()
		Unlock()
		return false
	}
	return true
}

// down goes down from s to a context without children. It returns false when it has not
// reached one under this hold.
func (d *descent) down(s *Node) (leaf *Node, ok bool) {
	for child := s.FirstUncached(); child != nil; child = s.FirstUncached() {
		d.trail.mark(s)
		if s = child; !Step(1) {
			d.deep = true
			return s, false
		}
	}
	return s, true
}

// clear removes contexts below top, under one hold of the lock. It returns true when none is
// left. It returns false at the end of the hold, or at a context, which it claims, that must
// be removed without the lock.
func (d *descent) clear() (done bool) {
	if !d.resume() {
		panic(d.top.gone(d.ending.op))
	}
	defer Unlock()
	s := d.at.Node()
	for n := 0; n < maxAtOnce && Step(1); n++ {
		var ok bool
		if s, ok = d.down(s); !ok || !s.evictExcess() {
			break
		}
		if &s.Core == d.top.Core {
			d.leave()
			return true
		}
		if !s.Ref().Owned() || s.Has&HasCallbacks != 0 || s.heavy() {
			d.stop(s, false)
			s.claim()
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

// FirstUncached returns the first child that is not cached. It evicts most of the cached
// ones before it. It returns nil also when the hold of the lock ends before it found one.
// The tree's lock must be held.
func (s *Node) FirstUncached() *Node {
	for i, n := s.FirstChild, 0; i != 0; n++ {
		child := At(i)
		if relaxed.Load32(&child.CachedAs) == 0 {
			return child
		}
		if i = child.NextSibling; n > reach && (!child.evict() || !Step(1)) {
			return nil
		}
	}
	return nil
}

// end removes a leaf without callbacks, and returns its parent. It caches the node if it
// can. When another goroutine takes a cached child meanwhile it returns nil, and leaves the
// context. The tree's lock must be held.
func (s *Node) end() *Node {
	Step(1 + int(s.BlockCount)) // which are released
	mc, parent := s.Ref(), At(s.Parent)
	id := kind.KindOf(mc.Epoch)
	if s.Has&^HasLongIdent != 0 || !cacheable(id) || !s.inReach() {
		s.evictWith(anyMark)
		if s.FirstChild != 0 {
			return nil
		}
		return s.endFreeing()
	}
	together, leaf := mc.endEpoch()
	if !leaf {
		return nil
	}
	used := s.closeMemory()
	s.forgetLongIdent()
	names.hint(s.name).learn(used)
	relaxed.StoreRelease32(&s.CachedAs, asCached(id, together))
	return parent
}

// stop notes where the descent is. The tree's lock must be held.
func (d *descent) stop(s *Node, paused bool) {
	d.at, d.paused = s.Ref(), paused
	d.up = At(s.Parent).Ref()
	if d.trail == nil {
		d.trail = newTrail()
	}
	d.trail.mark(s)
}

// leave ends the trail. The tree's lock must be held.
func (d *descent) leave() {
	d.trail.leave()
	d.trail = nil
}

// close is leave for a deletion that may have been stopped by a panic.
func (d *descent) close() {
	if d.trail != nil {
		Lock()
		d.leave()
		Unlock()
	}
}

// endFreeing removes a context that has neither children nor callbacks, frees its node, and
// returns its parent. The tree's lock must be held.
func (s *Node) endFreeing() *Node {
	Step(1 + int(s.BlockCount))
	parent := At(s.Parent)
	relaxed.Store64(&s.Epoch, kind.NextEpoch(s.Epoch, kind.None))
	used := s.Total - s.Remaining()
	s.closeShards()
	s.Retire()
	s.forgetLongIdent()
	s.free(used)
	return parent
}

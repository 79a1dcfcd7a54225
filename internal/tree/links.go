package tree

import (
	"runtime"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The links between nodes.
//
// Invariant: links lead both ways. The latest child comes first.
//
// Cost: constant, and a step for each walk and each trail that paused.

// link makes s the first child of parent. It evicts the cached child that creations would no
// longer find. The tree's lock must be held.
func link(parent, s *Node) {
	parent.evictAt(reach - 1)
	p, i := parent.Number(), s.Number()
	relaxed.Store32(&s.Parent, p)
	s.prevSibling = 0
	relaxed.Store32(&s.NextSibling, parent.FirstChild)
	if s.NextSibling != 0 {
		At(s.NextSibling).prevSibling = i
	}
	relaxed.Store32(&parent.FirstChild, i)
}

// unlink removes s from its parent's children. The tree's lock must be held.
func unlink(s *Node) {
	for _, w := range walks {
		w.skip(s)
	}
	if s.NextSibling != 0 {
		At(s.NextSibling).prevSibling = s.prevSibling
	}
	if s.prevSibling != 0 {
		relaxed.StoreRelease32(&At(s.prevSibling).NextSibling, s.NextSibling)
	} else {
		relaxed.StoreRelease32(&At(s.Parent).FirstChild, s.NextSibling)
	}
	relaxed.Store32(&s.Parent, 0)
	s.prevSibling = 0
	relaxed.StoreRelease32(&s.NextSibling, 0) // who goes on from here sees that evictions was counted
}

// moves counts the contexts that were moved.
var moves atomic.Uint64

// move makes s the first child of another parent. The tree's lock must be held.
func move(s, parent *Node) {
	moves.Add(1)
	for _, t := range trails {
		t.moved(s)
	}
	unlink(s)
	link(parent, s)
	atomic.StoreUint32(&s.Parent, s.Parent) // a fence before the parent's epoch is read: see the package comment
}

// Parent returns the parent of the context; the zero Ref for the root, and for a dropped
// context whose deletion has begun. It yields while the parent is taken: its deletion will
// find the context.
func (mc Ref) Parent(op string) Ref {
	for {
		p, known := mc.parent(op)
		if known {
			return p
		}
		runtime.Gosched()
	}
}

// parent returns the parent, and whether it is a context or none.
func (mc Ref) parent(op string) (p Ref, known bool) {
	defer mc.Lock(op).Unlock()
	if up := mc.Node().Parent; up != 0 && At(up) != droppedRoot.Node() {
		p = At(up).Ref()
		return p, p.Owned()
	}
	return Ref{}, true
}

// Moved is called with each node that was moved. It reports whether the nodes below need
// to be told, too, which the caller of the move does. Package budget sets it. The tree's
// lock is held.
var Moved = func(s *Node) (below bool) { return false }

// Move makes the context the first child of another parent, and returns what Moved returns.
// It panics when either does not exist, when mc is the root or would leave the root though it
// is permanent, and when parent is mc or lies below it. Any goroutine.
func (mc Ref) Move(op string, parent Ref) (below bool) {
	defer mc.Lock(op).Unlock()
	leaf := relaxed.Load32(&mc.Node().FirstChild) == 0 && parent.Core != mc.Core
	cycle := !leaf && parent.Live() && parent.IsWithin(mc.Node()) // may release the lock
	switch {
	case !mc.Live():
		panicUnlocked(func() error { return mc.gone(op) })
	case !parent.Live():
		panicUnlocked(func() error { return parent.gone(op) })
	case mc.Node().Parent == 0:
		refuse(mc.Core, op, "cannot move the root")
	case mc.Node().Has&IsPermanent != 0 && parent.Core.Number() != rootNumber:
		refuse(mc.Core, op, "the emergency context lives as long as the process: it stays below the root")
	case cycle:
		refuse(parent.Core, op, "the new parent is the context itself or lies below it: that would be a cycle")
	}
	if !mc.moveTo(parent, op) {
		refuse(mc.Core, op, "the new parent was deleted")
	}
	return Moved(mc.Node())
}

// moveTo moves the context, and reports whether parent was live; else the context is where it
// was. It panics when the context was deleted meanwhile. The tree's lock must be held.
func (mc Ref) moveTo(parent Ref, op string) (ok bool) {
	s := mc.Node()
	had := s.hold() // its deletion waits for the lock
	if !mc.Live() {
		s.unhold(had)
		panicUnlocked(func() error { return mc.gone(op) })
	}
	from := At(s.Parent)
	fromHad := from.hold() // and so does one of the parent that finds no child there
	move(s, parent.Node())
	if ok = parent.Live(); ok {
		from.unhold(fromHad)
	} else { // deleted meanwhile
		move(s, from) // with the bit: that deletion looks at the children again
	}
	s.unhold(had)
	return ok
}

// hold makes the context's deletion take the lock, until unhold. It returns the word Has as it
// was. The tree's lock must be held.
func (s *Node) hold() (had uint32) {
	had = s.Has
	atomic.StoreUint32(&s.Has, had|HasCreation) // and a fence: see the package comment
	return had
}

// unhold ends hold. The tree's lock must be held.
func (s *Node) unhold(had uint32) { relaxed.Store32(&s.Has, had) }

// refuse panics since op was misused with the context of c. The tree's lock must be held.
func refuse(c *kind.Core, op, reason string) {
	panicUnlocked(func() error { return Explain(c, op, 0, kind.Misuse(reason)) })
}

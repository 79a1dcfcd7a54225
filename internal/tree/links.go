package tree

import (
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
		relaxed.Store32(&At(s.prevSibling).NextSibling, s.NextSibling)
	} else {
		relaxed.Store32(&At(s.Parent).FirstChild, s.NextSibling)
	}
	relaxed.Store32(&s.Parent, 0)
	s.prevSibling = 0
	relaxed.Store32(&s.NextSibling, 0)
}

// move makes s the first child of another parent. The tree's lock must be held.
func move(s, parent *Node) {
	for _, t := range trails {
		t.moved(s)
	}
	unlink(s)
	link(parent, s)
	atomic.StoreUint32(&s.Parent, s.Parent) // a fence before the parent's epoch is read: see the package comment
}

// Parent returns the parent of the context; the zero Ref for the root, and for a dropped
// context whose deletion has begun.
func (mc Ref) Parent(op string) Ref {
	defer mc.Lock(op).Unlock()
	if p := mc.Node().Parent; p != 0 && At(p) != droppedRoot.Node() {
		return At(p).Ref()
	}
	return Ref{}
}

// Moved is called with each node that was moved. It reports whether the nodes below need
// to be told, too, which the caller of the move does. Package budget sets it. The tree's
// lock is held.
var Moved = func(s *Node) (below bool) { return false }

// Move makes the context the first child of another parent, and returns what Moved returns.
// It panics when either does not exist, when mc is the root, and when parent is mc or lies
// below it.
func (mc Ref) Move(op string, parent Ref) (below bool) {
	below, c, err := mc.move(op, parent)
	if err != nil {
		panic(Explain(c, op, 0, err))
	}
	return below
}

// move is Move, but returns the error, and the context that it is about, instead of
// panicking.
func (mc Ref) move(op string, parent Ref) (below bool, c *kind.Core, err error) {
	defer mc.Lock(op).Unlock()
	cycle := parent.Live() && parent.IsWithin(mc.Node()) // may release the lock
	switch {
	case !mc.Live():
		return false, nil, mc.goneUnlocked()
	case !parent.Live():
		return false, nil, parent.goneUnlocked()
	case mc.Node().Parent == 0:
		return false, mc.Core, kind.Misuse("cannot move the root")
	case cycle:
		return false, parent.Core, kind.Misuse("the new parent is the context itself or lies below it: that would be a cycle")
	}
	from := At(mc.Node().Parent)
	move(mc.Node(), parent.Node())
	if !parent.Live() { // deleted meanwhile
		move(mc.Node(), from)
		return false, mc.Core, kind.Misuse("the new parent was deleted")
	}
	return Moved(mc.Node()), nil, nil
}

// goneUnlocked is Gone for a caller that holds the tree's lock.
func (mc Ref) goneUnlocked() error {
	Unlock()
	defer Lock()
	return mc.Gone()
}

package tree

import "github.com/gopalloc/palloc/internal/kind"

// trail is a path through the tree, up or down, on which a goroutine releases the lock. It
// tells whether the path still exists when the lock is held again.
//
// Invariant: a trail in trails is cut when a context on it is moved, and perhaps when
// another one is. A nil trail is that of a goroutine that has not released the lock yet.
//
// Cost: for a long path a bit for each node that exists; a step of each move for each trail.
type trail struct {
	marks []uint64 // a bit for each node on the path, and for some that were; nil: any may be
	cut   bool
}

// trails are those on which the lock was released. The tree's lock guards it.
var trails []*trail

// mark notes that the path leads through a node.
func (t *trail) mark(s *Node) {
	if t == nil {
		return
	}
	if n := s.Number(); n/64 < uint32(len(t.marks)) {
		t.marks[n/64] |= 1 << (n % 64)
	}
}

// moved cuts the trail if the path may lead through s, which is being moved. The tree's lock must be
// held.
func (t *trail) moved(s *Node) {
	n := s.Number()
	if n/64 >= uint32(len(t.marks)) || t.marks[n/64]&(1<<(n%64)) != 0 {
		t.cut = true
	}
}

// newTrail makes a trail in trails. The tree's lock must be held.
func newTrail() *trail {
	t := new(trail)
	trails = append(trails, t)
	return t
}

// leave removes the trail from trails. The tree's lock must be held.
func (t *trail) leave() {
	if t != nil {
		trails = without(trails, t)
	}
}

// unmarked returns marks for the nodes that exist, none set.
func unmarked() []uint64 { return make([]uint64, kind.Slots()/64+1) }

// IsWithin reports whether the context is top or lies below it; false when it ended
// meanwhile. The tree's lock must be held. With more than some hundred levels between the
// two it is released on the way, but the result holds when IsWithin returns.
func (mc Ref) IsWithin(top *Node) bool {
	var t *trail
	for s := mc.Node(); ; {
		for s != top && s.Parent != 0 && Step(1) {
			t.mark(s)
			s = At(s.Parent)
		}
		if s == top || s.Parent == 0 || !mc.Live() {
			t.leave()
			return s == top
		}
		if t == nil {
			t = newTrail()
		}
		fresh := t.cut || t.marks == nil
		Unlock()
		var marks []uint64
		if fresh {
			marks = unmarked()
		}
		Pass()
		Lock()
		switch {
		case fresh: // from the beginning, with marks
			t.marks, t.cut, s = marks, false, mc.Node()
		case t.cut:
			s = mc.Node()
		}
	}
}

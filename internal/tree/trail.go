package tree

import "github.com/gopalloc/palloc/internal/kind"

// A trail is a way through the tree, from child to parent or down, on which a goroutine
// releases the lock. It tells whether the way is still one when the lock is held again.
//
// Invariant: a trail in trails is cut when a context on it is moved, and perhaps when
// another one is. A nil trail is one on which the lock was not released yet.
//
// Cost: once it is long, a bit for each node that exists; a look at each trail by each move.
type trail struct {
	marks []uint64 // a bit for each node on the way, and for some that were; nil: any may be
	cut   bool
}

// trails are those on which the lock was released. The tree's lock guards it.
var trails []*trail

// mark notes that the way goes by a node.
func (t *trail) mark(s *Node) {
	if t == nil {
		return
	}
	if n := s.Number(); n/64 < uint32(len(t.marks)) {
		t.marks[n/64] |= 1 << (n % 64)
	}
}

// moved cuts the trail if it may go by s, which is being moved. The tree's lock must be
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

// leave takes it off. The tree's lock must be held.
func (t *trail) leave() {
	if t != nil {
		trails = without(trails, t)
	}
}

// unmarked returns marks for the nodes that exist, none set.
func unmarked() []uint64 { return make([]uint64, kind.Slots()/64+1) }

// shallow is the number of levels that are gone up without a trail.
const shallow = 32

// IsWithin reports whether the context is top or lies below it; false when it ended
// meanwhile. The tree's lock must be held. It is released where more than some hundred
// levels are between the two, but the answer holds when IsWithin returns.
func (mc Ref) IsWithin(top *Node) bool {
	s := mc.Node()
	for range shallow {
		if s == top || s.Parent == 0 {
			return s == top
		}
		s = At(s.Parent)
	}
	Step(shallow)
	var t *trail
	for s = mc.Node(); ; {
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

package palloc

import "github.com/gopalloc/palloc/internal/kind"

// Ways through the tree from parent to child that somebody goes who lets go of the lock
// on the way: whether they still are ways when it is held again.
//
// Invariant: a trail that is entered in tree.trails is cut when a context on it is moved,
// and perhaps when another one is.
//
// Cost: once it is long, a bit for each core that there is; a look at each by each move.
//
// A nil trail is one that nobody let go of the lock on yet.
type trail struct {
	marks []uint64 // a bit for each core on the way, and for some that were; nil: any may be
	cut   bool
}

// mark notes that the way goes by a core.
func (t *trail) mark(s *core) {
	if t == nil {
		return
	}
	if n := s.Number(); n/64 < uint32(len(t.marks)) {
		t.marks[n/64] |= 1 << (n % 64)
	}
}

// moved cuts the trail if it may go by s, which is moved. The tree's lock must be held.
func (t *trail) moved(s *core) {
	n := s.Number()
	if n/64 >= uint32(len(t.marks)) || t.marks[n/64]&(1<<(n%64)) != 0 {
		t.cut = true
	}
}

// newTrail is a trail that is entered in tree.trails. The tree's lock must be held.
func newTrail() *trail {
	t := new(trail)
	tree.trails = append(tree.trails, t)
	return t
}

// leave takes it off. The tree's lock must be held.
func (t *trail) leave() {
	if t != nil {
		tree.trails = without(tree.trails, t)
	}
}

// unmarked are marks for the cores that there are, none set.
func unmarked() []uint64 { return make([]uint64, kind.Slots()/64+1) }

// shallow is how many levels are gone up without a trail.
const shallow = 32

// isWithin reports whether the context is top or lies below it, up to now and with no
// step in between; false when it ended meanwhile. The tree's lock must be held, and is
// let go of where more than some hundred levels are between the two.
func (mc Context) isWithin(top *core) bool {
	s := mc.slot()
	for range shallow {
		if s == top || s.parent == 0 {
			return s == top
		}
		s = coreAt(s.parent)
	}
	tree.step(shallow)
	var t *trail
	for s = mc.slot(); ; {
		for s != top && s.parent != 0 && tree.step(1) {
			t.mark(s)
			s = coreAt(s.parent)
		}
		if s == top || s.parent == 0 || !mc.Live() {
			t.leave()
			return s == top
		}
		if t == nil {
			t = newTrail()
		}
		fresh := t.cut || t.marks == nil
		tree.Unlock()
		var marks []uint64
		if fresh {
			marks = unmarked()
		}
		tree.pass()
		tree.Lock()
		switch {
		case fresh: // from the beginning, with marks
			t.marks, t.cut, s = marks, false, mc.slot()
		case t.cut:
			s = mc.slot()
		}
	}
}

package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Parked cores: contexts for each call, in small trees of always the same shape, are
// the commonest pattern there is. So the core of a deleted context may stay where it
// is, among the first children of its parent and with what is parked below it, and be
// the next child of its kind and name that is created there.
//
// Invariant: a parked core has kind.None in its Epoch, stands rewound with at
// most a keeper and the default sizes, and its word Parked says of what kind it
// was, and how many are parked with it. Whoever swaps that word for 0 owns the core.
// Below it all are parked, too, but for a child that was created too late and is about
// to be abandoned. Walks pass them over.
//
// Cost: one swap to take, and a fence to park, where a free core takes the tree's
// lock twice; a step for each child that is looked at. A parent keeps up to
// reach*mostTogether cores that wait so, each with at most a keeper.

const (
	reach        = 4  // children of a parent among which parked ones are looked for
	mostTogether = 16 // cores that are parked in one tree
	burialSteps  = 8  // of the tree's lock: a burial may give a block back
)

// The word Parked: the kind, a bit that a reset of the parent sets, and how many cores
// are parked together.
const (
	kindMask      = 1<<8 - 1
	idle          = 1 << 8
	togetherShift = 9
)

func asParked(id kind.ID, together uint32) uint32 { return uint32(id) | together<<togetherShift }
func parkedKind(word uint32) kind.ID              { return kind.ID(word & kindMask) }
func parkedTogether(word uint32) uint32           { return word >> togetherShift }

// parks says whether contexts of a kind are parked.
func parks(id kind.ID) bool { return kinds.Traits(id).Cached }

// park leaves the core of a context that was just deleted, rewound, with its
// parent. It says false, and does nothing, when it would not be found there, or is no
// core to be parked.
func (s *core) park(id kind.ID) bool {
	together, barren := s.together()
	if !barren || !parks(id) || !s.near() {
		return false
	}
	relaxed.Release32(&s.Parked, asParked(id, together))
	return true
}

// first says that the core is the first child of its parent. It is apart from near to
// unfold in Delete.
func (s *core) first() bool {
	return relaxed.Load32(&coreAt(relaxed.Load32(&s.parent)).FirstChild) == s.Number()
}

// near says that the core is among the first children of its parent. Without the
// tree's lock the answer may be old: then the core waits for the end of its parent.
func (s *core) near() bool {
	i := relaxed.Load32(&coreAt(relaxed.Load32(&s.parent)).FirstChild)
	for range reach {
		if i == s.Number() {
			return true
		}
		i = relaxed.Load32(&coreAt(i).nextSibling) // 0 leads to 0
	}
	return false
}

// barren says that no context is below the core, nor more parked ones than may be. A
// context that is created below it meanwhile, by somebody else, may be overlooked.
func (s *core) barren() bool {
	_, ok := s.together()
	return ok
}

// together is how many cores the core would be parked with, itself one of them; false
// when it is not barren.
func (s *core) together() (n uint32, barren bool) {
	if relaxed.Load32(&s.FirstChild) == 0 {
		return 1, true
	}
	return s.countParked()
}

// countParked is apart from together because it looks at the children. It may do so
// without the tree's lock: no child but a parked one leaves its parent meanwhile, and
// of those that do it is told.
func (s *core) countParked() (n uint32, barren bool) {
	before := burials.Load()
	n = 1
	for i, looked := relaxed.Load32(&s.FirstChild), 0; i != 0; looked++ {
		child := coreAt(i)
		word := relaxed.Load32(&child.Parked)
		if n += parkedTogether(word); word == 0 || looked == reach || n > mostTogether {
			return 0, false
		}
		i = relaxed.Load32(&child.nextSibling)
	}
	return n, burials.Load() == before
}

// age marks the parked children of a context that is reset, and says whether one was
// marked already, and so was of no use since the last time.
func (s *core) age() (idled bool) {
	i := relaxed.Load32(&s.FirstChild)
	for range reach { // a barren one has no more
		if i == 0 {
			break
		}
		child := coreAt(i)
		switch word := relaxed.Load32(&child.Parked); {
		case word&idle != 0:
			idled = true
		case word != 0:
			atomic.CompareAndSwapUint32(&child.Parked, word, word|idle)
		}
		i = relaxed.Load32(&child.nextSibling)
	}
	return idled
}

// buryIdle buries the parked children of s that are marked.
func (s *core) buryIdle() {
	tree.Lock()
	s.buryThose(idle)
	tree.Unlock()
}

// interred buries a core if it is parked, and reports whether it is off the tree. The
// tree's lock must be held.
func (s *core) interred() bool { return relaxed.Load32(&s.Parked) != 0 && s.bury() }

// burials counts parked cores that are about to leave their parents.
var burials atomic.Uint32

// take makes a core that is parked as of some kind, which may be anyone's by now, the
// caller's. The word is for putting it back.
func (s *core) take(id kind.ID) (word uint32, ok bool) {
	word = relaxed.Load32(&s.Parked)
	return word, parkedKind(word) == id && atomic.CompareAndSwapUint32(&s.Parked, word, 0)
}

// retake is take for who parked the core as the last thing, and has second thoughts.
func (mc Context) retake() bool {
	s := mc.slot()
	word, ok := s.take(kind.KindOf(mc.epoch))
	if ok && relaxed.Load64(&s.Epoch) != kind.NextEpoch(mc.epoch, kind.None) {
		relaxed.Release32(&s.Parked, word) // it was another's meanwhile
		return false
	}
	return ok
}

// dropParked puts the first children of s, as far as they are parked, on the list of
// free cores. The tree's lock must be held.
func (s *core) dropParked() {
	for s.FirstChild != 0 && coreAt(s.FirstChild).bury() {
	}
}

// anyMark is whatever the word Parked of a parked core has.
const anyMark = ^uint32(0)

// buryThose buries the first children of s, as many as one under which others are not
// has at most, whose word Parked has one of the bits. The tree's lock must be held.
func (s *core) buryThose(bits uint32) {
	for i, n := s.FirstChild, 0; i != 0 && n <= reach; n++ {
		child := coreAt(i)
		i = child.nextSibling
		if relaxed.Load32(&child.Parked)&bits != 0 {
			child.bury()
		}
	}
}

// tidy buries the parked children of a context without others, if they are too many for
// it to be barren, a few at a time: it says whether it is. The tree's lock must be held.
func (s *core) tidy() bool {
	if !s.barren() {
		s.buryThose(anyMark)
	}
	return s.barren()
}

// buryAt buries the child of s with so many before it, if it is parked. The tree's lock
// must be held.
func (s *core) buryAt(before int) {
	i := s.FirstChild
	for ; before > 0; before-- {
		i = coreAt(i).nextSibling // 0 leads to 0
	}
	if i != 0 {
		coreAt(i).bury()
	}
}

// bury takes a parked core off the tree, after those parked below it. It says false
// when it is not parked, or one below it is not, or somebody takes one. The tree's lock
// must be held.
func (s *core) bury() bool {
	for at := s; ; {
		id := parkedKind(relaxed.Load32(&at.Parked))
		if id == kind.None {
			return false
		}
		if at.FirstChild != 0 {
			at = coreAt(at.FirstChild)
			continue
		}
		up := coreAt(at.parent)
		if _, ok := at.take(id); !ok {
			return false
		}
		burials.Add(1)
		tree.step(burialSteps)
		unlink(at)
		names.habit(at.name).note(at.Learned())
		giveCore(at)
		if at == s {
			return true
		}
		at = up
	}
}

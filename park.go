package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Parked cores: a context for each call is the commonest pattern there is, so
// that the core of a deleted context may stay where it is, the first child of its
// parent, and be the next child of its kind and name that is created there.
//
// Invariant: a parked core has kind.None in its Epoch, stands rewound with at
// most a keeper and the default sizes, and its word Parked says of what kind it
// was. Whoever swaps that word for 0 owns the core. Walks pass it over.
//
// Cost: one swap to take, and a fence to park, where a free core takes the tree's
// lock twice. Contexts of two names or kinds in turn take the lock.

// parks says whether contexts of a kind are parked. A Slab's sizes are read by
// others under the lock, and a Shared has parts.
func parks(id kind.ID) bool { return id != kind.Slab && id != kind.Shared }

// park leaves the core of a context that was just deleted, rewound, with its
// parent. It says false, and does nothing, when it is not the first child there.
func (s *core) park(id kind.ID) bool {
	if !parks(id) {
		return false
	}
	if relaxed.Load32(&coreAt(relaxed.Load32(&s.parent)).FirstChild) != s.Number() {
		return false
	}
	relaxed.Release32(&s.Parked, uint32(id))
	return true
}

// take makes a parked core, which may be anyone's by now, the caller's.
func (s *core) take(id kind.ID) bool {
	return relaxed.Load32(&s.Parked) == uint32(id) && atomic.CompareAndSwapUint32(&s.Parked, uint32(id), 0)
}

// dropParked puts the first child of s, when it is parked, on the list of free
// cores; but for one that has got a child, which is to be deleted first. The
// tree's lock must be held.
func (s *core) dropParked() {
	for s.FirstChild != 0 && coreAt(s.FirstChild).bury() {
	}
}

// buryChildren buries all parked children of s. The tree's lock must be held.
func (s *core) buryChildren() {
	for i := s.FirstChild; i != 0; {
		child := coreAt(i)
		i = child.nextSibling
		child.bury()
	}
}

// bury takes a parked core off the tree. It says false when it is not parked, or
// has a child. The tree's lock must be held.
func (s *core) bury() bool {
	id := kind.ID(relaxed.Load32(&s.Parked))
	if id == kind.None || relaxed.Load32(&s.FirstChild) != 0 || !s.take(id) {
		return false
	}
	unlink(s)
	giveCore(s)
	return true
}

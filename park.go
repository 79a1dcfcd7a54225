package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Parked cores: a context for each call is the commonest pattern there is, so
// that the core of a deleted context may stay where it is, linked below its
// parent, and be the next child that is created there.
//
// Invariant: a parked core has kind.None in its Epoch, no children and at most a
// keeper, and is the spare of its parent. Whoever swaps it out of the parent's
// spare owns it. Walks pass it over. A parent has one spare at most.
//
// Cost: one swap to park and one to take, where the list of free cores takes the
// tree's lock twice. Contexts of two names in turn take the lock, too.

// park leaves the core of a context that was just deleted with its parent, in
// place of the one that is there: what was deleted last is what is likely to be
// created next. It says false, and the core is not parked, when it has got a
// child: who creates a child links it and then asks whether the parent is alive,
// who deletes says that it is not and then asks for children, so that one of
// both notices. The swap lies between the two as the fence that this takes.
func (s *core) park() bool {
	parent := coreAt(relaxed.Load32(&s.parent))
	if old := atomic.SwapUint32(&parent.spare, s.Number); old != 0 {
		coreAt(old).bury()
	}
	return relaxed.Load32(&s.firstChild) == 0 || !atomic.CompareAndSwapUint32(&parent.spare, s.Number, 0)
}

// bury takes a core that was swapped out of its place off the tree. A child that
// it got too late lives in no context: it is deleted with one made for that.
func (s *core) bury() {
	for !s.detach() {
		s.open(kind.AllocSet, nil)
		handle(&s.Core).deleteChildren()
		relaxed.Store64(&s.Epoch, nextEpoch(s.Epoch, kind.None))
		s.Close()
	}
}

// takeSpare takes the parked core of s to be its latest child, of a name. It is
// nil when there is none, when another child is the first, since children are
// listed the latest first, and when it had another name: a keeper fits the
// context that does the same again, and would be too large for many others.
func (s *core) takeSpare(name string) *core {
	i := relaxed.Load32(&s.firstChild)
	if i == 0 || atomic.LoadUint32(&s.spare) != i || !coreAt(i).sameName(name) {
		return nil
	}
	if !atomic.CompareAndSwapUint32(&s.spare, i, 0) {
		return nil
	}
	if !coreAt(i).sameName(name) { // it came back meanwhile, as another
		coreAt(i).rename(name)
	}
	return coreAt(i)
}

func (s *core) rename(name string) {
	tree.Lock()
	s.setName(name)
	tree.Unlock()
}

// dropSpare puts the parked core of s, if there is one, on the list of free
// cores; but for one that has got a child, which its deleter is about to take
// back. The tree's lock must be held.
func (s *core) dropSpare() {
	i := atomic.LoadUint32(&s.spare)
	if i == 0 || coreAt(i).firstChild != 0 || !atomic.CompareAndSwapUint32(&s.spare, i, 0) {
		return
	}
	unlink(coreAt(i))
	giveCore(coreAt(i))
}

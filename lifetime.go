package palloc

import (
	"runtime"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The ends of contexts.
//
// Invariant: children before parents; of one context's callbacks the latest
// first, each once. A callback that panics stops the operation where it is, and
// leaves a tree that can be reset and deleted as before: a context is still in
// the tree while its callbacks run.
//
// Cost: a context that sold nothing is reset by a few compares, one that stayed
// within its keeper by a few words more; otherwise a sale for each block but the
// keeper. Nothing recurses.

// Reset deletes all contexts below this one and takes all its chunks back. The
// context lives on with a keeper of at most 8 KiB. Owner only.
//
// PostgreSQL: MemoryContextReset.
func (mc Context) Reset() { resetWith(mc, rewound, Context.reset) }

// resetWith is what unfolds of a reset: a call that calls nothing, for most.
func resetWith(mc Context, rewound func(Context) bool, rest func(Context)) {
	if !rewound(mc) {
		rest(mc)
	}
}

// rewound resets a context that has nothing but chunks of its keeper to take back,
// none of which was freed. It says false, and does nothing, of any other.
//
//go:noinline
func rewound(mc Context) bool {
	s := mc.slot()
	if mc.core == nil || mc.core.Epoch != mc.epoch || !s.alone() || s.Busy|s.Stirred != 0 {
		return false
	}
	s.Rewind()
	return true
}

// alone says that the context has no children and no callbacks.
func (s *core) alone() bool {
	return relaxed.Load32(&s.FirstChild)|relaxed.Load32(&s.Has)&hasCallbacks == 0
}

// reset is apart from rewound because it calls: for contexts that have children,
// callbacks, or more to take back than a few words say.
func (mc Context) reset() {
	mc.check("Context.Reset")
	if relaxed.Load32(&mc.slot().FirstChild) != 0 {
		mc.DeleteChildren()
	}
	mc.resetOnly()
}

// ResetOnly takes all chunks of the context back and leaves the contexts below
// it alone. Owner only.
//
// PostgreSQL: MemoryContextResetOnly.
func (mc Context) ResetOnly() {
	mc.check("Context.ResetOnly")
	mc.resetOnly()
}

func (mc Context) resetOnly() {
	if relaxed.Load32(&mc.slot().Has)&hasCallbacks != 0 {
		mc.runCallbacks()
	}
	switch {
	case mc.core.Calm():
		mc.core.Settle()
		mc.core.Rewind()
	case mc.core.BlockCount != 0:
		methods[mc.core.Kind()].Reset(mc.core)
	}
}

// ResetChildren resets every context below this one, children before parents,
// and deletes none; the context itself is left alone. Needs to own all of them.
//
// PostgreSQL: MemoryContextResetChildren, which goes parents first.
func (mc Context) ResetChildren() {
	list := mc.subtree("Context.ResetChildren")
	for i := len(list) - 1; i > 0; i-- {
		list[i].resetInHand() // a callback may have deleted it
	}
}

// Delete ends the context and all contexts below it. Every chunk of theirs is
// void, and every Context that means one of them. Deleting a context twice is a
// Fault, as is deleting the root. Needs to own all of them.
//
// PostgreSQL: MemoryContextDelete.
func (mc Context) Delete() {
	s := mc.slot()
	if mc.core == nil || s.Epoch != mc.epoch || !s.bare() || !s.Calm() {
		mc.delete()
		return
	}
	s.Settle()
	s.Rewind()
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(mc.epoch, kind.None)) // and a fence: see leave
	if relaxed.Load32(&s.Has) == 0 && relaxed.Load32(&coreAt(relaxed.Load32(&s.parent)).FirstChild) == s.Number() {
		relaxed.Release32(&s.Parked, uint32(kind.KindOf(mc.epoch))) // a calm context is of a kind that parks
		if relaxed.Load32(&s.FirstChild) == 0 {
			return
		}
	}
	mc.leave()
}

// bare says that nothing but its memory makes a context's end more than a few
// words: it has no children, no callbacks, no ident, no budget, and may be deleted.
func (s *core) bare() bool { return relaxed.Load32(&s.FirstChild)|relaxed.Load32(&s.Has) == 0 }

// leave parks the core of a context that has just ceased to be one, or takes it
// off the tree. When somebody created a child below it at the very moment, that is
// deleted first: who creates a child links it and then asks whether the parent is
// alive, who deletes says that it is not and then asks for children, and a fence
// between the two on each side makes one of both notice.
func (mc Context) leave() {
	s, id := mc.slot(), kind.KindOf(mc.epoch)
	if relaxed.Load32(&s.Parked) != 0 && !s.take(id) {
		return // it is parked, and another's by now
	}
	for !s.settle(id, 0) {
		mc.resurrect()
		mc.deleteChildren()
		atomic.StoreUint64(&s.Epoch, kind.NextEpoch(mc.epoch, kind.None))
	}
}

// delete is apart from Delete because it loops: for contexts that have children,
// callbacks or blocks.
func (mc Context) delete() {
	mc.check("Context.Delete")
	if relaxed.Load32(&mc.slot().Has)&isPermanent != 0 {
		panic(&Fault{Op: "Context.Delete", Context: mc.Path(), Reason: "the root and the emergency context live as long as the process: Reset it, or delete its children"})
	}
	for !mc.remove() { // it has children, or a callback created some
		mc.deleteChildren()
	}
}

// DeleteChildren deletes every context below this one. Needs to own them.
//
// PostgreSQL: MemoryContextDeleteChildren.
func (mc Context) DeleteChildren() {
	mc.check("Context.DeleteChildren")
	mc.deleteChildren()
}

// deleteChildren goes down to a context without children, removes it, and goes
// on from its parent, until it is back. Those that run no callbacks are removed
// on the way, many under one lock.
func (mc Context) deleteChildren() {
	d := descent{top: mc, at: mc}
	for !d.clear() {
		leaf, up := d.at, d.up
		switch {
		case !leaf.owned(): // just becoming a context, or ceasing to be one: its owner is between two steps
			runtime.Gosched()
		case d.paused:
		case leaf.removeInHand():
			d.at = up
		}
	}
}

// descent is where a deletion stands.
type descent struct {
	top    Context
	at, up Context // at a context below top, and its parent
	paused bool    // at has children: the lock was held long enough
	moves  uint64  // of the tree, when at was last known to lie below top
}

// mostAtOnce is how many contexts are removed under one lock.
const mostAtOnce = 64

// clear removes contexts below top until one is to be removed by itself, at which
// it stops, or none is left, which it says. When at was deleted meanwhile, or any
// context was moved, by a callback say, it begins at the top again.
func (d *descent) clear() (done bool) {
	defer d.top.lock("Context.Delete").unlock()
	if d.moves != tree.moves || !d.at.Live() {
		d.at, d.moves = d.top, tree.moves
	}
	s := d.at.slot()
	for range mostAtOnce {
		for s.dropParked(); s.FirstChild != 0; s.dropParked() {
			s = coreAt(s.FirstChild)
		}
		if &s.Core == d.top.core {
			return true
		}
		if !handle(&s.Core).owned() || s.Has&hasCallbacks != 0 {
			d.stop(s, false)
			s.takeInHand()
			return false
		}
		s = s.reap()
	}
	d.stop(s, true)
	return false
}

// stop notes where the descent stands. The tree's lock must be held.
func (d *descent) stop(s *core, paused bool) {
	d.at, d.paused = handle(&s.Core), paused
	d.up = handle(&coreAt(s.parent).Core)
}

// reap removes a context that has neither children nor callbacks, and answers its
// parent. The tree's lock must be held.
func (s *core) reap() *core {
	parent := coreAt(s.parent)
	relaxed.Store64(&s.Epoch, kind.NextEpoch(s.Epoch, kind.None))
	used := s.Total - s.Room()
	s.closeParts()
	s.Retire()
	s.forgetIdent()
	s.free(used)
	return parent
}

// remove deletes a context that has no children. It says false, and leaves the
// context in the tree, when there are any, or a callback created some.
func (mc Context) remove() bool {
	s := mc.slot()
	if relaxed.Load32(&s.Has)&hasCallbacks != 0 && relaxed.Load32(&s.FirstChild) == 0 {
		mc.runCallbacks()
	}
	if relaxed.Load32(&s.FirstChild) != 0 {
		return false
	}
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(s.Epoch, kind.None)) // and a fence: see leave
	used := s.Total - s.Room()
	s.closeParts()
	s.Sellable(s.Retire(), kind.BlockHeader)
	s.FirstBlock, s.MostBlock = min(s.FirstBlock, kind.KeeperMost), kind.DefaultMost // what it learned is for the next
	id := kind.KindOf(mc.epoch)
	if relaxed.Load32(&s.Has) == 0 && s.park(id) {
		if relaxed.Load32(&s.FirstChild) == 0 || !s.take(id) {
			return true
		}
	} else if s.settle(id, used) {
		return true
	}
	mc.resurrect()
	return false
}

// resurrect takes back the removal of a context below which somebody created a
// child at the very moment: the child is to be deleted first.
func (mc Context) resurrect() {
	methods[kind.KindOf(mc.epoch)].Open(mc.core)
	relaxed.Store64(&mc.core.Epoch, mc.epoch)
}

// settle parks the core of a deleted context, which held so many bytes, or makes
// it a free one. It says false when the core has got a child meanwhile, and leaves
// it.
func (s *core) settle(id kind.ID, used uintptr) bool {
	tree.Lock()
	alone := s.FirstChild == 0
	if alone {
		s.forgetIdent()
		if s.Has != 0 || !s.park(id) {
			s.free(used)
		}
	}
	tree.Unlock()
	return alone
}

// free takes the core of a deleted context off the tree. The tree's lock must be
// held.
func (s *core) free(used uintptr) {
	unlink(s)
	names.habit(s.name).note(used)
	giveCore(s)
}

// IsEmpty says that the context has neither children nor live chunks. Owner
// only; from other goroutines the answer may be old.
//
// PostgreSQL: MemoryContextIsEmpty, where every kind means something else.
func (mc Context) IsEmpty() bool {
	defer mc.lock("Context.IsEmpty").unlock()
	s := mc.slot()
	return s.after(s) == nil && !mc.stats().Live
}

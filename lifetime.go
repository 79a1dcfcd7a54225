package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
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
	if mc.core == nil || mc.core.Epoch != mc.epoch || !s.alone() || s.NeedsReset|s.Dirty != 0 {
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
	const op = "Context.Reset"
	mc.check(op)
	switch s := mc.slot(); {
	case relaxed.Load32(&s.FirstChild) == 0:
	case !s.barren():
		e := ending{op: op}
		mc.deleteChildren(&e)
		mc.resetWithin(&e)
		return
	case s.age(): // those that are of no use make every reset look at them
		s.buryIdle()
	}
	mc.resetOnly(op)
}

// ResetOnly takes all chunks of the context back and leaves the contexts below
// it alone. Owner only.
//
// PostgreSQL: MemoryContextResetOnly.
func (mc Context) ResetOnly() {
	mc.check("Context.ResetOnly")
	mc.resetOnly("Context.ResetOnly")
}

func (mc Context) resetOnly(op string) {
	if relaxed.Load32(&mc.slot().Has)&hasCallbacks != 0 {
		mc.runCallbacks(&ending{op: op})
	}
	switch {
	case mc.core.IsClean():
		mc.core.ClearDirty()
		mc.core.Rewind()
	case mc.core.BlockCount != 0:
		kinds.Methods[mc.core.Kind()].Reset(mc.core)
	}
}

// resetWithin is resetOnly as a part of what ends others, too.
func (mc Context) resetWithin(e *ending) {
	if relaxed.Load32(&mc.slot().Has)&hasCallbacks != 0 {
		mc.runCallbacks(e)
	}
	mc.resetOnly(e.op)
}

// ResetChildren resets every context below this one, children before parents,
// and deletes none; the context itself is left alone. Needs to own all of them.
//
// PostgreSQL: MemoryContextResetChildren, which goes parents first.
func (mc Context) ResetChildren() {
	e := ending{op: "Context.ResetChildren"}
	list := mc.subtree(e.op)
	for i := len(list) - 1; i > 0; i-- {
		list[i].resetInHand(&e) // a callback may have deleted it
	}
}

// Delete ends the context and all contexts below it. Every chunk of theirs is
// void, and every Context that means one of them. Deleting a context twice is a
// Fault, as is deleting the root. Needs to own all of them.
//
// PostgreSQL: MemoryContextDelete.
func (mc Context) Delete() {
	s := mc.slot()
	if mc.core == nil || s.Epoch != mc.epoch || !s.bare() || !s.IsClean() {
		mc.delete()
		return
	}
	s.ClearDirty()
	s.Rewind()
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(mc.epoch, kind.None)) // and a fence: see leave
	if relaxed.Load32(&s.Has) == 0 && (s.first() || s.near()) {
		relaxed.Release32(&s.Parked, asParked(kind.KindOf(mc.epoch), 1)) // a calm context is of a kind that parks
		if relaxed.Load32(&s.FirstChild) == 0 || !mc.retake() {
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
// deleted first: who creates a child links it, or takes it, and then asks whether the
// parent is alive, who deletes says that it is not and then asks for children, and a
// fence between the two on each side makes one of both notice.
func (mc Context) leave() {
	for !mc.slot().settle(kind.KindOf(mc.epoch), 0) {
		mc.resurrect()
		mc.deleteChildren(&ending{op: "Context.Delete"})
		atomic.StoreUint64(&mc.core.Epoch, kind.NextEpoch(mc.epoch, kind.None))
	}
}

// delete is apart from Delete because it loops: for contexts that have children,
// callbacks or blocks.
func (mc Context) delete() {
	e := ending{op: "Context.Delete"}
	mc.check(e.op)
	if relaxed.Load32(&mc.slot().Has)&isPermanent != 0 {
		panic(&Fault{Op: "Context.Delete", Context: mc.Path(), Reason: "the root and the emergency context live as long as the process: Reset it, or delete its children"})
	}
	for !mc.remove(&e) { // it has children, or a callback created some
		mc.deleteChildren(&e)
	}
}

// DeleteChildren deletes every context below this one. Needs to own them.
//
// PostgreSQL: MemoryContextDeleteChildren.
func (mc Context) DeleteChildren() {
	e := ending{op: "Context.DeleteChildren"}
	mc.check(e.op)
	mc.deleteChildren(&e)
}

// remove deletes a context that has no children. It says false, and leaves the
// context in the tree, when there are any, or a callback created some.
func (mc Context) remove(e *ending) bool {
	s := mc.slot()
	if !s.barren() {
		return false
	}
	if relaxed.Load32(&s.Has)&hasCallbacks != 0 {
		if mc.runCallbacks(e); !s.barren() {
			return false
		}
	}
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(s.Epoch, kind.None)) // and a fence: see leave
	used := s.shut()
	id := kind.KindOf(mc.epoch)
	if relaxed.Load32(&s.Has) == 0 && s.park(id) {
		if s.barren() || !mc.retake() {
			return true
		}
	} else if s.settle(id, used) {
		return true
	}
	mc.resurrect()
	return false
}

// shut takes back what a context held, that just ceased to be one, and answers how many
// bytes that were. The core is ready to be parked.
func (s *core) shut() (used uintptr) {
	used = s.Total - s.Remaining()
	s.closeParts()
	s.SetCurrent(s.Retire(), kind.BlockHeader)
	s.ForgetSizes() // what it learned is for the next
	return used
}

// resurrect takes back the removal of a context below which somebody created a
// child at the very moment: the child is to be deleted first.
func (mc Context) resurrect() {
	kinds.Methods[kind.KindOf(mc.epoch)].Open(mc.core)
	relaxed.Store64(&mc.core.Epoch, mc.epoch)
}

// settle parks the core of a deleted context, which held so many bytes, or makes
// it a free one. It says false when the core has got a child meanwhile, and leaves
// it.
func (s *core) settle(id kind.ID, used uintptr) bool {
	tree.Lock()
	alone := s.barren()
	if alone {
		s.forgetIdent()
		relaxed.Store32(&s.Has, s.Has&^isInHand) // whoever had it in hand, is done
		if s.Has != 0 || !s.park(id) {
			s.dropParked()
			if alone = s.FirstChild == 0; alone {
				s.free(used)
			}
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
// only; from other goroutines the answer may be old. Cost: that of Stats.
//
// PostgreSQL: MemoryContextIsEmpty, where every kind means something else.
func (mc Context) IsEmpty() bool { return mc.childless("Context.IsEmpty") && !mc.stats(false).Live }

// childless reports whether no context is below this one.
func (mc Context) childless(op string) bool {
	defer mc.lock(op).unlock()
	for i := mc.slot().FirstChild; i != 0 && tree.step(1); i = coreAt(i).nextSibling { // few are no contexts
		if handle(&coreAt(i).Core).owned() {
			return false
		}
	}
	return true
}

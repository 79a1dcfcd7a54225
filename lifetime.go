package palloc

import (
	"runtime"

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
// Cost: a context without blocks, children and callbacks is reset for free;
// otherwise a sale for each block but the keeper. Nothing recurses.

// Reset deletes all contexts below this one and takes all its chunks back. The
// context lives on with a keeper of at most 8 KiB. Owner only.
//
// PostgreSQL: MemoryContextReset.
func (mc Context) Reset() {
	mc.check("Context.Reset")
	if relaxed.Load32(&mc.slot().firstChild) != 0 {
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
	if relaxed.Load32(&mc.slot().has)&hasCallbacks != 0 {
		mc.runCallbacks()
	}
	if mc.core.BlockCount != 0 {
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
		if list[i].Live() { // a callback may have deleted it
			list[i].resetOnly()
		}
	}
}

// Delete ends the context and all contexts below it. Every chunk of theirs is
// void, and every Context that means one of them. Deleting a context twice is a
// Fault, as is deleting the root. Needs to own all of them.
//
// PostgreSQL: MemoryContextDelete.
func (mc Context) Delete() {
	const op = "Context.Delete"
	mc.check(op)
	if mc.core.Number == rootIndex {
		panic(&Fault{Op: op, Context: "Top", Reason: "the root lives as long as the process: Reset it, or delete its children"})
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
// on from its parent, until it is back.
func (mc Context) deleteChildren() {
	d := descent{top: mc, at: mc}
	for {
		leaf, parent := d.leaf()
		if leaf == mc {
			return
		}
		d.at = parent
		if !leaf.remove() {
			d.at = leaf
		}
	}
}

// descent is where a deletion stands.
type descent struct {
	top, at Context
	moves   uint64 // of the tree, when at was last known to lie below top
}

// leaf is the first context below at that has no children, and its parent. A
// core below that is just becoming a context, or just ceasing to be one, is
// waited for: its owner is between two steps.
func (d *descent) leaf() (leaf, parent Context) {
	for {
		leaf, parent = d.look()
		if leaf.owned() {
			return leaf, parent
		}
		runtime.Gosched()
	}
}

// look is one try. When at was deleted meanwhile, or any context was moved, by a
// callback say, it begins at the top again.
func (d *descent) look() (leaf, parent Context) {
	defer d.top.lock("Context.Delete").unlock()
	if d.moves != tree.moves || !d.at.Live() {
		d.at, d.moves = d.top, tree.moves
	}
	s := d.at.slot()
	for s.dropSpare(); s.firstChild != 0; s.dropSpare() {
		s = coreAt(s.firstChild)
	}
	if s.parent != 0 {
		parent = handle(&coreAt(s.parent).Core)
	}
	return handle(&s.Core), parent
}

// remove deletes a context that has no children. It says false, and leaves the
// context in the tree, when there are any.
func (mc Context) remove() bool {
	s := mc.slot()
	if relaxed.Load32(&s.firstChild) != 0 {
		return false
	}
	if has := relaxed.Load32(&s.has); has != 0 {
		if !mc.dismiss(has) {
			return false
		}
	}
	relaxed.Store64(&s.Epoch, nextEpoch(s.Epoch, kind.None))
	if s.BlockCount != 0 {
		s.Retire()
	}
	s.Close()
	gone := false
	if kind.ID(mc.epoch&kind.IDMask) == kind.Slab { // never taken from where it is parked
		gone = s.detach()
	} else {
		gone = s.park()
	}
	if !gone {
		mc.resurrect()
	}
	return gone
}

// resurrect takes back the removal of a context below which somebody created a
// child at the very moment: the child is to be deleted first.
func (mc Context) resurrect() {
	methods[mc.epoch&kind.IDMask].Open(mc.core)
	relaxed.Store64(&mc.core.Epoch, mc.epoch)
}

// dismiss runs the callbacks and clears the side tables of a context that is
// about to be removed. It says false when a callback created a child.
func (mc Context) dismiss(has uint32) bool {
	if has&hasCallbacks != 0 {
		mc.runCallbacks()
	}
	defer mc.lock("Context.Delete").unlock()
	s := mc.slot()
	if s.firstChild != 0 {
		return false
	}
	s.forgetIdent()
	return true
}

// detach takes the core of a deleted context off the tree, to the free ones. It
// says false when the core has got a child meanwhile, and leaves it.
func (s *core) detach() bool {
	tree.Lock()
	defer tree.Unlock()
	if s.firstChild != 0 {
		return false
	}
	unlink(s)
	giveCore(s)
	return true
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

package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// tree is the one tree of contexts of the process, and what belongs to it on
// Go's heap.
//
// Invariant: its lock guards the links of all cores, the names, the side tables
// and the free cores. It is held for a bounded number of steps, whatever the number of
// contexts: see turns; no callback and no foreign code runs under it, and the warehouse's
// lock is taken inside it, never around it.
//
// Cost: maps that grow do so under the lock, in Go's way: a part of them at a time.
var tree struct {
	turns
	walks     []*walk       // that let go of the lock and are to go on
	trails    []*trail      // that somebody goes
	moves     atomic.Uint64 // how many there were
	callbacks map[uint32]*callback
	listeners map[uint32][]*listener
	cancels   map[uint32]*cancelation
	idents    sideTable[string]
}

// locked is a context under the tree's lock.
type locked struct{ Context }

// lock takes the tree's lock and panics unless the context is live.
func (mc Context) lock(op string) locked {
	tree.Lock()
	if !mc.Live() {
		tree.Unlock()
		panic(mc.gone(op))
	}
	return locked{mc}
}

func (locked) unlock() { tree.Unlock() }

// lockToEnter is lock for who is about to enter something about the context into a side
// table, and sets the bit that says so. The context may be ending without the lock:
// with a fence between the two on each side, either this sees that, or the end sees
// the bit and waits for the lock.
func (mc Context) lockToEnter(op string, bit uint32) locked {
	l := mc.lock(op)
	s := mc.slot()
	had := s.Has
	atomic.StoreUint32(&s.Has, had|bit)
	if !mc.Live() {
		relaxed.Store32(&s.Has, had)
		tree.Unlock()
		panic(mc.gone(op))
	}
	return l
}

// link hangs s below parent, before its other children. Of parked ones the last that
// could be found is buried, since now it could not.
func link(parent, s *core) {
	parent.buryAt(reach - 1)
	p, i := parent.Number(), s.Number()
	relaxed.Store32(&s.parent, p)
	s.prevSibling = 0
	relaxed.Store32(&s.nextSibling, parent.FirstChild)
	if s.nextSibling != 0 {
		coreAt(s.nextSibling).prevSibling = i
	}
	relaxed.Store32(&parent.FirstChild, i)
}

// unlink takes s from its parent's children.
func unlink(s *core) {
	for _, w := range tree.walks {
		w.passOn(s)
	}
	if s.nextSibling != 0 {
		coreAt(s.nextSibling).prevSibling = s.prevSibling
	}
	if s.prevSibling != 0 {
		relaxed.Store32(&coreAt(s.prevSibling).nextSibling, s.nextSibling)
	} else {
		relaxed.Store32(&coreAt(s.parent).FirstChild, s.nextSibling)
	}
	relaxed.Store32(&s.parent, 0)
	s.prevSibling = 0
	relaxed.Store32(&s.nextSibling, 0)
}

// Parent is the context of which this one is a child; the zero Context for the
// root, and for one whose owner was dropped, once its deletion has begun: its callbacks
// of OnReset see that. Any goroutine.
//
// PostgreSQL: MemoryContextGetParent.
func (mc Context) Parent() Context {
	defer mc.lock("Context.Parent").unlock()
	if p := mc.slot().parent; p != 0 && coreAt(p) != limbo.slot() {
		return handle(&coreAt(p).Core)
	}
	return Context{}
}

// SetParent makes the context, with its subtree, a child of another parent; it
// comes first among the children there. The parent may be the one it has. To
// hang a context below itself or below its own descendant is a Fault, as is
// moving the root. Where the two parents are under different budgets, what is below the
// context is charged to the new one context by context, and SetParent returns when all
// are: until then each counts with one of the two. Any goroutine, though two that move
// the same context should agree. Cost: a step for each ancestor of the new parent, and
// where budgets differ for each context below.
//
// PostgreSQL: MemoryContextSetParent, which leaves cycles unchecked.
func (mc Context) SetParent(parent Context) {
	if mc.moveBelow(parent) {
		mc.rebookBelow()
	}
}

// moveBelow is SetParent, but for the budgets of those below, which it reports to be
// others now.
func (mc Context) moveBelow(parent Context) (rebook bool) {
	const op = "Context.SetParent"
	defer mc.lock(op).unlock()
	cycle := parent.Live() && parent.isWithin(mc.slot()) // may let go of the lock
	switch {
	case !mc.Live():
		panic(unlocked(func() *Fault { return mc.gone(op) }))
	case !parent.Live():
		panic(unlocked(func() *Fault { return parent.gone(op) }))
	case mc.slot().parent == 0:
		panic(&Fault{Op: op, Context: pathOf(mc.core), Reason: "the root has no parent and gets none"})
	case cycle:
		panic(&Fault{Op: op, Context: pathOf(parent.core),
			Reason: "the new parent is the context itself or lies below it: that would be a cycle"})
	}
	from := coreAt(mc.slot().parent)
	move(mc.slot(), parent.slot())
	if !parent.Live() { // deleted at the very moment
		move(mc.slot(), from)
		panic(&Fault{Op: op, Context: pathOf(mc.core), Reason: "the new parent was deleted"})
	}
	return mc.slot().rebookFirst()
}

// unlocked calls f without the tree's lock, which must be held.
func unlocked[T any](f func() T) T {
	tree.Unlock()
	defer tree.Lock()
	return f()
}

// move makes s a child of another parent. The tree's lock must be held.
func move(s, parent *core) {
	for _, t := range tree.trails {
		t.moved(s)
	}
	unlink(s)
	link(parent, s)
	tree.moves.Add(1) // and a fence before a look at the parent's epoch: see leave
}

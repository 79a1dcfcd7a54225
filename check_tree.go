package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The tree's own checks: links both ways, and what is known of each core beside it.
//
// Invariant: a link is followed when the core that it leads to agrees with it. Each
// core agrees with one predecessor at most, so that a walk along such links comes by
// no core twice but the one that it began with.
//
// Cost: a step for each core, parked ones included; for the root one more for each
// free core and each entry of a side table.

// tree checks the tree from a context down, and answers the contexts.
func (f *findings) tree(mc Context) (list []Context) {
	defer mc.lock("Context.Check").unlock()
	budgets.Lock()
	defer budgets.Unlock()
	w := treeCheck{findings: f, top: mc.slot(), sums: map[*account]int64{}, lists: map[*account]int{}}
	w.above()
	for s := w.top; s != nil; s = w.next(s) {
		switch c := handle(&s.Core); {
		case !c.owned():
			w.parked(s)
		case methods[kind.KindOf(c.epoch)] == nil:
			w.say(s, "its epoch is %#016x, and there is no such kind", c.epoch)
		default:
			w.context(s)
			list = append(list, c)
		}
	}
	w.compare()
	if w.top == coreAt(rootIndex) {
		w.freeCores()
		w.strays()
	}
	return list
}

// treeCheck is a check of the tree from top down. The tree's lock and that of the
// budgets are held.
type treeCheck struct {
	*findings
	top *core

	accounts []*account         // that came by
	sums     map[*account]int64 // what is charged to each, nil for none
	lists    map[*account]int   // how many callbacks of OnPressure are below each
}

// above checks the links of top, to which no walk leads.
func (w *treeCheck) above() {
	s := w.top
	var ok bool
	switch {
	case s.parent == 0:
		ok = s.prevSibling|s.nextSibling == 0
	case !kind.Handed(s.parent):
	case s.prevSibling == 0:
		ok = coreAt(s.parent).FirstChild == s.Number()
	default:
		ok = kind.Handed(s.prevSibling) && coreAt(s.prevSibling).nextSibling == s.Number()
	}
	if i := s.nextSibling; i != 0 {
		ok = ok && kind.Handed(i) && coreAt(i).prevSibling == s.Number()
	}
	if !ok {
		w.say(s, "its links are parent %d, siblings %d and %d, and these do not lead back", s.parent, s.prevSibling, s.nextSibling)
	}
}

// next is the core that follows s in a walk, parents first; nil at the end.
func (w *treeCheck) next(s *core) *core {
	if child := w.follow(s, s, nil, s.FirstChild); child != nil {
		return child
	}
	for s != w.top {
		parent := coreAt(s.parent) // it agreed when it came by
		if sibling := w.follow(s, parent, s, s.nextSibling); sibling != nil {
			return sibling
		}
		s = parent
	}
	return nil
}

// follow is the core to which the link of s leads, the child of parent behind prev;
// nil when it leads nowhere, or there it is not known.
func (w *treeCheck) follow(s, parent, prev *core, index uint32) *core {
	switch {
	case index == 0:
		return nil
	case !kind.Handed(index):
		w.say(s, "its links lead to core %d, which does not exist", index)
		return nil
	}
	to, before := coreAt(index), uint32(0)
	if prev != nil {
		before = prev.Number()
	}
	switch {
	case to == w.top:
		w.say(s, "its links lead back to the context with which they begin")
		return nil
	case to.Number() != index:
		w.say(s, "its links lead to core %d, whose stamp says %d", index, to.Number())
		return nil
	case to.parent != parent.Number() || to.prevSibling != before:
		w.say(s, "its links lead to core %d as a child of %d behind %d, and that says a child of %d behind %d",
			index, parent.Number(), before, to.parent, to.prevSibling)
		return nil
	}
	return to
}

// mayPark is what a parked core may have: it came to the context while that ended,
// because of its parent, and holds for the next one as well.
const mayPark = kind.Guarded | hasCreation

// parked checks a core in the tree that no context owns.
func (w *treeCheck) parked(s *core) {
	id := parkedKind(relaxed.Load32(&s.Parked))
	if id >= kind.Kinds || methods[id] == nil || !parks(id) {
		w.say(s, "no context owns it, and it is parked as kind %d, which is not parked", id)
	}
	if s.Has&^mayPark != 0 {
		w.say(s, "no context owns it, and it has entries %#x in side tables", s.Has)
	}
	w.ledger(s)
	w.named(s)
	kind.CheckKeeper(&s.Core, func(flaw kind.Flaw) { w.note(s, flaw) })
}

// named checks the name of a core.
func (w *treeCheck) named(s *core) {
	if s.name == 0 || uint(s.name) >= uint(len(names.text)) || s.nameKey != nameKey(names.at(s.name)) {
		w.say(s, "its name is number %d of %d with key %#x, which do not agree", s.name, len(names.text), s.nameKey)
	}
}

// context checks what is known of a context beside its memory.
func (w *treeCheck) context(s *core) {
	if s.Parked != 0 {
		w.say(s, "a context owns it, and it is parked as kind %d", parkedKind(s.Parked))
	}
	if s != w.top && !handle(&coreAt(s.parent).Core).owned() {
		w.say(s, "a context owns it, and none owns its parent, core %d", s.parent)
	}
	w.named(s)
	n := s.Number()
	w.entry(s, hasCallbacks, "callbacks", len(tree.callbacks[n]) > 0)
	w.entry(s, hasListeners, "callbacks of OnPressure", len(tree.listeners[n]) > 0)
	ident := tree.idents.look(n)
	w.listed(s)
	w.entry(s, hasCancel, "a context.Context", tree.cancels[n] != nil)
	w.entry(s, hasIdent, "an ident", ident != nil && *ident != "")
	w.entry(s, hasAccount, "a budget", budgets.accounts[n] != nil)
	l := budgets.ledgers.look(n)
	w.entry(s, kind.Guarded, "a ledger", l != nil && l.account != nil)
	w.ledger(s)
}

// entry compares a bit of a core with a side table.
func (w *treeCheck) entry(s *core, bit uint32, what string, there bool) {
	if says := s.Has&bit != 0; says != there {
		w.say(s, "the core says of %s: %v, and the side table: %v", what, says, there)
	}
}

// freeCores checks the cores that wait for a context.
func (w *treeCheck) freeCores() {
	w.waiting(freeCores.bare, false)
	keepers := 0
	for n := range names.habits {
		count := w.waiting(names.habits[n].kept, true)
		if keepers += count; count != int(names.habits[n].count) {
			w.say(w.top, "%d cores with keepers wait for contexts named %q, and %d are counted", count, names.at(uint32(n)), names.habits[n].count)
		}
	}
	if keepers != freeCores.keepers {
		w.say(w.top, "%d cores with keepers wait, and %d are counted", keepers, freeCores.keepers)
	}
}

// waiting checks a list of free cores, and answers how many these are. A core that
// came by is no reason to end: the list ends when there are more than cores.
func (w *treeCheck) waiting(index uint32, keeps bool) (count int) {
	for index != 0 {
		if !kind.Handed(index) || !kind.Handed(uint32(count+1)) {
			w.say(w.top, "a list of free cores leads to core %d behind %d others", index, count)
			return count
		}
		s := coreAt(index)
		if handle(&s.Core).owned() || s.Parked|s.parent|s.prevSibling|s.FirstChild|s.Has != 0 || keeps != (s.Blocks != 0) {
			w.say(s, "it is a free core, and is owned, parked, linked, or has entries or blocks: epoch %#x, parked %d, parent %d, sibling %d, child %d, entries %#x, blocks from %#x",
				s.Epoch, s.Parked, s.parent, s.prevSibling, s.FirstChild, s.Has, s.Blocks)
			return count
		}
		kind.CheckKeeper(&s.Core, func(flaw kind.Flaw) { w.note(s, flaw) })
		count++
		index = s.nextSibling
	}
	return count
}

// strays checks that side tables have entries only of contexts.
func (w *treeCheck) strays() {
	for n := range tree.callbacks {
		w.stray(n, "callbacks", hasCallbacks)
	}
	for n := range tree.listeners {
		w.stray(n, "callbacks of OnPressure", hasListeners)
	}
	for n := range tree.cancels {
		w.stray(n, "canceled waits", hasCancel)
	}
	for n := range budgets.accounts {
		w.stray(n, "budgets", hasAccount)
	}
}

func (w *treeCheck) stray(n uint32, what string, bit uint32) {
	if !kind.Handed(n) || !handle(&coreAt(n).Core).owned() || coreAt(n).Has&bit == 0 {
		w.say(w.top, "the table of %s has core %d, which says nothing of them", what, n)
	}
}

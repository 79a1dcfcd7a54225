package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The tree's own checks: links both ways, and what is known of each core beside it.
//
// Invariant: a link is followed when the core that it leads to agrees with it. Each
// core agrees with one predecessor at most, so that a walk along such links comes by
// no core twice but the one that it began with. The lock is let go of on the way: what
// only makes sense together is compared when nobody changed it meanwhile.
//
// Cost: a step for each core, parked ones included; for the root one more for each
// free core and each entry of a side table.

// tree checks the tree from a context down, and answers the contexts.
func (f *findings) tree(mc Context) []Context {
	w := treeCheck{findings: f, top: mc.slot(), sums: map[*account]int64{}, trades: map[*account]uint64{},
		lists: map[*account]int{}, filed: map[*account]uint64{}}
	way := walk{top: mc, follow: w.agrees}
	var all pile[Context]
	batch := make([]Context, 0, perHold)
	for done := false; !done; batch = batch[:0] {
		done = way.hold("Context.Check", func(s *core, at rung) (int32, bool) {
			if c, owned := w.look(s, at.level); owned {
				batch = append(batch, c)
			}
			return 0, true
		})
		all.add(batch)
	}
	w.together()
	return all.list()
}

// together compares what only makes sense together.
func (w *treeCheck) together() {
	tree.Lock()
	defer tree.Unlock()
	w.compare()
	if w.top == coreAt(rootIndex) {
		w.freeCores()
		w.strays()
	}
}

// treeCheck is a check of the tree from top down. The tree's lock is held.
type treeCheck struct {
	*findings
	top *core

	begun    uint64              // budgets.changes at the beginning
	accounts []*account          // that came by
	trades   map[*account]uint64 // how many there were under each when it came by
	sums     map[*account]int64  // what is charged to each, nil for none
	lists    map[*account]int    // how many callbacks of OnPressure are below each
	filed    map[*account]uint64 // how often those of each had changed when it came by
}

// look checks a core, and answers the context that owns it.
func (w *treeCheck) look(s *core, level int32) (c Context, owned bool) {
	budgets.Lock()
	defer budgets.Unlock()
	if level == 1 {
		w.begun = budgets.changes
		w.above()
	}
	switch c = handle(&s.Core); {
	case !c.owned():
		w.parked(s)
	case kinds.Methods[kind.KindOf(c.epoch)] == nil:
		w.say(s, "its epoch is %#016x, and there is no such kind", c.epoch)
	default:
		w.context(s)
		return c, true
	}
	return c, false
}

// others lets others have the lock, and reports whether any did.
func (w *treeCheck) others() bool {
	before := tree.holds
	tree.Unlock()
	tree.pass()
	tree.Lock()
	return tree.holds != before+1
}

// above checks the links of top, to which no walk leads.
func (w *treeCheck) above() {
	s := w.top
	var ok bool
	switch {
	case s.parent == 0:
		ok = s.prevSibling|s.nextSibling == 0
	case !kind.IsOpened(s.parent):
	case s.prevSibling == 0:
		ok = coreAt(s.parent).FirstChild == s.Number()
	default:
		ok = kind.IsOpened(s.prevSibling) && coreAt(s.prevSibling).nextSibling == s.Number() && coreAt(s.prevSibling).parent == s.parent
	}
	if i := s.nextSibling; i != 0 {
		ok = ok && kind.IsOpened(i) && coreAt(i).prevSibling == s.Number()
	}
	if !ok {
		w.say(s, "its links are parent %d, siblings %d and %d, and these do not lead back", s.parent, s.prevSibling, s.nextSibling)
	}
}

// agrees reports whether the core to which a rung leads agrees that it is there.
func (w *treeCheck) agrees(at rung) bool {
	from := coreAt(at.up)
	if at.prev != 0 && at.prev != unknown {
		from = coreAt(at.prev)
	}
	if !kind.IsOpened(at.next) {
		w.say(from, "its links lead to core %d, which does not exist", at.next)
		return false
	}
	to := coreAt(at.next)
	switch {
	case to == w.top:
		w.say(from, "its links lead back to the context with which they begin")
	case to.Number() != at.next:
		w.say(from, "its links lead to core %d, whose stamp says %d", at.next, to.Number())
	case to.parent != at.up || !w.behind(to, at.prev):
		w.say(from, "its links lead to core %d as a child of %d behind %d, and that says a child of %d behind %d",
			at.next, at.up, at.prev, to.parent, to.prevSibling)
	default:
		return true
	}
	return false
}

// behind reports whether a core says that it comes behind a sibling, or, when it is not
// known behind which it should, whether the one that it says agrees.
func (w *treeCheck) behind(to *core, prev uint32) bool {
	switch before := to.prevSibling; {
	case prev != unknown:
		return before == prev
	case before == 0:
		return coreAt(to.parent).FirstChild == to.Number()
	default:
		return kind.IsOpened(before) && coreAt(before).nextSibling == to.Number()
	}
}

// mayPark is what a parked core may have: it came to the context while that ended,
// because of its parent, and holds for the next one as well.
const mayPark = kind.Limited | hasCreation

// parked checks a core in the tree that no context owns.
func (w *treeCheck) parked(s *core) {
	id := parkedKind(relaxed.Load32(&s.Parked))
	if !parks(id) {
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
	if e := names.of(s.name); e == nil || e.cores == 0 || s.nameKey != nameKey(e.text) {
		w.say(s, "its name is number %d of %d with key %#x, which do not agree", s.name, len(names.numbers), s.nameKey)
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
	w.entry(s, hasCallbacks, "callbacks", tree.callbacks[n] != nil)
	w.entry(s, hasListeners, "callbacks of OnPressure", len(tree.listeners[n]) > 0)
	ident := tree.idents.look(n)
	w.listed(s)
	w.entry(s, hasCancel, "a context.Context", tree.cancels[n] != nil)
	w.entry(s, hasIdent, "an ident", ident != nil && *ident != "")
	w.entry(s, hasAccount, "a budget", budgets.accounts[n] != nil)
	l := budgets.ledgers.look(n)
	w.entry(s, kind.Limited, "a ledger", l != nil && l.account != nil)
	w.ledger(s)
}

// entry compares a bit of a core with a side table.
func (w *treeCheck) entry(s *core, bit uint32, what string, there bool) {
	if says := s.Has&bit != 0; says != there {
		w.say(s, "the core says of %s: %v, and the side table: %v", what, says, there)
	}
}

// freeCores checks the cores that wait for a context, as far as nobody takes or gives
// some meanwhile.
func (w *treeCheck) freeCores() {
	if _, torn := w.waiting(freeCores.bare, false); torn {
		return
	}
	keepers := 0
	for n := 0; n < len(names.pages)*namePage; n++ {
		if !tree.step(1) && w.others() {
			return
		}
		e := names.of(uint32(n))
		if e == nil {
			continue
		}
		count, torn := w.waiting(e.habit.kept, true)
		if torn {
			return
		}
		if keepers += count; count != int(e.habit.count) {
			w.say(w.top, "%d cores with keepers wait for contexts named %q, and %d are counted", count, e.text, e.habit.count)
		}
	}
	if keepers != freeCores.keepers {
		w.say(w.top, "%d cores with keepers wait, and %d are counted", keepers, freeCores.keepers)
	}
}

// waiting checks a list of free cores, and answers how many these are, and whether that
// is not to be said since others used the list. A core that came by is no reason to end:
// the list ends when there are more than cores.
func (w *treeCheck) waiting(index uint32, keeps bool) (count int, torn bool) {
	for index != 0 {
		if !kind.IsOpened(index) || !kind.IsOpened(uint32(count+1)) {
			w.say(w.top, "a list of free cores leads to core %d behind %d others", index, count)
			return count, false
		}
		s := coreAt(index)
		if handle(&s.Core).owned() || s.Parked|s.parent|s.prevSibling|s.FirstChild|s.Has != 0 || keeps != (s.Blocks != 0) {
			w.say(s, "it is a free core, and is owned, parked, linked, or has entries or blocks: epoch %#x, parked %d, parent %d, sibling %d, child %d, entries %#x, blocks from %#x",
				s.Epoch, s.Parked, s.parent, s.prevSibling, s.FirstChild, s.Has, s.Blocks)
			return count, false
		}
		kind.CheckKeeper(&s.Core, func(flaw kind.Flaw) { w.note(s, flaw) })
		count++
		index = s.nextSibling
		if !tree.step(1) && w.others() {
			return count, true
		}
	}
	return count, false
}

// strays checks that side tables have entries only of contexts. A map may change while it
// is gone through.
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
	if !kind.IsOpened(n) || !handle(&coreAt(n).Core).owned() || coreAt(n).Has&bit == 0 {
		w.say(w.top, "the table of %s has core %d, which says nothing of them", what, n)
	}
	if !tree.step(1) {
		w.others()
	}
}

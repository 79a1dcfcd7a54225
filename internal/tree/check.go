package tree

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The check of the tree: links both ways, and what other tables know of each node.
//
// Invariant: a link is followed when the node that it leads to agrees with it. Each node
// agrees with at most one predecessor, so that a walk along such links visits no node
// twice but the one that it began with. The lock is released on the way: figures that
// belong together are compared only when no other goroutine changed them meanwhile.
//
// Cost: a step for each node, cached ones included; for the root one more for each free
// node and each entry of a side table.

// Report is called with what is wrong with a node.
type Report func(s *Node, flaw kind.Flaw)

// Say reports a text.
func (r Report) Say(s *Node, format string, args ...any) {
	r(s, kind.Flaw{Reason: fmt.Sprintf(format, args...)})
}

// Entry compares a bit of the node's word Has with whether a side table has an entry.
func (r Report) Entry(s *Node, bit uint32, what string, there bool) {
	if says := s.Has&bit != 0; says != there {
		r.Say(s, "the node says of %s: %v, and the side table: %v", what, says, there)
	}
}

// Stray checks that the node with number n, for which a side table has an entry, is a context
// with the bit. The tree's lock must be held, and is released now and then.
func (r Report) Stray(top *Node, n uint32, what string, bit uint32) {
	if !kind.IsOpened(n) || !At(n).Ref().Owned() || At(n).Has&bit == 0 {
		r.Say(top, "the table of %s has node %d, which says nothing of them", what, n)
	}
	if !Step(1) {
		yield()
	}
}

// Auditor checks what packages above know of contexts. The tree's lock is held.
type Auditor interface {
	Node(s *Node, live bool) // a node of the tree; one that is not live is cached
	End()                    // after the last node
	Strays(top *Node)        // after End, when top is the root
}

// Check checks the tree from the context down, and returns the contexts of it. Any
// goroutine.
func (mc Ref) Check(op string, report Report, more Auditor) []Ref {
	w := treeCheck{Report: report, top: mc.Node(), more: more}
	walk := Walk{Top: mc, Follow: w.agrees}
	all := walk.collect(op, func(s *Node, c Ref, at Cursor) (add, down bool) {
		if at.Level == 1 {
			w.above()
		}
		return w.look(s, c), true
	})
	w.together()
	return all
}

// together compares what must be read under one hold of the lock.
func (w *treeCheck) together() {
	Lock()
	defer Unlock()
	w.more.End()
	if w.top.Number() == rootNumber {
		w.freeNodes()
		w.strays()
	}
}

// treeCheck is a check of the tree from top down. The tree's lock is held.
type treeCheck struct {
	Report
	top  *Node
	more Auditor
}

// look checks a node, and reports whether it is a context.
func (w *treeCheck) look(s *Node, c Ref) (owned bool) {
	switch {
	case !c.Owned():
		w.cached(s)
	case kinds.Methods[kind.KindOf(c.Epoch)] == nil:
		w.Say(s, "its epoch is %#016x, and there is no such kind", c.Epoch)
	default:
		w.context(s)
		return true
	}
	return false
}

// above checks the links of top, to which no walk leads.
func (w *treeCheck) above() {
	s := w.top
	var ok bool
	switch {
	case s.Parent == 0:
		ok = s.prevSibling|s.NextSibling == 0
	case !kind.IsOpened(s.Parent):
	case s.prevSibling == 0:
		ok = At(s.Parent).FirstChild == s.Number()
	default:
		ok = kind.IsOpened(s.prevSibling) && At(s.prevSibling).NextSibling == s.Number() && At(s.prevSibling).Parent == s.Parent
	}
	if i := s.NextSibling; i != 0 {
		ok = ok && kind.IsOpened(i) && At(i).prevSibling == s.Number()
	}
	if !ok {
		w.Say(s, "its links are parent %d, siblings %d and %d, and these do not lead back", s.Parent, s.prevSibling, s.NextSibling)
	}
}

// agrees reports whether the node to which a cursor leads agrees that it is there.
func (w *treeCheck) agrees(at Cursor) bool {
	from := At(at.up)
	if at.prev != 0 && at.prev != unknown {
		from = At(at.prev)
	}
	if !kind.IsOpened(at.next) {
		w.Say(from, "its links lead to node %d, which does not exist", at.next)
		return false
	}
	to := At(at.next)
	switch {
	case to == w.top:
		w.Say(from, "its links lead back to the context with which they begin")
	case to.Number() != at.next:
		w.Say(from, "its links lead to node %d, whose own number is %d", at.next, to.Number())
	case to.Parent != at.up || !w.behind(to, at.prev):
		w.Say(from, "its links lead to node %d as a child of %d behind %d, and that says a child of %d behind %d",
			at.next, at.up, at.prev, to.Parent, to.prevSibling)
	default:
		return true
	}
	return false
}

// behind reports whether the node names prev as its previous sibling. When prev is unknown
// it reports whether the sibling that the node names agrees.
func (w *treeCheck) behind(to *Node, prev uint32) bool {
	switch before := to.prevSibling; {
	case prev != unknown:
		return before == prev
	case before == 0:
		return At(to.Parent).FirstChild == to.Number()
	default:
		return kind.IsOpened(before) && At(before).NextSibling == to.Number()
	}
}

// cachedMay are the bits of Has that a cached node may have: they were set while its context
// ended, and hold for the next one as well.
const cachedMay = kind.Limited | HasCreation

// cached checks a node of the tree that is no context.
func (w *treeCheck) cached(s *Node) {
	id := cachedKind(relaxed.Load32(&s.CachedAs))
	if !cacheable(id) {
		w.Say(s, "it is no context, and it is cached as kind %d, which is not cached", id)
	}
	if s.Has&^cachedMay != 0 {
		w.Say(s, "it is no context, and it has entries %#x in side tables", s.Has)
	}
	w.more.Node(s, false)
	w.named(s)
	w.keeper(s)
}

// keeper checks the keeper of a node that is no context.
func (w *treeCheck) keeper(s *Node) {
	kind.CheckKeeper(&s.Core, func(flaw kind.Flaw) { w.Report(s, flaw) })
}

// named checks the name of a node.
func (w *treeCheck) named(s *Node) {
	if e := names.of(s.name); e == nil || e.nodes == 0 || s.nameKey != nameKey(e.text) {
		w.Say(s, "its name is number %d of %d with key %#x, which do not agree", s.name, len(names.numbers), s.nameKey)
	}
}

// context checks what is known of a context, without its memory.
func (w *treeCheck) context(s *Node) {
	if s.CachedAs != 0 {
		w.Say(s, "it is a context, and it is cached as kind %d", cachedKind(s.CachedAs))
	}
	if s != w.top && !At(s.Parent).Ref().Owned() {
		w.Say(s, "it is a context, and its parent, node %d, is none", s.Parent)
	}
	w.named(s)
	n := s.Number()
	long := len(s.Ident()) > maxShortIdent
	w.Entry(s, HasCallbacks, "callbacks", callbacks[n] != nil)
	w.Entry(s, HasLongIdent, "a long ident", long)
	w.more.Node(s, true)
}

// freeNodes checks the lists of free nodes, unless other goroutines use them meanwhile.
func (w *treeCheck) freeNodes() {
	if _, torn := w.list(freeNodes.empty, false); torn {
		return
	}
	keepers := 0
	for n := 0; n < len(names.pages)*namePage; n++ {
		if !Step(1) && yield() {
			return
		}
		e := names.of(uint32(n))
		if e == nil {
			continue
		}
		count, torn := w.list(e.hint.kept, true)
		if torn {
			return
		}
		if keepers += count; count != int(e.hint.count) {
			w.Say(w.top, "%d free nodes with keepers are for contexts named %q, and %d are counted", count, e.text, e.hint.count)
		}
	}
	if keepers != freeNodes.keepers {
		w.Say(w.top, "%d free nodes have keepers, and %d are counted", keepers, freeNodes.keepers)
	}
}

// list checks a list of free nodes. It returns their number, and whether other goroutines
// used the list meanwhile, so that the number means nothing. A list that leads in a circle
// ends when there are more nodes than exist.
func (w *treeCheck) list(number uint32, keeps bool) (count int, torn bool) {
	for number != 0 {
		if !kind.IsOpened(number) || !kind.IsOpened(uint32(count+1)) {
			w.Say(w.top, "a list of free nodes leads to node %d behind %d others", number, count)
			return count, false
		}
		s := At(number)
		if s.Ref().Owned() || s.CachedAs|s.Parent|s.prevSibling|s.FirstChild|s.Has != 0 || keeps != (s.Blocks != 0) {
			w.Say(s, "it is a free node, and is a context, cached, linked, or has entries or blocks: epoch %#x, cached %d, parent %d, sibling %d, child %d, entries %#x, blocks from %#x",
				s.Epoch, s.CachedAs, s.Parent, s.prevSibling, s.FirstChild, s.Has, s.Blocks)
			return count, false
		}
		w.keeper(s)
		count++
		number = s.NextSibling
		if !Step(1) && yield() {
			return count, true
		}
	}
	return count, false
}

// strays checks that side tables have entries only of contexts. A map may change during
// the loop.
func (w *treeCheck) strays() {
	for n := range callbacks {
		w.Stray(w.top, n, "callbacks", HasCallbacks)
	}
	w.more.Strays(w.top)
}

package palloc

import (
	"iter"

	"github.com/gopalloc/palloc/internal/kind"
)

// Walks over the tree, parents first, the latest child before the others. None recurses,
// none keeps the lock for more than perHold steps, and none holds it while the caller's
// code runs.
//
// Invariant: a walk that let go of the lock is entered in tree.walks, and whoever takes a
// core off its siblings moves on the walk that was to go on with it. So a context that
// is there all the time, and is not moved with what it is below, comes by once; one that
// was created, deleted or moved meanwhile comes by once or not at all.
//
// Cost: a step for each core, parked ones included. While a long walk is under way, a
// bit for each core that there is, and a look at it by each deletion and each move.
type walk struct {
	top    Context
	begun  bool
	rungs  []rung         // from the top down: whose siblings are still to come by
	stands map[uint32]int // by the number of a core, the rung that is to go on with it
	known  int            // so many rungs are in stands
	paused bool           // the walk is entered in tree.walks

	follow func(at rung) bool // whether a link may be followed; nil: all are sound

	again bool     // what came by and was moved may come by again: see rebooking
	seen  []uint64 // a bit for each core that came by, once the walk has paused
	first []uint32 // those that came by before that
}

// rung is a place in the list of children of a context that came by.
type rung struct {
	next  uint32 // the core to go on with; 0 when the rest of them was taken off
	prev  uint32 // the one before that; unknown after a pause
	up    uint32 // the parent
	level int32  // of these children; 1 is top
	tag   int32  // what visit gave the parent
}

// unknown is no core's number.
const unknown = ^uint32(0)

// hold makes the next steps of a walk under one hold of the lock, and reports whether it
// is at its end. visit looks at a core, which need not be owned, and says whether those
// below it are to come by, and a tag for them to come with. When top was deleted before
// the first hold, that panics on behalf of op; without an op the walk is at its end.
func (w *walk) hold(op string, visit func(s *core, at rung) (tag int32, down bool)) (done bool) {
	w.resume(op)
	defer tree.Unlock()
	if !w.begun && !w.top.Live() {
		return true
	}
	for more := true; more; more = tree.step(1) {
		s, at, ok := w.next()
		if !ok {
			w.leave()
			return true
		}
		if s == nil || w.met(s.Number()) {
			continue
		}
		tag, down := visit(s, at)
		if down && s.FirstChild != 0 {
			w.rungs = append(w.rungs, rung{next: s.FirstChild, up: s.Number(), level: at.level + 1, tag: tag})
		}
	}
	w.pause()
	return false
}

// resume takes the lock for a hold.
func (w *walk) resume(op string) {
	switch {
	case !w.begun && op != "":
		w.top.lock(op)
		return
	case !w.begun:
	case !w.again && w.seen == nil:
		w.seen = make([]uint64, kind.Slots()/64+1)
		for _, n := range w.first {
			w.met(n)
		}
		w.first = nil
	}
	tree.pass()
	tree.Lock()
}

// next is the core that comes by next; nil when it was taken off. It says false at the
// end.
func (w *walk) next() (s *core, at rung, ok bool) {
	if !w.begun {
		w.begun = true
		return w.top.slot(), rung{level: 1, tag: -1}, true
	}
	i := len(w.rungs) - 1
	if i < 0 {
		return nil, at, false
	}
	at = w.rungs[i]
	w.rungs[i].next = 0
	if at.next != 0 && (w.follow == nil || w.follow(at)) {
		s = coreAt(at.next)
		w.rungs[i].next, w.rungs[i].prev = s.nextSibling, at.next
	}
	if i < w.known {
		w.known = i
		delete(w.stands, at.next)
	}
	if w.rungs[i].next == 0 {
		w.rungs = w.rungs[:i]
	}
	return s, at, true
}

// met notes that a core comes by, and reports whether it did before. One that is newer
// than the walk is passed over.
func (w *walk) met(n uint32) bool {
	switch {
	case w.again:
		return false
	case w.seen == nil:
		w.first = append(w.first, n)
		return false
	case n/64 >= uint32(len(w.seen)):
		return true
	}
	word, bit := &w.seen[n/64], uint64(1)<<(n%64)
	had := *word&bit != 0
	*word |= bit
	return had
}

// pause enters the walk, as it stands, in tree.walks.
func (w *walk) pause() {
	if !w.paused {
		w.paused, w.stands = true, make(map[uint32]int)
		tree.walks = append(tree.walks, w)
	}
	for ; w.known < len(w.rungs); w.known++ {
		w.rungs[w.known].prev = unknown
		w.stand(w.known, w.rungs[w.known].next)
	}
}

// stand makes a core the one with which a rung goes on.
func (w *walk) stand(i int, n uint32) {
	if _, taken := w.stands[n]; taken {
		n = 0 // another rung goes through the same siblings: one of them is enough
	}
	if w.rungs[i].next = n; n != 0 {
		w.stands[n] = i
	}
}

// passOn moves the walk on when it was to go on with s, which is about to leave its
// siblings. The tree's lock must be held.
func (w *walk) passOn(s *core) {
	if i, ok := w.stands[s.Number()]; ok {
		delete(w.stands, s.Number())
		w.stand(i, s.nextSibling)
	}
}

// leave takes the walk off tree.walks. The tree's lock must be held.
func (w *walk) leave() {
	if w.paused {
		w.paused = false
		tree.walks = without(tree.walks, w)
	}
}

// without is a list without one of its elements.
func without[T comparable](list []T, gone T) []T {
	for i, e := range list {
		if e == gone {
			last := len(list) - 1
			list[i] = list[last]
			clear(list[last:])
			return list[:last]
		}
	}
	return list
}

// each shows visit all contexts of the subtree, a few under each hold of the lock.
// between runs after each of them, without the lock.
func (mc Context) each(op string, visit func(s *core), between func()) {
	w := walk{top: mc}
	for done := false; !done; between() {
		done = w.hold(op, func(s *core, _ rung) (int32, bool) {
			if !handle(&s.Core).owned() {
				return 0, false
			}
			visit(s)
			return 0, true
		})
	}
}

// Children are the children of the context, the latest first, as they are when
// the loop begins. The loop may create, move and delete contexts; one that was
// deleted meanwhile still comes by, and is not Live. Of more than some hundred, one that
// another goroutine creates, deletes or moves while they are looked up comes by once or
// not at all. Any goroutine.
func (mc Context) Children() iter.Seq[Context] {
	return func(yield func(Context) bool) {
		for _, child := range mc.children() {
			if !yield(child) {
				return
			}
		}
	}
}

// All are the context and all contexts below it, each before its children, the
// latest first, as they are when the loop begins. What is said of Children holds
// here, and one that another goroutine moves takes along what is below it. Any goroutine.
//
// PostgreSQL: MemoryContextTraverseNext.
func (mc Context) All() iter.Seq[Context] {
	return func(yield func(Context) bool) {
		for _, c := range mc.subtree("Context.All") {
			if !yield(c) {
				return
			}
		}
	}
}

// children lists the children.
func (mc Context) children() []Context {
	w := walk{top: mc}
	var all pile[Context]
	batch := make([]Context, 0, perHold)
	for done := false; !done; batch = batch[:0] {
		done = w.hold("Context.Children", func(s *core, at rung) (int32, bool) {
			if child := handle(&s.Core); at.level > 1 && child.owned() {
				batch = append(batch, child)
			}
			return 0, at.level == 1
		})
		all.add(batch)
	}
	return all.list()
}

// subtree lists the context and what is below it, parents first.
func (mc Context) subtree(op string) []Context {
	var all pile[Context]
	batch := make([]Context, 0, perHold)
	mc.each(op, func(s *core) { batch = append(batch, handle(&s.Core)) }, func() {
		all.add(batch)
		batch = batch[:0]
	})
	return all.list()
}

// after is the core that follows s in a walk of the subtree of top, parents
// first; nil at the end. Parked cores do not come by. It is for a walk within one hold of
// the tree's lock.
func (s *core) after(top *core) *core {
	for {
		tree.step(1)
		if s = s.step(top); s == nil || handle(&s.Core).owned() {
			return s
		}
	}
}

func (s *core) step(top *core) *core {
	if s.FirstChild != 0 {
		return coreAt(s.FirstChild)
	}
	for s != top {
		if s.nextSibling != 0 {
			return coreAt(s.nextSibling)
		}
		s = coreAt(s.parent)
	}
	return nil
}

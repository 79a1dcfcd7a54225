package tree

import "github.com/gopalloc/palloc/internal/kind"

// Walk goes over a subtree, parents first, the latest child before the others. It does not
// recurse, keeps the lock for at most StepsPerHold steps, and does not hold it while the
// caller's code runs between two holds.
//
// Invariant: a walk that released the lock is in walks, and unlink moves it past a node that
// leaves its siblings. So a context that exists all the
// time, and is not moved with what it is below, is visited once; one that is created,
// deleted or moved meanwhile is visited at most once.
//
// Cost: a step for each node, cached ones included. While a long walk is under way, a bit
// for each node that exists, and a look at it by each deletion and each move.
type Walk struct {
	Top    Ref
	Follow func(at Cursor) bool // whether a link may be followed; nil: all are sound
	Again  bool                 // a node that is moved may be visited again

	begun   bool
	cursors []Cursor       // from the top down
	byNode  map[uint32]int // by the number of a node, the index of the cursor that goes on with it
	indexed int            // the number of cursors in byNode
	paused  bool           // the walk is in walks
	seen    []uint64       // a bit for each node that was visited, once the walk has paused
	first   []uint32       // those that were visited before that
}

// walks are those that released the lock and will go on. The tree's lock guards it.
var walks []*Walk

// Cursor is a place in the list of children of a context.
type Cursor struct {
	Level int32 // of these children; 1 is Top
	Tag   int32 // what visit returned for the parent

	next uint32 // the node to go on with; 0 when none is left
	prev uint32 // the one before that; unknown after a pause
	up   uint32 // the parent
}

// unknown is no node's number.
const unknown = ^uint32(0)

// Hold takes the next steps of a walk under one hold of the lock, and reports whether it is
// at its end. visit looks at a node, which need not be owned; it returns whether to visit
// those below it, and a tag for them. When Top was deleted before the first hold, Hold
// panics on behalf of op; without an op the walk is at its end.
func (w *Walk) Hold(op string, visit func(s *Node, at Cursor) (tag int32, down bool)) (done bool) {
	w.resume(op)
	defer Unlock()
	if !w.begun && !w.Top.Live() {
		return true
	}
	for more := true; more; more = Step(1) {
		s, at, ok := w.next()
		if !ok {
			w.leave()
			return true
		}
		if s == nil || w.visited(s.Number()) {
			continue
		}
		tag, down := visit(s, at)
		if down && s.FirstChild != 0 {
			w.cursors = append(w.cursors, Cursor{next: s.FirstChild, up: s.Number(), Level: at.Level + 1, Tag: tag})
		}
	}
	w.pause()
	return false
}

// resume takes the lock for a hold.
func (w *Walk) resume(op string) {
	switch {
	case !w.begun && op != "":
		w.Top.Lock(op)
		return
	case !w.begun:
	case !w.Again && w.seen == nil:
		w.seen = make([]uint64, kind.Slots()/64+1)
		for _, n := range w.first {
			w.visited(n)
		}
		w.first = nil
	}
	Pass()
	Lock()
}

// next returns the next node, nil when it was removed. It returns false at the end.
func (w *Walk) next() (s *Node, at Cursor, ok bool) {
	if !w.begun {
		w.begun = true
		return w.Top.Node(), Cursor{Level: 1, Tag: -1}, true
	}
	i := len(w.cursors) - 1
	if i < 0 {
		return nil, at, false
	}
	at = w.cursors[i]
	w.cursors[i].next = 0
	if at.next != 0 && (w.Follow == nil || w.Follow(at)) {
		s = At(at.next)
		w.cursors[i].next, w.cursors[i].prev = s.NextSibling, at.next
	}
	if i < w.indexed {
		w.indexed = i
		delete(w.byNode, at.next)
	}
	if w.cursors[i].next == 0 {
		w.cursors = w.cursors[:i]
	}
	return s, at, true
}

// visited notes that a node is visited, and reports whether it was before. A node that is
// newer than the walk counts as visited.
func (w *Walk) visited(n uint32) bool {
	switch {
	case w.Again:
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

// pause puts the walk in walks.
func (w *Walk) pause() {
	if !w.paused {
		w.paused, w.byNode = true, make(map[uint32]int)
		walks = append(walks, w)
	}
	for ; w.indexed < len(w.cursors); w.indexed++ {
		w.cursors[w.indexed].prev = unknown
		w.goOnWith(w.indexed, w.cursors[w.indexed].next)
	}
}

// goOnWith sets the node with which the cursor with index i goes on.
func (w *Walk) goOnWith(i int, n uint32) {
	if _, taken := w.byNode[n]; taken {
		n = 0 // another cursor goes through the same siblings: one of them is enough
	}
	if w.cursors[i].next = n; n != 0 {
		w.byNode[n] = i
	}
}

// skip moves the walk past s, which is about to leave its siblings. The tree's lock must be held.
func (w *Walk) skip(s *Node) {
	if i, ok := w.byNode[s.Number()]; ok {
		delete(w.byNode, s.Number())
		w.goOnWith(i, s.NextSibling)
	}
}

// leave takes the walk out of walks. The tree's lock must be held.
func (w *Walk) leave() {
	if w.paused {
		w.paused = false
		walks = without(walks, w)
	}
}

// without returns the list without one of its elements.
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

// Each calls visit with all contexts of the subtree, under the tree's lock.
func (mc Ref) Each(op string, visit func(s *Node)) {
	w := Walk{Top: mc}
	for !w.Hold(op, func(s *Node, _ Cursor) (int32, bool) {
		if !s.Ref().Owned() {
			return 0, false
		}
		visit(s)
		return 0, true
	}) {
	}
}

// collect takes the whole walk and returns the contexts that visit adds.
func (w *Walk) collect(op string, visit func(s *Node, c Ref, at Cursor) (add, down bool)) []Ref {
	var all List[Ref]
	batch := make([]Ref, 0, StepsPerHold)
	for done := false; !done; batch = batch[:0] {
		done = w.Hold(op, func(s *Node, at Cursor) (int32, bool) {
			c := s.Ref()
			add, down := visit(s, c, at)
			if add {
				batch = append(batch, c)
			}
			return 0, down
		})
		all.Add(batch)
	}
	return all.All()
}

// Children returns the children. Any goroutine.
func (mc Ref) Children() []Ref {
	w := Walk{Top: mc}
	return w.collect("Context.Children", func(_ *Node, c Ref, at Cursor) (add, down bool) {
		return at.Level > 1 && c.Owned(), at.Level == 1
	})
}

// Subtree returns the context and all below it, parents first. Any goroutine.
func (mc Ref) Subtree(op string) []Ref {
	w := Walk{Top: mc}
	return w.collect(op, func(_ *Node, c Ref, _ Cursor) (add, down bool) { return c.Owned(), c.Owned() })
}

// After returns the context that follows s in a walk of the subtree of top, parents first;
// nil at the end. Cached nodes are skipped. It is for a walk within one hold of the tree's
// lock.
func (s *Node) After(top *Node) *Node {
	for {
		Step(1)
		if s = s.Next(top); s == nil || s.Ref().Owned() {
			return s
		}
	}
}

// Next returns the node that follows s in such a walk, cached or not.
func (s *Node) Next(top *Node) *Node {
	if s.FirstChild != 0 {
		return At(s.FirstChild)
	}
	return s.NextOutside(top)
}

// NextOutside returns what Next does, without the nodes below s.
func (s *Node) NextOutside(top *Node) *Node {
	for s != top {
		if s.NextSibling != 0 {
			return At(s.NextSibling)
		}
		s = At(s.Parent)
	}
	return nil
}

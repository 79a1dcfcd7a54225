package btree

import "github.com/gopalloc/palloc"

// Nodes that the Map holds and does not use: those that an insertion is about to use, those that
// Clear left, and in a Bump those that were taken out.
//
// Invariant: a node is cleared when it is taken.
//
// Cost: a step for each node; leaves that are linked already are put in one step.

// spares are lists of nodes, linked by next and by the first child.
type spares[K, V any] struct {
	leaves     *leaf[K, V]
	inners     *inner[K, V]
	leafCount  int
	innerCount int
}

func (s *spares[K, V]) empty() bool { return s.leaves == nil && s.inners == nil }

func (s *spares[K, V]) putLeaf(l *leaf[K, V]) {
	l.next, s.leaves = s.leaves, l
	s.leafCount++
}

func (s *spares[K, V]) takeLeaf() *leaf[K, V] {
	l := s.leaves
	s.leaves = l.next
	s.leafCount--
	*l = leaf[K, V]{}
	return l
}

func (s *spares[K, V]) putInner(at *inner[K, V]) {
	at.kids[0].inner, s.inners = s.inners, at
	s.innerCount++
}

func (s *spares[K, V]) takeInner() *inner[K, V] {
	at := s.inners
	s.inners = at.kids[0].inner
	s.innerCount--
	*at = inner[K, V]{}
	return at
}

// release frees the spare nodes; a Bump frees nothing, so they stay.
func (m *Map[K, V]) release() {
	if !m.mc.Kind().Frees() {
		return
	}
	for m.spare.leaves != nil {
		l := m.spare.leaves
		m.spare.leaves = l.next
		m.spare.leafCount--
		palloc.Free(l)
	}
	for m.spare.inners != nil {
		at := m.spare.inners
		m.spare.inners = at.kids[0].inner
		m.spare.innerCount--
		palloc.Free(at)
	}
}

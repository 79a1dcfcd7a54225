package tree

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Cached nodes. Most programs create and delete small trees of the same shape, a context for
// each call. So the node of a deleted context may stay where it is, among the first children
// of its parent and with the cached nodes below it, and become the next child of its kind
// and name that is created there.
//
// Invariant: a cached node has kind.None in its Epoch, is rewound, and has at most a keeper
// and the default sizes. Its word CachedAs has its last kind, and how many nodes are cached
// with it. The goroutine that swaps that word for 0 owns the node. All nodes below
// it are cached, too, but for a child that was created too late, whose creation is being
// undone. Walks pass them over.
//
// Cost: one swap to take, and a fence to cache, where a free node takes the tree's lock
// twice; a step for each child that is looked at. A parent keeps up to reach*maxTogether
// cached nodes, each with at most a keeper.

const (
	reach         = 4  // children of a parent among which a creation looks for a cached one
	maxTogether   = 16 // nodes that are cached in one tree
	evictionSteps = 8  // of the tree's lock: an eviction may release a block
)

// The word CachedAs: the kind, a bit that a reset of the parent sets, and how many nodes are
// cached together.
const (
	kindMask      = 1<<8 - 1
	idle          = 1 << 8
	togetherShift = 9
)

func asCached(id kind.ID, together uint32) uint32 { return uint32(id) | together<<togetherShift }
func cachedKind(word uint32) kind.ID              { return kind.ID(word & kindMask) }
func cachedTogether(word uint32) uint32           { return word >> togetherShift }

// cacheable reports whether nodes of a kind are cached.
func cacheable(id kind.ID) bool { return kinds.Traits(id).Cached }

// cache leaves the node of a context that was just deleted, rewound, with its parent. It
// returns false, and does nothing, when a creation would not find it there, or it must not
// be cached.
func (s *Node) cache(id kind.ID) bool {
	together, leaf := s.together()
	if !leaf || !cacheable(id) || !s.inReach() {
		return false
	}
	relaxed.StoreRelease32(&s.CachedAs, asCached(id, together))
	return true
}

// isFirst reports whether the node is the first child of its parent. It is separate from
// inReach so that it is inlined in Delete.
func (s *Node) isFirst() bool {
	return relaxed.Load32(&At(relaxed.Load32(&s.Parent)).FirstChild) == s.Number()
}

// inReach reports whether the node is among the first children of its parent. Without the
// tree's lock the answer may be old: then the node stays until the end of its parent.
func (s *Node) inReach() bool {
	i := relaxed.Load32(&At(relaxed.Load32(&s.Parent)).FirstChild)
	for range reach {
		if i == s.Number() {
			return true
		}
		i = relaxed.Load32(&At(i).NextSibling) // 0 leads to 0
	}
	return false
}

// isLeaf reports whether no context is below the node, and no more cached nodes than may
// be. It may miss a context that another goroutine creates meanwhile.
func (s *Node) isLeaf() bool {
	_, ok := s.together()
	return ok
}

// together returns how many nodes would be cached with the node, itself one of them, and
// whether it is a leaf.
func (s *Node) together() (n uint32, leaf bool) {
	if relaxed.Load32(&s.FirstChild) == 0 {
		return 1, true
	}
	return s.countCached()
}

// countCached is separate from together because it looks at the children. It may do so
// without the tree's lock: evictions counts the cached ones that leave meanwhile, and a
// context that left, and is cached elsewhere by now, has another parent.
func (s *Node) countCached() (n uint32, leaf bool) {
	before, parent := evictions.Load(), s.Number()
	n = 1
	for i, looked := relaxed.Load32(&s.FirstChild), 0; i != 0; looked++ {
		child := At(i)
		word := relaxed.Load32(&child.CachedAs)
		if n += cachedTogether(word); word == 0 || looked == reach || n > maxTogether || relaxed.Load32(&child.Parent) != parent {
			return 0, false
		}
		i = relaxed.Load32(&child.NextSibling)
	}
	return n, evictions.Load() == before
}

// mark marks the cached children of a context that is reset, and reports whether one was
// marked already: none was created from that one since the last reset.
func (s *Node) mark() (idled bool) {
	i := relaxed.Load32(&s.FirstChild)
	for range reach { // a leaf has no more
		if i == 0 {
			break
		}
		child := At(i)
		switch word := relaxed.Load32(&child.CachedAs); {
		case word&idle != 0:
			idled = true
		case word != 0:
			atomic.CompareAndSwapUint32(&child.CachedAs, word, word|idle)
		}
		i = relaxed.Load32(&child.NextSibling)
	}
	return idled
}

// Evict frees a cached node, and reports whether it is off the tree; false for one that is
// not cached. The tree's lock must be held.
func (s *Node) Evict() bool { return relaxed.Load32(&s.CachedAs) != 0 && s.evict() }

// evictions counts cached nodes that are about to leave their parents.
var evictions atomic.Uint32

// take makes a node that is cached as of a kind the caller's, and reports whether it did.
// The word is for putting it back.
func (s *Node) take(id kind.ID) (word uint32, ok bool) {
	word = relaxed.Load32(&s.CachedAs)
	return word, cachedKind(word) == id && atomic.CompareAndSwapUint32(&s.CachedAs, word, 0)
}

// evictFirst evicts the first children of s, as far as they are cached. The tree's lock
// must be held.
func (s *Node) evictFirst() {
	for s.FirstChild != 0 && At(s.FirstChild).evict() {
	}
}

// anyMark matches the word CachedAs of any cached node.
const anyMark = ^uint32(0)

// evictWith evicts the children of s, of as many as a leaf may have, whose word CachedAs has
// one of the bits. The tree's lock must be held.
func (s *Node) evictWith(bits uint32) {
	for i, n := s.FirstChild, 0; i != 0 && n <= reach; n++ {
		child := At(i)
		i = child.NextSibling
		if relaxed.Load32(&child.CachedAs)&bits != 0 {
			child.evict()
		}
	}
}

// evictExcess evicts cached children, a few at a time, of a context with too many of them,
// and reports whether it is a leaf. The tree's lock must be held.
func (s *Node) evictExcess() bool {
	if !s.isLeaf() {
		s.evictWith(anyMark)
	}
	return s.isLeaf()
}

// evictAt evicts the child of s with before others in front of it, if it is cached. The tree's lock
// must be held.
func (s *Node) evictAt(before int) {
	i := s.FirstChild
	for ; before > 0; before-- {
		i = At(i).NextSibling // 0 leads to 0
	}
	if i != 0 {
		At(i).evict()
	}
}

// evict frees a cached node, after those cached below it. It returns false when it is not
// cached, or one below it is not, or another goroutine takes one. The tree's lock must be
// held.
func (s *Node) evict() bool {
	for at := s; ; {
		id := cachedKind(relaxed.Load32(&at.CachedAs))
		if id == kind.None {
			return false
		}
		if at.FirstChild != 0 {
			at = At(at.FirstChild)
			continue
		}
		up := At(at.Parent)
		if _, ok := at.take(id); !ok {
			return false
		}
		evictions.Add(1)
		Step(evictionSteps)
		unlink(at)
		names.hint(at.name).learn(uintptr(at.FirstBlock)) // what it learned is for those of its name
		freeNode(at)
		if at == s {
			return true
		}
		at = up
	}
}

package tree

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Free nodes: those of deleted contexts, for the next ones. A node with a keeper goes to
// the list of its name, since a context needs what the last one of its name needed. When
// the name is forgotten the keeper is released.
//
// Invariant: a free node has kind.None in its Epoch, no links but NextSibling, nothing to
// allocate from, and the default sizes of blocks. One with a keeper is on the list of its
// name, all others are on one list. The tree's lock guards both.
//
// Cost: constant.
var freeNodes struct {
	empty   uint32 // the first node without a keeper, the latest deleted first
	keepers int    // how many nodes have one
}

// The maximum numbers of keepers, of one name and of all.
const (
	maxKeptOfName = 8
	maxKept       = 1024
)

// hint is what contexts of one name need.
type hint struct {
	kept  uint32 // the first free node with a keeper, the latest deleted first
	count uint32 // how many there are
	first uint32 // the size of the first block that would have been enough, 0 unknown
}

// learn learns from a context in which used bytes were in use. The hint rises at once and
// falls slowly.
func (h *hint) learn(used uintptr) {
	h.first = kind.Hint(h.first, used)
}

// takeNode returns a node for a context of a name: one with a keeper, else the one that
// was freed last, else a new one. The caller opens it.
func takeNode(name uint32) (*Node, error) {
	h := names.hint(name)
	if h.kept == 0 {
		return takeEmpty()
	}
	h.count--
	freeNodes.keepers--
	return pop(&h.kept), nil
}

// takeEmpty returns a node without a keeper: the one that was freed last, else a new one.
func takeEmpty() (*Node, error) {
	if freeNodes.empty == 0 {
		c, err := kind.OpenSlot()
		return kind.Slot[Node](c), err
	}
	return pop(&freeNodes.empty), nil
}

// pop removes the first node of a list.
func pop(first *uint32) *Node {
	s := At(*first)
	*first = s.NextSibling
	relaxed.Store32(&s.NextSibling, 0)
	return s
}

// push makes a node the first of a list.
func push(first *uint32, s *Node) {
	relaxed.Store32(&s.NextSibling, *first)
	*first = s.Number()
}

// freeShard frees the node of a shard, which holds nothing.
func freeShard(s *Node) {
	s.CloseCurrent()
	relaxed.Store32(&s.name, 0) // a shard has no name: there was a lock in its place
	relaxed.Store64(&s.nameKey, 0)
	s.SetSizes(0, 0) // set when it is opened
	push(&freeNodes.empty, s)
}

// freeNode frees the node of a deleted context, which holds at most a keeper.
func freeNode(s *Node) {
	if s.Has != 0 {
		s.forgetCreation()
		s.freeShards()
		Forget(s)
		relaxed.Store32(&s.Has, 0)
	}
	s.forgetIdent()
	s.CloseCurrent()
	if h := names.hint(s.name); s.Blocks != 0 && h.count < maxKeptOfName && freeNodes.keepers < maxKept {
		push(&h.kept, s)
		h.count++
		freeNodes.keepers++
	} else {
		s.DropKeeper()
		push(&freeNodes.empty, s)
	}
	s.dropName()
}

// ReleaseKeepers releases the blocks that cached and free nodes keep.
func ReleaseKeepers() {
	EachNode(func(s *Node) { s.Evict() })
	ReleaseFree()
}

// ReleaseFree releases the blocks of free nodes, of some names under each hold of the lock.
func ReleaseFree() {
	for n, more := 0, true; more; Pass() {
		Lock()
		for ; n < len(names.pages)*namePage && Step(1); n++ {
			if e := names.of(uint32(n)); e != nil {
				e.hint.release()
			}
		}
		more = n < len(names.pages)*namePage
		Unlock()
	}
}

// release releases the blocks that are kept for contexts of a name. The tree's lock must
// be held.
func (h *hint) release() {
	for h.kept != 0 {
		Step(evictionSteps)
		s := pop(&h.kept)
		s.DropKeeper()
		push(&freeNodes.empty, s)
		h.count--
		freeNodes.keepers--
	}
}

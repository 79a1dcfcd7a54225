package tree

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Resets and deletions by the goroutine that owns the context.
//
// Invariant: children before parents; of one context's callbacks the latest first, each
// once. A callback that panics stops the operation where it is, and leaves a tree that
// can be reset and deleted as before: a context is still in the tree while its callbacks
// run.
//
// Cost: a context that allocated nothing is reset by a few compares, one that stayed
// within its keeper by a few words more; otherwise the release of each block but the
// keeper. Nothing recurses.

// Reset deletes all contexts below this one and frees all its chunks. Owner only.
func (mc Ref) Reset() { resetWith(mc, resetLive, Ref.rewindOrReset) }

// resetWith and resetLive are the inlined part of Reset: all of it for a context that
// allocated nothing. They take the next stage as an argument, so that they are.
func resetWith(mc Ref, next func(Ref, func(Ref)), rest func(Ref)) {
	if mc.Core == nil || mc.Core.Epoch != mc.Epoch {
		rest(mc)
		return
	}
	next(mc, rest)
}

func resetLive(mc Ref, rest func(Ref)) {
	if mc.Core.MoreThanRewind() != 0 || !mc.Core.Untouched() {
		rest(mc)
	}
}

// rewindOrReset is separate from Reset because it calls, but not for a context that has
// only chunks of its keeper, none of which was freed.
func (mc Ref) rewindOrReset() {
	s := mc.Node()
	if mc.Core == nil || mc.Core.Epoch != mc.Epoch || !s.noChildrenNoCallbacks() || s.NeedsReset|s.Dirty != 0 {
		mc.reset()
		return
	}
	s.Rewind()
}

// noChildrenNoCallbacks reports whether the context has neither.
func (s *Node) noChildrenNoCallbacks() bool {
	return relaxed.Load32(&s.FirstChild)|relaxed.Load32(&s.Has)&HasCallbacks == 0
}

// noChildrenNoEntries reports whether the context has neither children nor an entry in
// any side table.
func (s *Node) noChildrenNoEntries() bool {
	return relaxed.Load32(&s.FirstChild)|relaxed.Load32(&s.Has) == 0
}

// reset is separate from rewindOrReset because it loops: for contexts that have children,
// callbacks, or more to free than chunks of the keeper.
func (mc Ref) reset() {
	const op = "Context.Reset"
	mc.mustLive(op)
	switch s := mc.Node(); {
	case relaxed.Load32(&s.FirstChild) == 0:
	case !s.isLeaf():
		e := ending{op: op}
		mc.deleteChildren(&e)
		mc.resetWithin(&e)
		RaisePending()
		return
	case s.mark(): // cached children that are of no use make every reset look at them
		Lock()
		s.evictWith(idle)
		Unlock()
	}
	mc.resetOnly(op)
	RaisePending()
}

// mustLive panics unless the context is live.
func (mc Ref) mustLive(op string) {
	if !mc.Live() {
		panic(mc.gone(op))
	}
}

// ResetOnly frees all chunks of the context and leaves the contexts below it alone. Owner
// only.
func (mc Ref) ResetOnly() {
	mc.mustLive("Context.ResetOnly")
	mc.resetOnly("Context.ResetOnly")
	RaisePending()
}

func (mc Ref) resetOnly(op string) {
	if relaxed.Load32(&mc.Node().Has)&HasCallbacks != 0 {
		mc.runCallbacks(&ending{op: op})
	}
	switch {
	case mc.Core.IsClean():
		mc.Core.ClearDirty()
		mc.Core.Rewind()
	case mc.Core.BlockCount != 0:
		kinds.Methods[mc.Core.Kind()].Reset(mc.Core)
	}
}

// resetWithin is resetOnly within a reset or a deletion that began above.
func (mc Ref) resetWithin(e *ending) {
	if relaxed.Load32(&mc.Node().Has)&HasCallbacks != 0 {
		mc.runCallbacks(e)
	}
	mc.resetOnly(e.op)
}

// ResetChildren resets every context below this one, children before parents. Owner only.
func (mc Ref) ResetChildren() {
	e := ending{op: "Context.ResetChildren"}
	before := moves.Load()
	list := mc.Subtree(e.op)
	for i := len(list) - 1; i > 0; i-- {
		if moves.Load() == before || list[i].isStillBelow(mc) {
			list[i].resetClaimed(&e) // a callback may have deleted it
		}
	}
	RaisePending()
}

// isStillBelow reports whether the context, which was below top, has not been moved away.
func (mc Ref) isStillBelow(top Ref) bool {
	Lock()
	defer Unlock()
	return mc.Live() && top.Live() && mc.IsWithin(top.Node())
}

// Delete deletes the context and all contexts below it. Owner only.
func (mc Ref) Delete() {
	s := mc.Node()
	if mc.Core == nil || s.Epoch != mc.Epoch || !s.noChildrenNoEntries() || !s.IsClean() {
		mc.deleteMore()
		return
	}
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(mc.Epoch, kind.None)) // and a fence
	s.ClearDirty()
	s.Rewind()
	s.ForgetSizes()
	if s.noChildrenNoEntries() && (s.isFirst() || s.inReach()) {
		relaxed.StoreRelease32(&s.CachedAs, asCached(kind.KindOf(mc.Epoch), 1)) // a clean context is of a kind that is cached
		return
	}
	mc.leave()
}

// leave caches or frees the node of a context whose memory Delete has closed. A child that
// another goroutine created below it meanwhile is deleted first.
func (mc Ref) leave() {
	if !mc.Node().cacheOrFree(kind.KindOf(mc.Epoch), 0) {
		mc.undoEnd()
		mc.delete()
	}
}

// deleteMore is Delete for contexts that have more to release than the chunks of a keeper,
// children, or entries in side tables.
func (mc Ref) deleteMore() {
	s := mc.Node()
	if mc.Core == nil || s.Epoch != mc.Epoch || relaxed.Load32(&s.Has)&(HasCallbacks|IsPermanent) != 0 || !s.mayBeLeaf() || !mc.end() {
		mc.delete()
	}
	RaisePending()
}

// mayBeLeaf is a fast answer to isLeaf, which may be true for a node that is none.
func (s *Node) mayBeLeaf() bool {
	i := relaxed.Load32(&s.FirstChild)
	return i == 0 || relaxed.Load32(&At(i).CachedAs) != 0
}

// end deletes a context without callbacks, and caches or frees its node. When the context has
// children, or another goroutine creates one meanwhile, it returns false and leaves it live.
func (mc Ref) end() bool {
	s, id := mc.Node(), kind.KindOf(mc.Epoch)
	together, leaf := mc.endEpoch()
	if !leaf {
		return false
	}
	used := s.closeMemory()
	if relaxed.Load32(&s.Has) == 0 && cacheable(id) && s.inReach() {
		relaxed.StoreRelease32(&s.CachedAs, asCached(id, together))
		return true
	}
	if s.cacheOrFree(id, used) {
		return true
	}
	mc.undoEnd()
	return false
}

// endEpoch ends the context's epoch, and then looks at its children: see the package comment.
// It returns how many nodes would be cached with the node; for a context that is no leaf it
// returns false, and leaves it live.
func (mc Ref) endEpoch() (together uint32, leaf bool) {
	s := mc.Node()
	atomic.StoreUint64(&s.Epoch, kind.NextEpoch(mc.Epoch, kind.None)) // and a fence
	if together, leaf = s.together(); !leaf {
		relaxed.Store64(&s.Epoch, mc.Epoch)
	}
	return together, leaf
}

// delete is separate from Delete because it loops: for contexts that have children,
// callbacks or blocks.
func (mc Ref) delete() {
	mc.deleteWith(&ending{op: "Context.Delete"})
}

func (mc Ref) deleteWith(e *ending) {
	mc.mustLive(e.op)
	if relaxed.Load32(&mc.Node().Has)&IsPermanent != 0 {
		panic(Explain(mc.Core, e.op, 0, kind.Misuse("the root and the emergency context live as long as the process: Reset it, or delete its children")))
	}
	for !mc.remove(e) { // it has children, or a callback created some
		mc.deleteChildren(e)
	}
}

// DeleteContained works as Delete does, but goes on when a callback panics or ends its
// goroutine. It returns what callbacks panicked with. A context that is gone is left alone,
// and so is one whose deletion panics without a callback. Owner only.
func (mc Ref) DeleteContained() (panics []any) {
	mc.deleteContained(&ending{op: "Context.Delete"}, &panics)
	return panics
}

func (mc Ref) deleteContained(e *ending, panics *[]any) {
	defer func() {
		if mc.Live() && len(*panics) <= e.taken { // the goroutine ends
			mc.deleteContained(e, panics)
		}
	}()
	for mc.Live() && len(*panics) <= e.taken {
		mc.attemptDelete(e, panics)
	}
}

// attemptDelete deletes until a callback panics, which then is on no list.
func (mc Ref) attemptDelete(e *ending, panics *[]any) {
	defer func() {
		if r := recover(); r != nil {
			*panics = append(*panics, r)
		}
	}()
	mc.deleteWith(e)
}

// DeleteChildren deletes every context below this one. Owner only.
func (mc Ref) DeleteChildren() { unlessChildless(mc, Ref.deleteAllChildren) }

// unlessChildless is the inlined part of DeleteChildren: all of it where there are none.
func unlessChildless(mc Ref, rest func(Ref)) {
	if mc.Core == nil || mc.Core.Epoch != mc.Epoch || relaxed.Load32(&mc.Core.FirstChild) != 0 {
		rest(mc)
	}
}

// deleteAllChildren is DeleteChildren where there are nodes below, which are often all
// cached.
func (mc Ref) deleteAllChildren() {
	e := ending{op: "Context.DeleteChildren"}
	if mc.mustLive(e.op); !mc.Node().isLeaf() {
		mc.deleteChildren(&e)
	}
	RaisePending()
}

// remove deletes a context that has no children. When it has some, or a callback created
// some, it returns false and leaves the context in the tree.
func (mc Ref) remove(e *ending) bool {
	s := mc.Node()
	if !s.isLeaf() {
		return false
	}
	if relaxed.Load32(&s.Has)&HasCallbacks != 0 {
		if mc.runCallbacks(e); !s.isLeaf() {
			return false
		}
	}
	return mc.end()
}

// closeMemory releases all but a keeper of a context whose epoch has just ended, and returns
// how many bytes were in use. The node is then ready to be cached.
func (s *Node) closeMemory() (used uintptr) {
	used = s.Total - s.Remaining()
	if s.NeedsReset == 0 && relaxed.Load32(&s.Has)&HasShards == 0 {
		s.ClearDirty()
		s.Rewind()
	} else {
		s.closeShards()
		s.SetCurrent(s.Retire(), kind.BlockHeader)
	}
	s.ForgetSizes() // what it learned is for the next
	return used
}

// undoEnd makes the node the same context again, after another goroutine created a child
// below it.
func (mc Ref) undoEnd() {
	kinds.Methods[kind.KindOf(mc.Epoch)].Open(mc.Core)
	relaxed.Store64(&mc.Core.Epoch, mc.Epoch)
}

// cacheOrFree caches the node of a deleted context, which held used bytes, or frees it.
// When the node has got a child meanwhile it returns false, and leaves it.
func (s *Node) cacheOrFree(id kind.ID, used uintptr) bool {
	Lock()
	leaf := s.isLeaf()
	if leaf {
		s.forgetLongIdent()
		relaxed.Store32(&s.Has, s.Has&^isClaimed) // the goroutine that claimed it is this one
		if s.Has != 0 || !s.cache(id) {
			s.evictFirst()
			if leaf = s.FirstChild == 0; leaf {
				s.free(used)
			}
		}
	}
	Unlock()
	return leaf
}

// free removes the node of a deleted context from the tree. The tree's lock must be held.
func (s *Node) free(used uintptr) {
	unlink(s)
	names.hint(s.name).learn(used)
	freeNode(s)
}

// HasChildren reports whether a context is below this one. Any goroutine.
func (mc Ref) HasChildren(op string) bool {
	defer mc.Lock(op).Unlock()
	for i := mc.Node().FirstChild; i != 0 && Step(1); i = At(i).NextSibling { // few are no contexts
		if At(i).Ref().Owned() {
			return true
		}
	}
	return false
}

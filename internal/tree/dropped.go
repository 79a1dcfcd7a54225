package tree

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The deletion of dropped contexts, by a goroutine that owns nothing around them.
//
// Invariant: a dropped context is first moved below a root of its own, so that no deletion
// of its ancestors reaches it any more. Its nodes are then freed under the tree's lock. A
// deletion of an ancestor may still be at work inside, at a context that it claimed under
// the lock: the deletion of the dropped context waits for it. No other deletion waits for a
// claim, so that no goroutine waits for itself.
//
// Cost: the tree's lock, for up to maxAtOnce contexts at a time; for others a claim of
// each context with callbacks or many blocks that a deletion reaches from above.

// droppedRoot is the parent of dropped contexts until they are deleted. It is no public
// Context, so that nothing else can be created there. The tree's lock guards it.
var droppedRoot Ref

// droppedName begins the paths of dropped contexts.
const droppedName = "(dropped)"

// anyDropped is true once there is a droppedRoot.
var anyDropped atomic.Bool

// OpenDropped creates droppedRoot, once, on behalf of op, which can still report that memory
// ran out. Any goroutine.
func OpenDropped(op string) {
	if anyDropped.Load() {
		return
	}
	Lock()
	defer Unlock()
	if droppedRoot.Core == nil {
		droppedRoot = createParentless(op, droppedName)
		anyDropped.Store(true)
	}
}

// Detach moves the context, if it is live, below droppedRoot, and returns what Moved
// returns. It panics when the context is permanent. Any goroutine, once its owner is gone.
func (mc Ref) Detach(op string) (below bool) {
	Lock()
	defer Unlock()
	if !mc.Live() {
		return false
	}
	s := mc.Node()
	if s.Has&IsPermanent != 0 {
		refuse(mc.Core, op, "the context lives as long as the process")
	}
	move(s, droppedRoot.Node())
	return Moved(s)
}

// DeleteDropped deletes a detached context and all below it, unless that was done before.
// The error joins what callbacks panicked with; a panic stops no other callback. When it
// would wait for its own goroutine, which runs a callback of one of these contexts, it
// calls later and returns.
func (mc Ref) DeleteDropped(op string, later func()) error {
	const pause = 100 * time.Microsecond
	d := descent{top: mc, at: mc}
	defer d.close()
	var panics []error
	e, waits := ending{op: op}, false
	for mc.Live() {
		switch leaf, cb, mine, misuse := d.removeSome(&e); {
		case misuse != nil:
			panics = append(panics, Explain(leaf.Core, op, 0, misuse))
			leaf.unclaim()
		case cb != nil:
			panics = append(panics, leaf.runContained(cb))
		case mine:
			leaf.releaseBlocks()
		case leaf.Core == nil:
		case !waits && inCallback(): // the claim may be this goroutine's
			later()
			return errors.Join(panics...)
		default: // another goroutine claimed it
			waits = true
			time.Sleep(pause)
		}
	}
	return errors.Join(panics...)
}

// inCallback reports whether the calling goroutine is in a callback of BeforeReset.
func inCallback() bool {
	var pcs [128]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for more := n > 0; more; {
			var f runtime.Frame
			f, more = frames.Next()
			if strings.HasSuffix(f.Function, ".Ref.runCallbacks") || strings.HasSuffix(f.Function, ".Ref.runContained") {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

// removeSome removes contexts, children first, until none is left, or it reaches one that
// must not be removed now. It returns that one: claimed for the caller, since it has many
// blocks or a callback that runs first, or is skipped with a kind.Misuse; or claimed by
// another goroutine.
func (d *descent) removeSome(e *ending) (leaf Ref, cb *callback, mine bool, misuse error) {
	if !d.resume() {
		return leaf, nil, false, nil
	}
	defer Unlock()
	s := d.at.Node()
	for n := 0; n < maxAtOnce && Step(1); n++ {
		var ok bool
		if s, ok = d.down(s); !ok || !s.evictExcess() {
			break
		}
		if s.evictFirst(); s.FirstChild != 0 {
			break
		}
		leaf = s.Ref()
		switch {
		case !leaf.Owned() || s.Has&isClaimed != 0:
			d.stop(s, true)
			return leaf, nil, false, nil
		case s.Has&HasCallbacks != 0:
			d.stop(s, true)
			s.claim()
			cb, misuse = leaf.takeCallback(e)
			return leaf, cb, true, misuse
		case s.heavy():
			d.stop(s, true)
			s.claim()
			return leaf, nil, true, nil
		}
		if s = s.endFreeing(); leaf == d.top {
			d.leave()
			return Ref{}, nil, false, nil
		}
	}
	d.stop(s, true)
	return Ref{}, nil, false, nil
}

// releaseBlocks releases all but a small block of a claimed context, and ends the claim.
func (mc Ref) releaseBlocks() {
	defer mc.unclaim()
	mc.Node().closeShards()
	kinds.Methods[mc.Core.Kind()].Reset(mc.Core)
}

// runContained runs a callback of a claimed context, and ends the claim. It returns what
// the callback panicked with as an error.
func (mc Ref) runContained(cb *callback) (err error) {
	defer mc.unclaim()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a callback of BeforeReset panicked: %v\n%s", r, debug.Stack())
		}
	}()
	cb.run()
	return nil
}

// claim marks a context that the caller will reset or remove without the lock. It reports
// whether it did: it does nothing when the node is no context, or is claimed. The tree's
// lock must be held.
func (s *Node) claim() (first bool) {
	if !s.Ref().Owned() || s.Has&isClaimed != 0 {
		return false
	}
	relaxed.Store32(&s.Has, s.Has|isClaimed)
	return true
}

// unclaim ends the claim, unless the context was deleted.
func (mc Ref) unclaim() {
	if !mc.Live() {
		return
	}
	Lock()
	if s := mc.Node(); mc.Live() {
		relaxed.Store32(&s.Has, s.Has&^isClaimed)
	}
	Unlock()
}

// removeClaimed removes a claimed context.
func (mc Ref) removeClaimed(e *ending) bool {
	defer mc.unclaim()
	return mc.remove(e)
}

// resetClaimed resets a context unless it was deleted, or another goroutine claimed it and
// is about to delete it, since it was dropped.
func (mc Ref) resetClaimed(e *ending) {
	if anyDropped.Load() {
		Lock()
		mine := mc.Live() && mc.Node().claim()
		Unlock()
		if !mine {
			return
		}
		defer mc.unclaim()
	}
	if mc.Live() {
		mc.resetWithin(e)
	}
}

package palloc

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The deletion of dropped contexts, by a goroutine that owns nothing around them.
//
// Invariant: a dropped context is first taken out of the tree, so that no deletion of
// its ancestors comes by any more; cores are then taken back under the tree's lock.
// One such deletion may be at work inside at that moment, at a context that it marked
// isInHand under the lock: it is waited for. Only the deletion of what was dropped
// ever waits, so that nobody waits for themselves.
//
// Cost: the tree's lock, for up to 64 contexts at a time; for others a mark at each
// context with callbacks that a deletion of its ancestors comes by.

// limbo is where dropped contexts hang until they are deleted: a root of its own, whose
// handle nobody gets, so that nothing else can be hung there. The tree's lock guards it.
var limbo Context

// limboName is what the paths of dropped contexts begin with.
const limboName = "(dropped)"

// someTied says that there is a limbo.
var someTied atomic.Bool

// openLimbo makes the limbo, once, while running out of memory can still be told to
// somebody.
func openLimbo() {
	if someTied.Load() {
		return
	}
	tree.Lock()
	defer tree.Unlock()
	if limbo.core != nil {
		return
	}
	n := names.number(limboName)
	s, err := takeCore(n)
	if err != nil {
		panic(&OutOfMemoryError{Op: "Tie", Context: limboName, Size: kind.SlotSize, Err: err})
	}
	s.setName(n)
	s.open(allocset.ID, nil)
	s.Has = isPermanent
	limbo = handle(&s.Core)
	someTied.Store(true)
}

// Delete deletes the context and all below it; one that was deleted meanwhile is left
// alone. It is safe while contexts around it are deleted or reset. A callback of
// OnReset that panics does not keep the others from running; the error says what
// they panicked with. While it goes on the context is not in the tree below Top, and
// counts with no budget: Parent is the zero Context for it, and its Path begins with
// "(dropped)". What its callbacks create below it is deleted, too; what they move away
// from below it is not. In a callback of OnReset that comes by what somebody else is
// deleting, it returns, and another goroutine goes on. Any goroutine, if nobody uses the
// context.
//
// PostgreSQL: MemoryContextDelete.
func (d Dropped) Delete() error {
	const pause = 100 * time.Microsecond
	mc := d.Context
	openLimbo()
	if mc.detach() {
		mc.rebookBelow()
	}
	way := descent{top: mc, at: mc}
	defer way.end()
	var panics []error
	e, waits := ending{op: "Dropped.Delete"}, false
	for mc.Live() {
		switch leaf, cb, mine, fault := way.dismantle(&e); {
		case fault != nil:
			panics = append(panics, fault)
			leaf.letGo()
		case cb != nil:
			panics = append(panics, leaf.runContained(cb))
		case mine:
			leaf.empty()
		case leaf.core == nil:
		case !waits && inCallback(): // the hand may be this goroutine's
			go deleteDropped(d)
			return errors.Join(panics...)
		default: // in somebody's hand
			waits = true
			time.Sleep(pause)
		}
	}
	return errors.Join(panics...)
}

// inCallback reports whether the calling goroutine is in a callback of OnReset.
func inCallback() bool {
	var pcs [128]uintptr
	for skip := 2; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs[:])
		frames := runtime.CallersFrames(pcs[:n])
		for more := n > 0; more; {
			var f runtime.Frame
			f, more = frames.Next()
			if strings.HasSuffix(f.Function, ".Context.runCallbacks") || strings.HasSuffix(f.Function, ".Context.runContained") {
				return true
			}
		}
		if n < len(pcs) {
			return false
		}
	}
}

// detach takes the context out of the tree, into the limbo, and reports whether those
// below are to be taken off budgets.
func (mc Context) detach() (rebook bool) {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() {
		return false
	}
	s := mc.slot()
	if s.Has&isPermanent != 0 {
		panic(&Fault{Op: "Dropped.Delete", Context: pathOf(mc.core), Reason: "the context lives as long as the process"})
	}
	move(s, limbo.slot())
	return s.rebookFirst()
}

// dismantle removes contexts, children first, until none is left, or it comes to one
// that is not to be removed now, which it answers: it has a callback, which is to be
// run first, or dropped with the Fault, or many blocks, and then is in the caller's hand,
// or it is in another's.
func (d *descent) dismantle(e *ending) (leaf Context, cb *callback, mine bool, fault *Fault) {
	if !d.resume() {
		return leaf, nil, false, nil
	}
	defer tree.Unlock()
	s := d.at.slot()
	for n := 0; n < mostAtOnce && tree.step(1); n++ {
		var ok bool
		if s, ok = d.down(s); !ok || !s.tidy() {
			break
		}
		if s.dropParked(); s.FirstChild != 0 {
			break
		}
		leaf = handle(&s.Core)
		switch {
		case !leaf.owned() || s.Has&isInHand != 0:
			d.stop(s, true)
			return leaf, nil, false, nil
		case s.Has&hasCallbacks != 0:
			d.stop(s, true)
			s.takeInHand()
			cb, fault = leaf.takeCallback(e)
			return leaf, cb, true, fault
		case s.heavy():
			d.stop(s, true)
			s.takeInHand()
			return leaf, nil, true, nil
		}
		if s = s.reap(); leaf == d.top {
			d.leave()
			return Context{}, nil, false, nil
		}
	}
	d.stop(s, true)
	return Context{}, nil, false, nil
}

// empty gives back all but a small block of a context that is in hand, and lets go of it.
func (mc Context) empty() {
	defer mc.letGo()
	mc.slot().closeParts()
	kinds.Methods[mc.core.Kind()].Reset(mc.core)
}

// runContained runs a callback of a context that is in hand, and lets go of it.
func (mc Context) runContained(cb *callback) (err error) {
	defer mc.letGo()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a callback of OnReset panicked: %v\n%s", r, debug.Stack())
		}
	}()
	cb.run()
	return nil
}

// takeInHand marks a context, if it is one, that its caller will reset or remove when
// the lock is free. It says whether the caller is the first. The tree's lock must be
// held.
func (s *core) takeInHand() (first bool) {
	if !handle(&s.Core).owned() || s.Has&isInHand != 0 {
		return false
	}
	relaxed.Store32(&s.Has, s.Has|isInHand)
	return true
}

// letGo takes the mark off again, unless it went with the context.
func (mc Context) letGo() {
	if !mc.Live() {
		return
	}
	tree.Lock()
	if s := mc.slot(); mc.Live() {
		relaxed.Store32(&s.Has, s.Has&^isInHand)
	}
	tree.Unlock()
}

// removeInHand is remove of a context that is in hand.
func (mc Context) removeInHand(e *ending) bool {
	defer mc.letGo()
	return mc.remove(e)
}

// resetInHand is resetOnly of a context that may have been deleted, and that another
// goroutine may be about to delete if it was dropped: whoever has it in hand takes its
// chunks back.
func (mc Context) resetInHand(e *ending) {
	if someTied.Load() {
		tree.Lock()
		mine := mc.Live() && mc.slot().takeInHand()
		tree.Unlock()
		if !mine {
			return
		}
		defer mc.letGo()
	}
	if mc.Live() {
		mc.resetWithin(e)
	}
}

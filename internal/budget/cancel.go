package budget

import (
	"context"
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Waits that end with a context.Context.
//
// Invariant: the bit HasCancel of a node is set while cancels has its number.
//
// Cost: none but to the end of the context, and to a request that a limit refuses: a step
// for each context above.

// cancels has what CancelWaits was given, by node. The tree's lock guards it.
var cancels map[uint32]*cancelation

// cancelation is one call of CancelWaits.
type cancelation struct{ ctx context.Context }

// CancelWaits ends what an allocation from this context, or from one below it, does to have
// memory freed, once ctx is done. stop undoes that, and reports whether it was still so.
// Owner only.
func CancelWaits(mc tree.Ref, op string, ctx context.Context) (stop func() bool) {
	defer mc.LockToEnter(op, tree.HasCancel).Unlock()
	if cancels == nil {
		cancels = make(map[uint32]*cancelation)
	}
	c := &cancelation{ctx}
	cancels[mc.Core.Number()] = c
	return func() bool {
		tree.Lock()
		defer tree.Unlock()
		if !mc.Live() || cancels[mc.Core.Number()] != c {
			return false
		}
		dropCancel(mc.Node())
		return true
	}
}

// dropCancel removes the node's entry in cancels. The tree's lock must be held.
func dropCancel(s *tree.Node) {
	if s.Has&tree.HasCancel != 0 {
		delete(cancels, s.Number())
		relaxed.Store32(&s.Has, s.Has&^tree.HasCancel)
	}
}

// canceler is the context.Context of a request, which is looked for once.
type canceler struct {
	ctx    context.Context // nil: none
	looked bool
}

// find returns what CancelWaits was given for the context of c or the nearest one above it.
func (r *canceler) find(c *kind.Core) context.Context {
	if r.looked {
		return r.ctx
	}
	r.looked = true
	tree.Lock()
	defer tree.Unlock()
	for s := kind.Slot[tree.Node](c); ; s = tree.At(s.Parent) {
		if s.Has&tree.HasCancel != 0 {
			r.ctx = cancels[s.Number()].ctx
		}
		if r.ctx != nil || s.Parent == 0 {
			return r.ctx
		}
	}
}

// done returns a channel that is closed when the request is canceled; nil: it never is.
func (r *canceler) done(c *kind.Core) <-chan struct{} {
	if ctx := r.find(c); ctx != nil {
		return ctx.Done()
	}
	return nil
}

// err returns why the request is canceled, nil when it is not.
func (r *canceler) err(c *kind.Core) error {
	ctx := r.find(c)
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("the wait was canceled: %w: %w", ctx.Err(), cause)
	}
	return fmt.Errorf("the wait was canceled: %w", ctx.Err())
}

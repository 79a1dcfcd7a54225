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
// Invariant: the bit HasCancel of a node is set while the side table has its number.
//
// Cost: none but to the end of the context, and to a budget that is short: a step for each
// context above.

// CancelWaits ends what an allocation from this context, or from one below it, does to have
// memory freed, once ctx is done. stop takes it away and reports whether it was there.
func CancelWaits(mc tree.Ref, op string, ctx context.Context) (stop func() bool) {
	defer mc.LockToEnter(op, tree.HasCancel).Unlock()
	if cancels == nil {
		cancels = make(map[uint32]*cancelation)
	}
	c := &cancelation{ctx}
	cancels[mc.Core.Number()] = c
	return func() bool { return keepWaiting(mc, c) }
}

// cancels has them by node. The tree's lock guards it.
var cancels map[uint32]*cancelation

// cancelation is what CancelWaits was given.
type cancelation struct{ ctx context.Context }

// keepWaiting takes a cancelation away from a context that may be gone.
func keepWaiting(mc tree.Ref, c *cancelation) bool {
	tree.Lock()
	defer tree.Unlock()
	if !mc.Live() || cancels[mc.Core.Number()] != c {
		return false
	}
	forgetCancel(mc.Node())
	return true
}

// forgetCancel takes the cancelation away. The tree's lock must be held.
func forgetCancel(s *tree.Node) {
	if s.Has&tree.HasCancel != 0 {
		delete(cancels, s.Number())
		relaxed.Store32(&s.Has, s.Has&^tree.HasCancel)
	}
}

// canceler is the context.Context of a request, looked for once.
type canceler struct {
	ctx    context.Context
	looked bool
}

func (c *canceler) find(at *kind.Core) context.Context {
	if !c.looked {
		c.ctx, c.looked = canceledBy(at), true
	}
	return c.ctx
}

// canceledBy is what CancelWaits of the core or of the nearest one above it was given.
func canceledBy(at *kind.Core) context.Context {
	tree.Lock()
	defer tree.Unlock()
	for s := kind.Slot[tree.Node](at); ; s = tree.At(s.Parent) {
		if s.Has&tree.HasCancel != 0 {
			return cancels[s.Number()].ctx
		}
		if s.Parent == 0 {
			return nil
		}
	}
}

// done is closed when the request is canceled; nil when it never is.
func (c *canceler) done(at *kind.Core) <-chan struct{} {
	if ctx := c.find(at); ctx != nil {
		return ctx.Done()
	}
	return nil
}

// err is why the request is canceled, nil when it is not.
func (c *canceler) err(at *kind.Core) error {
	ctx := c.find(at)
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("the wait was canceled: %w: %w", ctx.Err(), cause)
	}
	return fmt.Errorf("the wait was canceled: %w", ctx.Err())
}

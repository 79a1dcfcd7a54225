package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/tree"
)

// Budgets: limits on what a context and all contexts below it hold together, and the most
// that it was.
//
// Invariant: Held is the sum of what the contexts of the subtree hold, to the byte. It is
// above the limit only where the limit was lowered, or a context moved in, while more was
// held.
//
// Cost: nothing on the hot paths, nor for contexts under no limit; for the others a lock
// at each block that is acquired or released, and a step for each budget around it.

// NoLimit is the limit of a budget that has none.
const NoLimit = budget.NoLimit

// Budget is what a context and all below it hold and may hold, in bytes of blocks,
// as TreeHeld counts them.
type Budget struct {
	Held      int64 // now
	Peak      int64 // at most since the budget was opened, or ResetPeak
	Limit     int64 // NoLimit: none
	SoftLimit int64 // NoLimit: none
}

// SetLimit bounds what the context and all contexts below it hold together, in
// bytes of blocks. Near the limit contexts take smaller blocks; what does not fit even
// so is asked of the callbacks of OnPressure, and then is an *OutOfMemoryError. A limit
// below what is held refuses new blocks and takes nothing back. NoLimit takes it away,
// and closes the budget unless SetSoftLimit, ResetPeak or a critical section need it:
// the contexts then cost what those without a budget do. A negative limit is a Fault.
// Contexts that other goroutines are allocating from at this moment are counted from
// their next block on. The first limit counts the contexts below one by one, and holds for
// all of them when SetLimit returns; nobody else waits meanwhile. Any goroutine.
func (mc Context) SetLimit(bytes int64) {
	mc.setLimit("Context.SetLimit", bytes, budget.SetLimit)
}

// SetSoftLimit bounds what the context and all below it hold before the callbacks
// of OnPressure are asked to free something. They are asked when the limit is passed.
// Above it they are asked again once what is held has grown by a 64th, or after it had
// fallen by a quarter or below the limit. What they do not free may be taken nevertheless, up to the
// limit of SetLimit. NoLimit takes it away, as SetLimit does; a negative one is a Fault.
// Any goroutine.
func (mc Context) SetSoftLimit(bytes int64) {
	mc.setLimit("Context.SetSoftLimit", bytes, budget.SetSoftLimit)
}

func (mc Context) setLimit(op string, bytes int64, set func(tree.Ref, string, int64)) {
	if mc.check(op); bytes < 0 {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: fmt.Sprintf("a limit of %d bytes: it is at least 0, or NoLimit", bytes)})
	}
	set(mc.ref, op, bytes)
}

// Budget is the context's budget. It is read in constant time where SetLimit,
// SetSoftLimit, ResetPeak or EnterCritical opened one; else Held is counted, and Peak
// is the same. Any goroutine.
func (mc Context) Budget() Budget { return mc.budget("Context.Budget") }

func (mc Context) budget(op string) Budget {
	if f, ok := budget.Read(mc.ref, op); ok {
		return Budget(f)
	}
	held := mc.sum(op)
	return Budget{held, held, NoLimit, NoLimit}
}

// Peak is the most that the context and all contexts below it held together, in
// bytes of blocks, since ResetPeak, or since SetLimit, SetSoftLimit or EnterCritical
// opened the budget. Without a budget nothing is recorded, and it is what is held now,
// which is counted. Any goroutine.
func (mc Context) Peak() int64 { return mc.budget("Context.Peak").Peak }

// ResetPeak makes what is held now the peak, and begins to record it: it opens a budget
// where there is none, which StopPeak closes. Any goroutine.
func (mc Context) ResetPeak() { budget.ResetPeak(mc.ref, "Context.ResetPeak") }

// StopPeak ends what ResetPeak began: the budget is closed unless it has a limit or a
// critical section needs it. Any goroutine.
func (mc Context) StopPeak() { budget.StopPeak(mc.ref, "Context.StopPeak") }

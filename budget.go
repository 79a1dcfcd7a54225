package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/tree"
)

// Budgets: limits on what a context and all contexts below it hold together, and the peak
// of that.
//
// Invariant: Held is the sum of what the contexts of the subtree hold, to the byte. It
// exceeds the limit only if the limit was lowered, or a context moved in, while more was
// held.
//
// Cost: nothing on the hot paths, nor for contexts under no limit; for the others a lock
// for each block that is acquired or released, and a step for each budget around it.

// NoLimit stands for no limit, in SetLimit, SetSoftLimit and Budget.
const NoLimit = budget.NoLimit

// A Budget is what a context and all contexts below it hold and may hold, in bytes of
// blocks, as TreeHeld counts them.
type Budget struct {
	Held      int64 // bytes held now
	Peak      int64 // the most that Held was since the budget was opened, or since ResetPeak
	Limit     int64 // the most that Held may be; NoLimit for no limit
	SoftLimit int64 // above this OnPressure's callbacks are called; NoLimit for no limit
}

// SetLimit bounds what the context and all contexts below it hold together, in bytes of
// blocks. Near the limit contexts acquire smaller blocks. If the limit would still be
// exceeded, the callbacks of OnPressure are called to free memory; if they free too little,
// the allocation fails with an *OutOfMemoryError. A limit below what is held refuses new
// blocks and takes nothing back. NoLimit removes the limit, and closes the budget unless
// SetSoftLimit, ResetPeak or a critical section needs it. Without a budget, blocks take no
// extra time and no peak is recorded. A negative limit is a Fault. Contexts from which other
// goroutines are allocating meanwhile are counted from their next block on. The first limit
// counts the contexts below one by one, holds for all of them when SetLimit returns, and
// blocks no other goroutine meanwhile. Any goroutine.
func (mc Context) SetLimit(bytes int64) {
	mc.setLimit("Context.SetLimit", bytes, budget.SetLimit)
}

// SetSoftLimit sets a limit, in bytes of blocks, on what the context and all contexts below
// it hold together. When it is passed, the callbacks of OnPressure are called to free
// memory; no allocation fails for it. They are not called for each block above it. After a
// call, the next one comes when what is held has grown by a 64th since. After what is held
// has fallen by a quarter, it comes when that has grown by a 64th again; after a fall to the
// limit or below, when the limit is passed again. NoLimit removes the limit, as for
// SetLimit; a negative number is a Fault. Any goroutine.
func (mc Context) SetSoftLimit(bytes int64) {
	mc.setLimit("Context.SetSoftLimit", bytes, budget.SetSoftLimit)
}

func (mc Context) setLimit(op string, bytes int64, set func(tree.Ref, string, int64)) {
	if mc.check(op); bytes < 0 {
		panic(raise(&Fault{Op: op, Context: mc.Path(), Reason: fmt.Sprintf("a limit of %d bytes: it must be at least 0, or NoLimit", bytes)}))
	}
	set(mc.ref, op, bytes)
}

// Budget returns the context's budget. It takes constant time if SetLimit, SetSoftLimit,
// ResetPeak or EnterCritical opened one; otherwise Held is counted in a step for each
// context, Peak is the same, and both limits are NoLimit. Any goroutine.
func (mc Context) Budget() Budget { return mc.budget("Context.Budget") }

func (mc Context) budget(op string) Budget {
	if f, ok := budget.Read(mc.ref, op); ok {
		return Budget(f)
	}
	held := mc.sum(op)
	return Budget{held, held, NoLimit, NoLimit}
}

// Peak returns the most that the context and all contexts below it held together, in bytes
// of blocks, since ResetPeak, or since SetLimit, SetSoftLimit or EnterCritical opened the
// budget. Without a budget nothing is recorded: Peak counts and returns what is held now.
// Any goroutine.
func (mc Context) Peak() int64 { return mc.budget("Context.Peak").Peak }

// ResetPeak sets the peak to what is held now, and begins to record it. It opens a budget
// if there is none; StopPeak closes it. Any goroutine.
func (mc Context) ResetPeak() { budget.ResetPeak(mc.ref, "Context.ResetPeak") }

// StopPeak ends the recording that ResetPeak began. It closes the budget, unless that has a
// limit or a critical section needs it. Any goroutine.
func (mc Context) StopPeak() { budget.StopPeak(mc.ref, "Context.StopPeak") }

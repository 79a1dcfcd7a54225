package palloc

import (
	"context"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
)

// Pressure: callbacks that free memory before a budget refuses an allocation, and the
// cancellation of waits for them.
//
// Invariant: callbacks run with no lock held, between two attempts of the same allocation.
// A callback is not called while it runs.
//
// Cost: a callback is a few words on Go's heap, and an entry in the list of each budget
// around it. Nothing else until a budget is short.

// A Pressure is the request to a callback of OnPressure.
type Pressure struct {
	// Need is how many bytes the callback should free: Missing, but at least a 64th of what
	// its context and all contexts below it hold, so that it is not called for each
	// allocation. If another context allocates, only whole blocks count, as in Held: a
	// callback that frees single chunks of 8 KiB or less must call Compact before it
	// returns. If that releases no block the callback is called again, with twice that 64th,
	// then four times and so on, until a block is released, it returns an error, or Need was
	// all that it holds.
	Need int64

	Missing int64   // bytes by which all waiting allocations would exceed the limit
	Held    int64   // bytes of blocks that the callback's context and those below it hold, of the first 256
	Asker   Context // the allocating context: read its Path and Ident, and do nothing else with it
	Limit   Context // the context whose limit, or soft limit, is reached
	Soft    bool    // whether that is its soft limit: the allocation then succeeds in any case
}

// A Reclaim reports the calls of one callback of OnPressure for an allocation that was
// refused in the end, and what they freed.
type Reclaim struct {
	Context string // path of the callback's context
	Ident   string // that context's Ident
	Place   string // the line that registered the callback
	Calls   int    // how often it was called
	Need    int64  // Pressure.Need of the last call
	Freed   int64  // bytes freed while it ran: below the limit, or in the allocating context
	Err     error  // its last error, or its panic; nil for none

	joins bool // whether Compact joins the freed chunks of the callback's context
}

// OnPressure registers a callback to free memory. It is called for the limits of this
// context and of all contexts above it: when a soft limit is passed, and before a limit
// refuses an allocation. The callback frees what it can, by freeing chunks, resetting or
// deleting contexts, or spilling to disk. What it freed is measured, and the allocation is
// tried again. The callbacks are called again as long as one of them released blocks, made
// more free in the allocating context, or called Compact: see Pressure.Need. The callback
// whose context holds most is called first. An error explains why little could be freed. It
// becomes part of the *OutOfMemoryError, if there is one, and so does a panic, which is
// recovered.
//
// The callback runs in the goroutine that allocates, which need not own this context: use
// OnPressureOwned to free what belongs to another goroutine. It must not reset or delete the
// allocating context (Pressure.Asker): the allocation would panic with a *Fault. The
// callback may allocate. Such an allocation may call other callbacks, but not this one
// again; an allocation in one of those calls none.
//
// Other goroutines that reach the same limit meanwhile wait until the callback returns, for
// up to 10 seconds. So it must not wait for a goroutine that may be allocating below that
// limit, nor for a lock that such a goroutine holds. A cache that goroutines share therefore
// belongs in a Shared context, and must not be locked while memory for it is allocated: then
// the callback may lock it. If that is impossible, the callback uses sync.Mutex.TryLock and
// returns an error if that fails. Then an allocation may be refused although the cache could
// free memory. When Asker is the context of the cache, TryLock always fails: the goroutine
// itself holds the lock.
//
// stop removes the callback and reports whether it was registered; a call in progress
// continues. The end of the context removes it, too. A nil free is a Fault. Any goroutine.
func (mc Context) OnPressure(free func(p Pressure) error) (stop func() bool) {
	return mc.listen("Context.OnPressure", false, free)
}

// OnPressureOwned works as OnPressure does, for a callback that uses what only the owner of the
// context may use: this context, and all contexts below it that are not Shared, belong to
// one goroutine. When the owner's own allocation reaches the limit, the callback runs as one
// of OnPressure. When another goroutine reaches the limit, it leaves a request for the
// owner. The owner runs the callback in its next allocation from one of these contexts that
// does not fit in the block at hand, while it waits for memory itself, or when it calls
// AnswerPressure. The requesting goroutine waits at most 100 milliseconds, counted from the
// request, for the owner to begin; then it goes on to the next callback. Once the callback
// has begun, it waits up to 10 seconds, as for one of OnPressure. An owner that may go for
// longer than 100 milliseconds without such an allocation calls AnswerPressure in between. A
// Shared context is a Fault. Any goroutine, but not while the owner hands the context over.
func (mc Context) OnPressureOwned(free func(p Pressure) error) (stop func() bool) {
	const op = "Context.OnPressureOwned"
	mc.check(op)
	if kind.KindOf(mc.ref.Epoch).IsConcurrent() {
		panic(raise(&Fault{Op: op, Context: mc.Path(), Reason: "a Shared context has no owner: use OnPressure"}))
	}
	return mc.listen(op, true, free)
}

func (mc Context) listen(op string, owned bool, free func(p Pressure) error) (stop func() bool) {
	if mc.check(op); free == nil {
		panic(raise(&Fault{Op: op, Context: mc.Path(), Reason: "the function is nil"}))
	}
	return budget.Listen(mc.ref, op, owned, func(p budget.Pressure) error {
		return free(Pressure{p.Need, p.Missing, p.Held, Context{p.Asker}, Context{p.Limit}, p.Soft})
	})
}

// AnswerPressure runs the callbacks of OnPressureOwned of this context, and of those above
// it, that other goroutines requested and that have not run yet. It reports whether there
// were any. A goroutine that owns contexts and allocates seldom should call it from time to
// time: without a request it only reads a few words. Owner only.
//
// PostgreSQL: CHECK_FOR_INTERRUPTS, ProcessLogMemoryContextInterrupt.
func (mc Context) AnswerPressure() (answered bool) {
	if !budget.HasOwnerRequests() && mc.Live() {
		return false
	}
	return mc.answerPressure()
}

// answerPressure is separate so that AnswerPressure can be inlined.
func (mc Context) answerPressure() (answered bool) {
	mc.check("Context.AnswerPressure")
	return budget.Answer(mc.ref)
}

// CancelWaits makes allocations from this context and from those below it give up once ctx
// is done: they no longer wait for other goroutines to free memory, and call no more
// callbacks of OnPressure; a callback that runs is not interrupted. They fail with an
// *OutOfMemoryError that wraps ctx's Err and its Cause. Later allocations that reach a limit
// fail in the same way, so use it for a context that lives no longer than ctx, such as a
// request's. CancelWaits itself frees and resets nothing. A second call replaces the first.
// stop removes it, and reports whether it was still in force; the end of the context removes
// it, too. A nil ctx is a Fault. Owner only; stop, too.
//
// PostgreSQL: the cancellation of a query, for waits of this kind.
func (mc Context) CancelWaits(ctx context.Context) (stop func() bool) {
	const op = "Context.CancelWaits"
	if mc.check(op); ctx == nil {
		panic(raise(&Fault{Op: op, Context: mc.Path(), Reason: "the context.Context is nil"}))
	}
	return budget.CancelWaits(mc.ref, op, ctx)
}

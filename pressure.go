package palloc

import (
	"context"

	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/shared"
)

// Pressure: callbacks that free memory before a budget refuses, and the end of waits for
// them.
//
// Invariant: callbacks run with no lock held, between two attempts of the same allocation.
// One that runs is not run again meanwhile.
//
// Cost: a callback is a few words on Go's heap, and a place in the list of each budget
// around it. Nothing else until a budget is short.

// Pressure says what is asked of a callback of OnPressure.
type Pressure struct {
	// Need is how many bytes the callback should free: those that are missing, and at
	// least a 64th of what its context and all below it hold, so that it is not asked for
	// each allocation. If another context allocates, only whole blocks count, as
	// Held does: so a callback that frees single chunks of 8 KiB or less calls
	// Compact before it returns. If that frees no whole block the callback is asked again,
	// for twice as much each time, until a block is free, it returns an error, or it was
	// asked for all that it holds.
	Need int64

	Missing int64   // bytes that are missing below the limit, for all who wait
	Held    int64   // bytes that the callback's context and all below it hold, the first 256 contexts of them
	Asker   Context // the context that is allocating: read its Path and Ident, and leave it alone
	Limit   Context // the context whose limit is reached
	Soft    bool    // that is its soft limit: what is not freed is allowed nevertheless
}

// Reclaim is what a callback of OnPressure was asked for an allocation that was then
// refused, and what it did.
type Reclaim struct {
	Context string // path of the callback's context
	Ident   string // its ident
	Place   string // the line that registered the callback
	Calls   int    // how often it was asked
	Need    int64  // bytes that it was asked for the last time
	Freed   int64  // bytes that came free while it ran: below the limit, or in the context that asked
	Err     error  // its last error, or what it panicked with; nil none

	allocSet bool // the callback's context is an AllocSet
}

// OnPressure registers a function to be asked when a budget that the context is
// under is short: when its soft limit is passed, and before its limit refuses. The
// function frees what it can, by freeing chunks, resetting or deleting contexts, or
// spilling. What that gave back is counted, not believed: the allocation is tried
// again. The callbacks are asked again as long as one of them gave blocks back, made
// more free in the context that allocates, or called Compact: see Pressure.Need. Of
// several the one whose context holds most is asked first. An error says why little could
// be freed; it and a panic, which is contained, become part of the *OutOfMemoryError if
// there is one.
//
// The function runs in the goroutine that allocates. That need not be the owner of this
// context: what another goroutine uses is freed by a function of OnPressureOwned. It must
// not reset or delete the context that allocates (Pressure.Asker), which makes the
// allocation panic with a *Fault. It may allocate: that may have the other functions
// asked, though not this one, and an allocation in one of those has none asked.
//
// Others who reach the same limit meanwhile wait until the function returns, up to 10
// seconds. So it must not wait for whoever may be allocating below that limit, nor for a
// lock that such a goroutine holds. A cache that goroutines share therefore lies in a
// Shared context, and is not locked while memory for it is allocated: then the function
// may lock it. Where that cannot be, it uses sync.Mutex.TryLock and returns an error if
// that fails, which may refuse an allocation though the cache is full; and it finds the
// lock held by its own goroutine when Asker is the context of the cache.
//
// stop takes the function away and says whether it was still there; the end of the
// context does so, too. If it runs at this moment it runs to its end. It is a Fault when
// free is nil. Any goroutine.
func (mc Context) OnPressure(free func(p Pressure) error) (stop func() bool) {
	return mc.listen("Context.OnPressure", false, free)
}

// OnPressureOwned is OnPressure for a function that uses what only the owner of the
// context may use: this context, and all below it that are not Shared, belong to one
// goroutine, as a shard does. Where that allocates itself, the function runs as one of
// OnPressure. Where another goroutine reaches the limit, the request is left with the
// owner, who answers it when an allocation from one of these contexts next needs more
// than its block has, while one waits, or with AnswerPressure. Who asked waits up to
// 100 milliseconds, counted from when the request was left, for the owner to begin, and
// else goes on to the next; a function that has begun is waited for as one of OnPressure
// is. An owner that may be away for longer calls AnswerPressure in between. It is a
// Fault when the context is Shared. Any goroutine, at a time when the owner is not about
// to hand the context on.
func (mc Context) OnPressureOwned(free func(p Pressure) error) (stop func() bool) {
	const op = "Context.OnPressureOwned"
	mc.check(op)
	if kind.KindOf(mc.ref.Epoch) == shared.ID {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: "a Shared context has no owner: use OnPressure"})
	}
	return mc.listen(op, true, free)
}

func (mc Context) listen(op string, owned bool, free func(p Pressure) error) (stop func() bool) {
	if mc.check(op); free == nil {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: "the function is nil"})
	}
	return budget.Listen(mc.ref, op, owned, func(p budget.Pressure) error {
		return free(Pressure{p.Need, p.Missing, p.Held, Context{p.Asker}, Context{p.Limit}, p.Soft})
	})
}

// AnswerPressure runs the functions of OnPressureOwned of this context, and of those
// above it, that other goroutines have asked for and that were not run yet, and says
// whether there were any. A goroutine that owns contexts and allocates seldom calls it
// from time to time: it is a few loads when nothing is asked. Owner only.
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

// CancelWaits ends what an allocation from this context, or from one below it, does to
// have memory freed, once ctx is done: waiting for others, and the callbacks of
// OnPressure but for one that runs. The allocation is then refused with an
// *OutOfMemoryError that wraps the ctx's Err and its Cause, as is one that begins
// later, if a limit is reached: so it is for a context that lives no longer than ctx,
// as that of a request. It frees and resets nothing. A second call takes the
// place of the first. stop takes it away and says whether it was still there; the end
// of the context does so, too. A nil ctx is a Fault. Owner only; stop too.
//
// PostgreSQL: a query that is canceled, for waits of this kind.
func (mc Context) CancelWaits(ctx context.Context) (stop func() bool) {
	const op = "Context.CancelWaits"
	if mc.check(op); ctx == nil {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: "the context.Context is nil"})
	}
	return budget.CancelWaits(mc.ref, op, ctx)
}

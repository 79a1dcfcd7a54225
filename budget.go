package palloc

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Budgets: limits on what a context and all contexts below it hold together, and
// how much that was at most.
//
// Invariant: an account's held is the sum of what the contexts of its subtree hold,
// to the byte; it passes the limit only where the limit was lowered, or a context
// moved in, while more was held. A context's ledger names the innermost account that
// it is under, its own if it has one. The lock is taken inside the tree's.
//
// Cost: nothing on the hot paths and for contexts under no limit; for the others a
// lock at each purchase and each sale of a block, and a step for each account that
// is around it.
var budgets struct {
	sync.Mutex
	ledgers  sideTable[ledger]
	accounts map[uint32]*account // by the number of the context
	changing int                 // on how many ways somebody is who puts contexts under others: see rebookBelow
	changes  uint64              // how many contexts were
}

// account is the budget of a subtree.
type account struct {
	owner      Context
	outer      *account // around this one, nil at the outermost
	held, peak atomic.Int64
	limit      int64
	soft       int64
	critical   int           // critical sections that are open
	opened     chan struct{} // closed once all contexts of the subtree are under it
	trades     uint64        // how often held changed
}

// ledger is what is known of a context under an account.
type ledger struct {
	account *account
	charged int64 // what the context holds, as the accounts know it
	pressed int   // attempts that are under way after the listeners were asked: go on
	// panicked is what one of them panicked with.
	panicked error
}

func init() { kind.Gate = admitPurchase }

// NoLimit is the limit of a budget that has none.
const NoLimit = math.MaxInt64

// Budget is what a context and all below it hold and may hold, in bytes of blocks,
// as MemAllocated counts them.
type Budget struct {
	Held      int64 // now
	Peak      int64 // at most since the budget was opened, or ResetPeak
	Limit     int64 // NoLimit: none
	SoftLimit int64 // NoLimit: none
}

// SetLimit bounds what the context and all contexts below it hold together, in
// bytes of blocks. Near the limit contexts buy smaller blocks; what does not fit is
// an *OutOfMemoryError. A limit below what is held refuses purchases and takes
// nothing back. NoLimit takes it away; a negative one is a Fault. The first limit counts
// the contexts below one by one, and holds for all of them when SetLimit returns; nobody
// else waits meanwhile. Contexts that other goroutines are allocating from at this moment
// are counted from their next purchase on. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) SetLimit(bytes int64) {
	mc.setLimit("Context.SetLimit", bytes, func(a *account) { a.limit = bytes })
}

// SetSoftLimit bounds what the context and all below it hold before the callbacks
// of OnPressure are asked to free something. What they do not free may be bought
// nevertheless, up to the limit. NoLimit takes it away; a negative one is a Fault.
// Any goroutine.
//
// PostgreSQL has none.
func (mc Context) SetSoftLimit(bytes int64) {
	mc.setLimit("Context.SetSoftLimit", bytes, func(a *account) { a.soft = bytes })
}

func (mc Context) setLimit(op string, bytes int64, set func(*account)) {
	if mc.check(op); bytes < 0 {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: fmt.Sprintf("a limit of %d bytes: it is at least 0, or NoLimit", bytes)})
	}
	mc.withAccount(op, set)
}

// Budget is the context's budget. It is read in constant time where SetLimit,
// SetSoftLimit, Peak or ResetPeak opened one; else Held is counted, and Peak is the
// same. Any goroutine.
func (mc Context) Budget() Budget {
	l := mc.lock("Context.Budget")
	a := mc.slot().account()
	l.unlock()
	if a != nil {
		<-a.opened
		budgets.Lock()
		defer budgets.Unlock()
		return Budget{a.held.Load(), a.peak.Load(), a.limit, a.soft}
	}
	held := mc.sum("Context.Budget")
	return Budget{held, held, NoLimit, NoLimit}
}

// Peak is the most that the context and all contexts below it held together, in
// bytes of blocks, since a budget was opened or ResetPeak called. The first call
// opens the budget. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) Peak() (bytes int64) {
	mc.withAccount("Context.Peak", func(a *account) { bytes = a.peak.Load() })
	return bytes
}

// ResetPeak makes what is held now the peak. Any goroutine.
func (mc Context) ResetPeak() {
	mc.withAccount("Context.ResetPeak", func(a *account) { a.peak.Store(a.held.Load()) })
}

// shortage is the error of a purchase that a budget does not allow.
type shortage struct {
	account *account
	held    int64 // by the account
	more    int64 // what was to be bought
	bound   int64 // the limit that it would have passed
	soft    bool  // that is the soft one
	cause   error // a panic of a callback that was asked, nil: none
}

func (r *shortage) Error() string {
	return fmt.Sprintf("%d bytes more than the %d that are held would pass the limit of %d", r.more, r.held, r.bound)
}

func (r *shortage) Unwrap() error { return r.cause }

// admitPurchase is the gate of guarded contexts: c is to hold so many bytes.
func admitPurchase(c *kind.Core, holds uintptr) error {
	budgets.Lock()
	defer budgets.Unlock()
	l := budgets.ledgers.at(c.Number())
	more := int64(holds) - l.charged
	if more > 0 {
		if err := l.refuses(c, more); err != nil {
			return err
		}
	}
	l.charge(more)
	return nil
}

// refuses is why a context may not buy more bytes, nil when it may.
func (l *ledger) refuses(c *kind.Core, more int64) error {
	for a := l.account; a != nil; a = a.outer {
		held := a.held.Load()
		switch {
		case a.critical > 0 && relaxed.Load32(&c.Has)&allowsCritical == 0:
			return kind.Misuse("a critical section is open: nothing is bought wholesale in it, but by contexts of AllowInCriticalSection")
		case more > a.limit-held:
			return &shortage{a, held, more, a.limit, false, l.panicked}
		case more > a.soft-held && l.pressed == 0:
			return &shortage{a, held, more, a.soft, true, nil}
		}
	}
	return nil
}

// charge counts bytes more, or less, with all accounts around the context.
func (l *ledger) charge(more int64) {
	l.charged += more
	l.account.add(more)
}

// add counts bytes with an account and all around it.
func (a *account) add(more int64) {
	for ; a != nil; a = a.outer {
		a.trades++
		held := a.held.Add(more)
		a.peak.Store(max(a.peak.Load(), held))
	}
}

// held is what the context and all below it hold. The tree's lock must be held.
func (mc Context) held() (sum int64) {
	if a := mc.slot().account(); a != nil {
		return a.held.Load()
	}
	for s := mc.slot(); s != nil; s = s.after(mc.slot()) {
		sum += int64(relaxed.Load(&s.Total))
	}
	return sum
}

// account is the context's own account, nil when it has none. The tree's lock must
// be held.
func (s *core) account() *account {
	if s.Has&hasAccount == 0 {
		return nil
	}
	return budgets.accounts[s.Number()]
}

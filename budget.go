package palloc

import (
	"fmt"
	"math"
	"slices"
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

	routines routineTable // goroutines that ask for others, or wait
	presses  uint64       // how many have begun
}

// account is the budget of a subtree. The lock of budgets guards all but the atomics.
type account struct {
	owner      Context
	outer      *account // around this one, nil at the outermost
	held, peak atomic.Int64
	limit      int64
	soft       int64
	heed       int64 // beyond which the callbacks are asked: the soft limit, or more once it is passed
	critical   int   // critical sections that are open
	recording  bool  // of the peak, by ResetPeak
	released   int64 // bytes given back, ever

	listeners listenerSet // of the contexts below it, at any depth
	press     *press      // the goroutine that has them asked, nil none
	wanted    int64       // bytes that others want who wait for its end

	opened chan struct{} // closed once all contexts of the subtree are under it
	trades uint64        // how often held changed
}

// ledger is what is known of a context under an account.
type ledger struct {
	account *account
	charged int64 // what the context holds, as the accounts know it
}

func init() { kind.CheckLimit = admitPurchase }

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
// bytes of blocks. Near the limit contexts take smaller blocks; what does not fit even
// so is asked of the callbacks of OnPressure, and then is an *OutOfMemoryError. A limit
// below what is held refuses new blocks and takes nothing back. NoLimit takes it away,
// and closes the budget unless SetSoftLimit, ResetPeak or a critical section need it:
// the contexts then cost what those without a budget do. A negative limit is a Fault.
// Contexts that other goroutines are allocating from at this moment are counted from
// their next block on. The first limit counts the contexts below one by one, and holds for
// all of them when SetLimit returns; nobody else waits meanwhile. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) SetLimit(bytes int64) {
	mc.setLimit("Context.SetLimit", bytes, func(a *account) { a.limit = bytes })
}

// SetSoftLimit bounds what the context and all below it hold before the callbacks
// of OnPressure are asked to free something. They are asked when the limit is passed.
// Above it they are asked again once what is held has grown by a 64th, or after it had
// fallen by a quarter or below the limit. What they do not free may be taken nevertheless, up to the
// limit of SetLimit. NoLimit takes it away, as SetLimit does; a negative one is a Fault.
// Any goroutine.
//
// PostgreSQL has none.
func (mc Context) SetSoftLimit(bytes int64) {
	mc.setLimit("Context.SetSoftLimit", bytes, func(a *account) { a.soft, a.heed = bytes, bytes })
}

func (mc Context) setLimit(op string, bytes int64, set func(*account)) {
	if mc.check(op); bytes < 0 {
		panic(&Fault{Op: op, Context: mc.Path(), Reason: fmt.Sprintf("a limit of %d bytes: it is at least 0, or NoLimit", bytes)})
	}
	if bytes == NoLimit {
		mc.lift(op, set)
		return
	}
	mc.withAccount(op, set)
}

// lift takes something away from the budget, and the budget if nobody needs the rest.
func (mc Context) lift(op string, what func(*account)) {
	if mc.closeAccount(op, what) {
		mc.rebookBelow()
	}
}

// needed says whether somebody relies on the account.
func (a *account) needed() bool {
	return a.limit != NoLimit || a.soft != NoLimit || a.critical > 0 || a.recording
}

// Budget is the context's budget. It is read in constant time where SetLimit,
// SetSoftLimit, ResetPeak or EnterCritical opened one; else Held is counted, and Peak
// is the same. Any goroutine.
func (mc Context) Budget() Budget { return mc.budget("Context.Budget") }

func (mc Context) budget(op string) Budget {
	l := mc.lock(op)
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
// bytes of blocks, since ResetPeak, or since SetLimit, SetSoftLimit or EnterCritical
// opened the budget. Without a budget nothing is recorded, and it is what is held now,
// which is counted. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) Peak() int64 { return mc.budget("Context.Peak").Peak }

// ResetPeak makes what is held now the peak, and begins to record it: it opens a budget
// where there is none, which StopPeak closes. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) ResetPeak() {
	mc.withAccount("Context.ResetPeak", func(a *account) {
		a.recording = true
		a.peak.Store(a.held.Load())
	})
}

// StopPeak ends what ResetPeak began: the budget is closed unless it has a limit or a
// critical section needs it. Any goroutine.
//
// PostgreSQL has none.
func (mc Context) StopPeak() {
	mc.lift("Context.StopPeak", func(a *account) { a.recording = false })
}

// admitPurchase is the gate of guarded contexts: c is to hold so many bytes.
func admitPurchase(c *kind.Core, holds uintptr) error {
	budgets.Lock()
	defer budgets.Unlock()
	l := budgets.ledgers.at(c.Number())
	if l.account == nil {
		return nil // the budget was closed since c was asked whether it has one
	}
	more := int64(holds) - l.charged
	if more > 0 {
		if err := l.refuses(c, more); err != nil {
			return err
		}
	}
	l.charge(more)
	return nil
}

// refuses is why a context may not take more bytes, nil when it may.
func (l *ledger) refuses(c *kind.Core, more int64) error {
	for a := l.account; a != nil; a = a.outer {
		held := a.held.Load()
		switch {
		case a.critical > 0 && relaxed.Load32(&c.Has)&allowsCritical == 0:
			return kind.Misuse("a critical section is open: nothing is bought wholesale in it, but by contexts of AllowInCriticalSection")
		case more > a.room(c):
			return &shortage{account: a, held: held, more: more, bound: a.limit}
		case more > a.heed-held:
			return &shortage{account: a, held: held, more: more, bound: a.soft, soft: true}
		}
	}
	return nil
}

// room is how many bytes more the account allows the core: of what is left some may be
// set aside for others. The lock of budgets must be held.
func (a *account) room(c *kind.Core) int64 {
	left := a.limit - a.held.Load()
	if p := a.press; p != nil && !slices.Contains(p.favored, c) {
		left -= p.aside
	}
	return left
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
		if more < 0 {
			a.released -= more
			a.calm(held)
		}
	}
}

// askedPart is the part of what is held that callbacks are asked for at least, and
// by which that must have grown before those of a soft limit are asked again.
const askedPart = 64

// calm lowers what the callbacks of a passed soft limit are next asked at, when
// much less is held than that.
func (a *account) calm(held int64) {
	switch {
	case a.heed == a.soft:
	case held <= a.soft:
		a.heed = a.soft
	case held < a.heed-a.heed/4:
		a.heed = held + held/askedPart
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

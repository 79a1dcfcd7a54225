package budget

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// Accounts, and what contexts are charged to them.
//
// Invariant: an account's held is the sum of what the contexts of its subtree are charged,
// to the byte. It is above the limit only where the limit was lowered, or a context moved
// in, while more was held. The lock of budgets is taken inside the tree's.
//
// Cost: nothing on the hot paths, nor for contexts under no limit. For the others a lock at
// each block that is acquired or released, and a step for each account around it.

// NoLimit is the limit of a budget that has none.
const NoLimit = math.MaxInt64

// account is the budget of a subtree. The lock of budgets guards all but the atomics.
type account struct {
	owner      tree.Ref
	parent     *account // the next one around this one; nil: none
	held, peak atomic.Int64
	limit      int64
	soft       int64
	watermark  int64         // above which callbacks run for the soft limit: that limit, or more once it was passed
	critical   int           // open critical sections
	entered    *tree.Callers // who opened the first of them
	recording  bool          // of the peak, by ResetPeak
	released   int64         // bytes released since the account was opened
	changes    uint64        // of held

	listeners listenerSet // of the contexts below it, at any depth
	reclaimer *reclaimer  // nil: none
	demand    int64       // bytes that the requests need that wait for the reclaimer

	opened chan struct{} // closed once all contexts of the subtree are charged to it
}

// charge is what a context is charged, and to which account.
type charge struct {
	account *account // the innermost one; nil: none
	bytes   int64
}

// budgets has all accounts.
var budgets struct {
	sync.Mutex
	charges    tree.SideTable[charge]
	accounts   map[uint32]*account // by the number of the context's node
	rechargers int                 // goroutines that recharge what is below a context: see RechargeBelow
	recharges  uint64              // contexts that were charged to another account than before

	goroutines goroutineTable
	reclaimers uint64 // how many there were
}

// ownAccount returns the context's own account, nil when it has none. The tree's lock must
// be held.
func ownAccount(s *tree.Node) *account {
	if s.Has&tree.HasAccount == 0 {
		return nil
	}
	return budgets.accounts[s.Number()]
}

// isNeeded reports whether the account has a limit, a critical section, or records a peak.
func (a *account) isNeeded() bool {
	return a.limit != NoLimit || a.soft != NoLimit || a.critical > 0 || a.recording
}

// isWithin reports whether the account is b, or b is around it.
func (a *account) isWithin(b *account) bool {
	for ; a != nil; a = a.parent {
		if a == b {
			return true
		}
	}
	return false
}

// reserve charges a context for what it is about to hold, in bytes, or returns the error of
// a limit that refuses it. It is kind.CheckLimit.
func reserve(c *kind.Core, holds uintptr) error {
	budgets.Lock()
	defer budgets.Unlock()
	ch := budgets.charges.At(c.Number())
	if ch.account == nil {
		return nil // the budget was closed since c was found to be limited
	}
	more := int64(holds) - ch.bytes
	if more > 0 {
		if err := ch.check(c, more); err != nil {
			return err
		}
	}
	ch.add(more)
	return nil
}

// check returns why the context may not hold more bytes, nil when it may.
func (ch *charge) check(c *kind.Core, more int64) error {
	for a := ch.account; a != nil; a = a.parent {
		held := a.held.Load()
		switch {
		case a.critical > 0 && relaxed.Load32(&c.Has)&tree.AllowsCritical == 0:
			return kind.Misuse("a critical section is open: in it only contexts with AllowInCriticalSection acquire blocks; " +
				"it was opened at " + a.entered.Line())
		case more > a.available(c):
			return &LimitError{account: a, Held: held, More: more, Limit: a.limit}
		case more > a.watermark-held:
			return &LimitError{account: a, Held: held, More: more, Limit: a.soft, soft: true}
		}
	}
	return nil
}

// available returns how many bytes more the limit allows the context of c, without what a
// reclaimer reserved for others. The lock of budgets must be held.
func (a *account) available(c *kind.Core) int64 {
	left := a.limit - a.held.Load()
	if p := a.reclaimer; p != nil && !slices.Contains(p.entitled, c) {
		left -= p.reserved
	}
	return left
}

// add charges the context more bytes, or fewer.
func (ch *charge) add(more int64) {
	ch.bytes += more
	ch.account.add(more)
}

// add adds bytes to what the account and all around it hold. A nil account is none.
func (a *account) add(more int64) { a.addWithin(nil, more) }

// transfer moves bytes from what one account and all around it hold to another. An account
// around both holds the same as before, and has released nothing.
func transfer(from, to *account, bytes int64) {
	both := commonAround(from, to)
	from.addWithin(both, -bytes)
	to.addWithin(both, bytes)
}

// commonAround returns the innermost account that is, or is around, each of two; nil: none.
func commonAround(a, b *account) *account {
	n, m := a.level(), b.level()
	for ; n > m; n-- {
		a = a.parent
	}
	for ; m > n; m-- {
		b = b.parent
	}
	for a != b {
		a, b = a.parent, b.parent
	}
	return a
}

// level returns the number of accounts around the account, itself included.
func (a *account) level() (n int) {
	for ; a != nil; a = a.parent {
		n++
	}
	return n
}

// addWithin is add for the accounts inside another one, which is around the account or nil.
func (a *account) addWithin(outer *account, more int64) {
	for ; a != outer; a = a.parent {
		a.changes++
		held := a.held.Add(more)
		a.peak.Store(max(a.peak.Load(), held))
		if more < 0 {
			a.released -= more
			a.lowerWatermark(held)
		}
	}
}

// releases returns how many bytes were released since the account was opened.
func (a *account) releases() int64 {
	budgets.Lock()
	defer budgets.Unlock()
	return a.released
}

// missing returns how many bytes are missing below the limit that refused: for the request,
// and for those that wait unless the limit is soft.
func (a *account) missing(s *LimitError) int64 {
	budgets.Lock()
	defer budgets.Unlock()
	if s.soft {
		return a.held.Load() + s.More - a.soft
	}
	return a.held.Load() + s.More + a.demand - a.limit
}

// isClosed reports whether the account is no longer that of its context.
func (a *account) isClosed() bool {
	budgets.Lock()
	defer budgets.Unlock()
	return budgets.accounts[a.owner.Core.Number()] != a
}

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
	ledgers  tree.SideTable[ledger]
	accounts map[uint32]*account // by the number of the context
	changing int                 // on how many ways somebody is who puts contexts under others: see rebookBelow
	changes  uint64              // how many contexts were

	routines routineTable // goroutines that ask for others, or wait
	presses  uint64       // how many have begun
}

// account is the budget of a subtree. The lock of budgets guards all but the atomics.
type account struct {
	owner      tree.Ref
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

// NoLimit is the limit of a budget that has none.
const NoLimit = math.MaxInt64

// needed says whether somebody relies on the account.
func (a *account) needed() bool {
	return a.limit != NoLimit || a.soft != NoLimit || a.critical > 0 || a.recording
}

// admitPurchase is the gate of guarded contexts: c is to hold so many bytes.
func reserve(c *kind.Core, holds uintptr) error {
	budgets.Lock()
	defer budgets.Unlock()
	l := budgets.ledgers.At(c.Number())
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
		case a.critical > 0 && relaxed.Load32(&c.Has)&tree.AllowsCritical == 0:
			return kind.Misuse("a critical section is open: nothing is bought wholesale in it, but by contexts of AllowInCriticalSection")
		case more > a.room(c):
			return &Shortage{account: a, Held: held, More: more, Bound: a.limit}
		case more > a.heed-held:
			return &Shortage{account: a, Held: held, More: more, Bound: a.soft, soft: true}
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

// account is the context's own account, nil when it has none. The tree's lock must
// be held.
func accountOf(s *tree.Node) *account {
	if s.Has&tree.HasAccount == 0 {
		return nil
	}
	return budgets.accounts[s.Number()]
}

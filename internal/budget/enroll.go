package budget

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// How contexts come under accounts, and leave them.
//
// Invariant: a context belongs under its own account, else under the one its parent is
// under. Where an account is opened, or a context moved, all that is below comes under
// the right account by and by: each context is charged to one account, and those around
// that, at any moment, and is under the wrong one only as long as somebody is on the way
// to it, who began above and goes on with whatever was put right. Both locks, the tree's
// and the budgets', are held for each context that is put right.
//
// Cost: a step for each context of the subtree that gets an account, or moves; none for
// what is below another account in it.

// Rebook puts what is below a context that was moved under the account that it belongs under
// now. It follows a move that returned true.
func Rebook(mc tree.Ref) { rebookBelow(mc) }

// withAccount opens the context's account, if it has none, waits until all contexts below
// are under it, and calls do under the budgets' lock.
func withAccount(mc tree.Ref, op string, do func(*account)) {
	for !tryAccount(mc, op, do) { // somebody closed it meanwhile
	}
}

func tryAccount(mc tree.Ref, op string, do func(*account)) (done bool) {
	a, opener := openAccount(mc, op)
	if opener {
		rebookBelow(mc)
		close(a.opened)
	}
	<-a.opened
	budgets.Lock()
	defer budgets.Unlock()
	if budgets.accounts[mc.Core.Number()] != a {
		return false
	}
	do(a)
	return true
}

// openAccount is the context's own account, and whether it was made just now: the caller
// then is to bring those below under it, and to say so.
func openAccount(mc tree.Ref, op string) (a *account, opener bool) {
	defer mc.LockToEnter(op, tree.HasAccount).Unlock()
	s := mc.Node()
	if a = accountOf(s); a != nil {
		return a, false
	}
	a = &account{owner: mc, outer: around(s), limit: NoLimit, soft: NoLimit, heed: NoLimit, opened: make(chan struct{})}
	if budgets.accounts == nil {
		budgets.accounts = make(map[uint32]*account)
	}
	budgets.Lock()
	budgets.accounts[s.Number()] = a
	budgets.Unlock()
	rebookFirst(s)
	return a, true
}

// closeAccount does something to the context's own account, if it has one, and closes it
// unless somebody needs it. It reports whether those below are to come under the account
// around it: rebookBelow.
func closeAccount(mc tree.Ref, op string, do func(*account)) (rebook bool) {
	defer mc.Lock(op).Unlock()
	s := mc.Node()
	a := accountOf(s)
	if a == nil {
		return false
	}
	budgets.Lock()
	do(a)
	needed := a.needed()
	if !needed {
		delete(budgets.accounts, s.Number())
		relaxed.Store32(&s.Has, s.Has&^tree.HasAccount)
	}
	budgets.Unlock()
	return !needed && rebookFirst(s)
}

// innermost is the account that the context is under, nil when there is none.
func innermost(s *tree.Node) *account {
	if s.Has&kind.Limited == 0 {
		return nil
	}
	return budgets.ledgers.At(s.Number()).account
}

// around is the account that the context is under but for its own.
func around(s *tree.Node) *account {
	if s.Parent == 0 {
		return nil
	}
	return innermost(tree.At(s.Parent))
}

// rebook puts a context, or a core that is about to be one, under the account that it
// belongs under, and reports whether it was under another one, so that those below it are
// to be put right, too. The tree's lock must be held, the budgets' not.
func rebook(s *tree.Node) (changed bool) {
	from, around, own := innermost(s), around(s), accountOf(s)
	to := around
	if own != nil {
		to = own
	}
	if from == to && (own == nil || own.outer == around) {
		return false
	}
	budgets.Lock()
	defer budgets.Unlock()
	if own != nil && own.outer != around {
		held := own.held.Load()
		own.outer.add(-held)
		refile(own.listeners.list, own.outer, around)
		own.outer = around
		around.add(held)
	}
	if from == to {
		return false
	}
	budgets.changes++
	refile(listeners[s.Number()], from, to)
	l := budgets.ledgers.At(s.Number())
	if from == nil {
		atomic.StoreUint32(&s.Has, s.Has|kind.Limited) // and a fence: a release from now on is reported
		l.charged = int64(relaxed.Load(&s.Total))
	} else {
		from.add(-l.charged)
	}
	to.add(l.charged)
	l.account = to
	if to == nil {
		*l = ledger{}
		relaxed.Store32(&s.Has, s.Has&^kind.Limited)
	}
	return true
}

// rebookFirst is rebook for a context below which rebookBelow is to follow if that says
// so.
func rebookFirst(s *tree.Node) (changed bool) {
	if (s.Has|tree.At(s.Parent).Has)&kind.Limited == 0 && s.Has&tree.HasAccount == 0 {
		return false // under no account, before and after
	}
	if changed = rebook(s); changed {
		budgets.Lock()
		budgets.changing++
		budgets.Unlock()
	}
	return changed
}

// rebookBelow puts those below a context right that was put right itself, by rebookFirst.
// CachedAs cores are evicted: the next children are to come by. No lock must be held.
func rebookBelow(mc tree.Ref) {
	defer func() {
		budgets.Lock()
		budgets.changing--
		budgets.Unlock()
	}()
	w := tree.Walk{Top: mc, Again: true}
	for !w.Hold("", func(s *tree.Node, at tree.Rung) (int32, bool) {
		if at.Level > 1 && s.Evict() {
			return 0, false
		}
		return 0, rebook(s) || at.Level == 1
	}) {
	}
}

// enroll puts a core that is about to become a child of parent under the account that
// parent is under. A keeper that the budget does not allow is sold.
func enroll(s *tree.Node, parent *tree.Node) {
	budgets.Lock()
	l := budgets.ledgers.At(s.Number())
	*l = ledger{account: innermost(parent)}
	fits := l.refuses(&s.Core, int64(s.Total)) == nil
	if fits {
		l.charge(int64(s.Total))
	}
	budgets.Unlock()
	if !fits {
		s.DropKeeper()
	}
	relaxed.Store32(&s.Has, s.Has|kind.Limited)
}

// discharge takes the core of a deleted context off all accounts, with the keeper
// that it still has. The tree's lock must be held, the budgets' not.
func discharge(s *tree.Node) {
	if s.Has&kind.Limited != 0 {
		budgets.Lock()
		l := budgets.ledgers.At(s.Number())
		l.charge(-l.charged)
		*l = ledger{}
		if s.Has&tree.HasAccount != 0 {
			delete(budgets.accounts, s.Number())
		}
		budgets.Unlock()
	}
}

// forget takes a node that becomes free off all side tables. The tree's lock must be held.
func forget(s *tree.Node) {
	forgetListeners(s)
	forgetCancel(s)
	discharge(s)
}

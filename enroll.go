package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
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

// withAccount opens the context's account, if it has none, waits until all contexts below
// are under it, and calls do under the budgets' lock.
func (mc Context) withAccount(op string, do func(*account)) {
	for !mc.tryAccount(op, do) { // somebody closed it meanwhile
	}
}

func (mc Context) tryAccount(op string, do func(*account)) (done bool) {
	a, opener := mc.openAccount(op)
	if opener {
		mc.rebookBelow()
		close(a.opened)
	}
	<-a.opened
	budgets.Lock()
	defer budgets.Unlock()
	if budgets.accounts[mc.core.Number()] != a {
		return false
	}
	do(a)
	return true
}

// openAccount is the context's own account, and whether it was made just now: the caller
// then is to bring those below under it, and to say so.
func (mc Context) openAccount(op string) (a *account, opener bool) {
	defer mc.lockToEnter(op, hasAccount).unlock()
	s := mc.slot()
	if a = s.account(); a != nil {
		return a, false
	}
	a = &account{owner: mc, outer: s.around(), limit: NoLimit, soft: NoLimit, heed: NoLimit, opened: make(chan struct{})}
	if budgets.accounts == nil {
		budgets.accounts = make(map[uint32]*account)
	}
	budgets.Lock()
	budgets.accounts[s.Number()] = a
	budgets.Unlock()
	s.rebookFirst()
	return a, true
}

// closeAccount does something to the context's own account, if it has one, and closes it
// unless somebody needs it. It reports whether those below are to come under the account
// around it: rebookBelow.
func (mc Context) closeAccount(op string, do func(*account)) (rebook bool) {
	defer mc.lock(op).unlock()
	s := mc.slot()
	a := s.account()
	if a == nil {
		return false
	}
	budgets.Lock()
	do(a)
	needed := a.needed()
	if !needed {
		delete(budgets.accounts, s.Number())
		relaxed.Store32(&s.Has, s.Has&^hasAccount)
	}
	budgets.Unlock()
	return !needed && s.rebookFirst()
}

// innermost is the account that the context is under, nil when there is none.
func (s *core) innermost() *account {
	if s.Has&kind.Limited == 0 {
		return nil
	}
	return budgets.ledgers.at(s.Number()).account
}

// around is the account that the context is under but for its own.
func (s *core) around() *account {
	if s.parent == 0 {
		return nil
	}
	return coreAt(s.parent).innermost()
}

// rebook puts a context, or a core that is about to be one, under the account that it
// belongs under, and reports whether it was under another one, so that those below it are
// to be put right, too. The tree's lock must be held, the budgets' not.
func (s *core) rebook() (changed bool) {
	from, around, own := s.innermost(), s.around(), s.account()
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
	refile(tree.listeners[s.Number()], from, to)
	l := budgets.ledgers.at(s.Number())
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
func (s *core) rebookFirst() (changed bool) {
	if (s.Has|coreAt(s.parent).Has)&kind.Limited == 0 && s.Has&hasAccount == 0 {
		return false // under no account, before and after
	}
	if changed = s.rebook(); changed {
		budgets.Lock()
		budgets.changing++
		budgets.Unlock()
	}
	return changed
}

// rebookBelow puts those below a context right that was put right itself, by rebookFirst.
// Parked cores are evicted: the next children are to come by. No lock must be held.
func (mc Context) rebookBelow() {
	defer func() {
		budgets.Lock()
		budgets.changing--
		budgets.Unlock()
	}()
	w := walk{top: mc, again: true}
	for !w.hold("", func(s *core, at rung) (int32, bool) {
		if at.level > 1 && s.interred() {
			return 0, false
		}
		return 0, s.rebook() || at.level == 1
	}) {
	}
}

// enroll puts a core that is about to become a child of parent under the account that
// parent is under. A keeper that the budget does not allow is sold.
func (s *core) enroll(parent *core) {
	if parent.Has&(kind.Limited|allowsCritical) == 0 {
		return
	}
	s.Has |= parent.Has & allowsCritical
	if parent.Has&kind.Limited == 0 {
		return
	}
	budgets.Lock()
	l := budgets.ledgers.at(s.Number())
	*l = ledger{account: parent.innermost()}
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
func (s *core) discharge() {
	if s.Has&kind.Limited != 0 {
		budgets.Lock()
		l := budgets.ledgers.at(s.Number())
		l.charge(-l.charged)
		*l = ledger{}
		if s.Has&hasAccount != 0 {
			delete(budgets.accounts, s.Number())
		}
		budgets.Unlock()
	}
	relaxed.Store32(&s.Has, 0)
}

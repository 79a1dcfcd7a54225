package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// How contexts come under accounts, and leave them.
//
// Invariant: a context below one that has an account is guarded; its ledger and the
// accounts agree. Both locks, the tree's and the budgets', are held in all of this.
//
// Cost: a step for each context of the subtree that gets an account, or moves.

// openAccount is the context's own account, made when there is none; the bit that says
// so is set.
func (s *core) openAccount() *account {
	if a := s.account(); a != nil {
		return a
	}
	a := &account{owner: handle(&s.Core), outer: s.innermost(), limit: NoLimit, soft: NoLimit, heed: NoLimit}
	if budgets.accounts == nil {
		budgets.accounts = make(map[uint32]*account)
	}
	a.held.Store(s.rebook(a.outer, a))
	a.peak.Store(a.held.Load())
	budgets.accounts[s.Number()] = a
	return a
}

// closeAccount closes the context's own account unless somebody needs it.
func (s *core) closeAccount(a *account) {
	if a.needed() {
		return
	}
	s.rebook(a, a.outer)
	delete(budgets.accounts, s.Number())
	relaxed.Store32(&s.Has, s.Has&^hasAccount)
}

// innermost is the account that the context is under, nil when there is none.
func (s *core) innermost() *account {
	if s.Has&kind.Guarded == 0 {
		return nil
	}
	return budgets.ledgers.at(s.Number()).account
}

// rebook puts what is under the account from, in the subtree of s, under the account
// to, either of which may be nil, and answers how many bytes that are. Accounts
// within stay as they are.
func (s *core) rebook(from, to *account) (bytes int64) {
	for t := s; t != nil; t = t.step(s) {
		t.buryChildren() // the next ones are to come by
		t.refile(from, to)
		if a := t.account(); a != nil && a.outer == from {
			a.outer = to
			bytes += a.held.Load()
		}
		if t.innermost() != from {
			continue
		}
		l := budgets.ledgers.at(t.Number())
		if from == nil {
			atomic.StoreUint32(&t.Has, t.Has|kind.Guarded) // and a fence: a sale from now on is told
			l.charged = int64(relaxed.Load(&t.Total))
		}
		bytes += l.charged
		l.account = to
		if to == nil {
			*l = ledger{}
			relaxed.Store32(&t.Has, t.Has&^kind.Guarded)
		}
	}
	return bytes
}

// transfer books the subtree of s, which moved, where it is now.
func (s *core) transfer(from, to *core) {
	if (from.Has|to.Has)&kind.Guarded == 0 {
		return
	}
	budgets.Lock()
	defer budgets.Unlock()
	old, now := from.innermost(), to.innermost()
	if old == now {
		return
	}
	bytes := s.rebook(old, now)
	old.add(-bytes)
	now.add(bytes)
}

// enroll puts a core that is about to become a child of parent under the account that
// parent is under. A keeper that the budget does not allow is sold.
func (s *core) enroll(parent *core) {
	if parent.Has&(kind.Guarded|allowsCritical) == 0 {
		return
	}
	s.Has |= parent.Has & allowsCritical
	if parent.Has&kind.Guarded == 0 {
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
	relaxed.Store32(&s.Has, s.Has|kind.Guarded)
}

// discharge takes the core of a deleted context off all accounts, with the keeper
// that it still has. The tree's lock must be held, the budgets' not.
func (s *core) discharge() {
	if s.Has&kind.Guarded != 0 {
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

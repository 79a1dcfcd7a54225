package budget

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/tree"
)

// How contexts come to be charged to accounts.
//
// Invariant: a context belongs to its own account, else to the one of its parent.
// When an account is opened or closed, or a context moves, RechargeBelow corrects the
// contexts below one by one. Meanwhile each is charged to exactly one account and those
// around it. It is charged to the wrong one only while a goroutine that began above it is
// still on its way down to it. Both locks, the tree's and the budgets', are held while one
// context is corrected.
//
// Cost: a step for each context of the subtree that gets an account, loses it, or moves.
// What is below another account in it takes none.

// withAccount opens the context's account if it has none, waits until all contexts below
// are charged to it, and calls do under the budgets' lock.
func withAccount(mc tree.Ref, op string, do func(*account)) {
	for open := false; !open; { // another goroutine may close it meanwhile
		a, isNew := openAccount(mc, op)
		if isNew {
			RechargeBelow(mc)
			close(a.opened)
		}
		<-a.opened
		budgets.Lock()
		if open = budgets.accounts[mc.Core.Number()] == a; open {
			do(a)
		}
		budgets.Unlock()
	}
}

// openAccount returns the context's own account, and whether it is new: the caller then
// calls RechargeBelow and closes the channel opened.
func openAccount(mc tree.Ref, op string) (a *account, isNew bool) {
	defer mc.LockToEnter(op, tree.HasAccount).Unlock()
	s := mc.Node()
	if a = ownAccount(s); a != nil {
		return a, false
	}
	a = &account{owner: mc, parent: parentAccount(s), limit: NoLimit, soft: NoLimit, watermark: NoLimit, opened: make(chan struct{})}
	if budgets.accounts == nil {
		budgets.accounts = make(map[uint32]*account)
	}
	budgets.Lock()
	budgets.accounts[s.Number()] = a
	budgets.Unlock()
	rechargeTop(s)
	return a, true
}

// closeAccount calls do with the context's own account, if it has one, and closes it unless
// it is still needed. It reports whether the caller has to call RechargeBelow.
func closeAccount(mc tree.Ref, op string, do func(*account)) (below bool) {
	defer mc.Lock(op).Unlock()
	s := mc.Node()
	a := ownAccount(s)
	if a == nil {
		return false
	}
	budgets.Lock()
	do(a)
	needed := a.isNeeded()
	if !needed {
		delete(budgets.accounts, s.Number())
		relaxed.Store32(&s.Has, s.Has&^tree.HasAccount)
	}
	budgets.Unlock()
	return !needed && rechargeTop(s)
}

// chargedTo returns the account that the context is charged to, nil when there is none. The
// tree's lock must be held.
func chargedTo(s *tree.Node) *account {
	if s.Has&kind.Limited == 0 {
		return nil
	}
	return budgets.charges.At(s.Number()).account
}

// parentAccount returns the account that the context's parent is charged to.
func parentAccount(s *tree.Node) *account {
	if s.Parent == 0 {
		return nil
	}
	return chargedTo(tree.At(s.Parent))
}

// recharge charges a context, or a node that is about to be one, to the account that it
// belongs to. It reports whether that is another one than before: the nodes below then have
// to be recharged, too. The tree's lock must be held, the budgets' not.
func recharge(s *tree.Node) (changed bool) {
	from, parent, own := chargedTo(s), parentAccount(s), ownAccount(s)
	to := parent
	if own != nil {
		to = own
	}
	if from == to && (own == nil || own.parent == parent) {
		return false
	}
	budgets.Lock()
	defer budgets.Unlock()
	if own != nil && own.parent != parent {
		transfer(own.parent, parent, own.held.Load())
		moveListeners(own.listeners.list, own.parent, parent)
		own.parent = parent
	}
	if from == to {
		return false
	}
	budgets.recharges++
	moveListeners(listeners[s.Number()], from, to)
	ch := budgets.charges.At(s.Number())
	if from == nil {
		atomic.StoreUint32(&s.Has, s.Has|kind.Limited) // and a fence: a release from now on is reported
		ch.bytes = int64(relaxed.Load(&s.Total))
	}
	transfer(from, to, ch.bytes)
	ch.account = to
	if to == nil {
		*ch = charge{}
		relaxed.Store32(&s.Has, s.Has&^kind.Limited)
	}
	return true
}

// rechargeTop is recharge for the top of a subtree. When it returns true the caller
// releases the tree's lock and calls RechargeBelow.
func rechargeTop(s *tree.Node) (changed bool) {
	if (s.Has|tree.At(s.Parent).Has)&kind.Limited == 0 && s.Has&tree.HasAccount == 0 {
		return false // under no account, before and after
	}
	if changed = recharge(s); changed {
		budgets.Lock()
		budgets.rechargers++
		budgets.Unlock()
	}
	return changed
}

// RechargeBelow recharges what is below a context for which rechargeTop returned true, as
// tree.Moved does after a move. It evicts cached nodes, so that none is charged to the old
// account when it becomes a context. No lock must be held.
func RechargeBelow(mc tree.Ref) {
	defer func() {
		budgets.Lock()
		budgets.rechargers--
		budgets.Unlock()
	}()
	w := tree.Walk{Top: mc, Again: true}
	for !w.Hold("", func(s *tree.Node, at tree.Cursor) (int32, bool) {
		if at.Level > 1 && s.Evict() {
			return 0, false
		}
		return 0, recharge(s) || at.Level == 1
	}) {
	}
}

// enroll charges a node that is about to become a child of parent to the account of parent.
// It releases the node's keeper if the limit does not allow it.
func enroll(s *tree.Node, parent *tree.Node) {
	budgets.Lock()
	ch := budgets.charges.At(s.Number())
	*ch = charge{account: chargedTo(parent)}
	fits := ch.check(&s.Core, int64(s.Total)) == nil
	if fits {
		ch.add(int64(s.Total))
	}
	budgets.Unlock()
	if !fits {
		s.DropKeeper()
	}
	relaxed.Store32(&s.Has, s.Has|kind.Limited)
}

// uncharge ends the charge of a deleted context, the keeper that its node still has
// included. The tree's lock must be held, the budgets' not.
func uncharge(s *tree.Node) {
	if s.Has&kind.Limited != 0 {
		budgets.Lock()
		ch := budgets.charges.At(s.Number())
		ch.add(-ch.bytes)
		*ch = charge{}
		if s.Has&tree.HasAccount != 0 {
			delete(budgets.accounts, s.Number())
		}
		budgets.Unlock()
	}
}

// forget removes a node that becomes free from all side tables. The tree's lock must be
// held.
func forget(s *tree.Node) {
	dropListeners(s)
	dropCancel(s)
	uncharge(s)
}

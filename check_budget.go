package palloc

// The checks of budgets: ledgers, and the accounts that they add up to.
//
// Invariant: a ledger may know less than a context holds, since a budget that another
// goroutine opens while the owner buys counts that from the next purchase on; never
// more. While budgets are being opened, or what is under them is moved to others, nothing
// is compared.
//
// Cost: a step for each context.

// ledger checks where a context is charged, and adds up what.
func (w *treeCheck) ledger(s *core) {
	l, own := ledgerOf(s), budgets.accounts[s.Number()]
	around := l.account
	if own != nil {
		around = own.outer
		w.sums[around] += own.held.Load()
		w.own(s, own, l.account)
	}
	if s != w.top && ledgerOf(coreAt(s.parent)).account != around && w.settled() {
		w.say(s, "it is under another budget than its parent")
	}
	w.sums[l.account] += l.charged
	if l.account != nil && uint64(l.charged) > uint64(s.Total) {
		w.say(s, "its ledger says that it holds %d bytes, and these are %d", l.charged, s.Total)
	}
}

// ledgerOf is the ledger of a context, empty when it has none.
func ledgerOf(s *core) ledger {
	if l := budgets.ledgers.look(s.Number()); l != nil {
		return *l
	}
	return ledger{}
}

// listed checks that the callbacks of a context are listed with all accounts around
// it.
func (w *treeCheck) listed(s *core) {
	list := tree.listeners[s.Number()]
	for a := ledgerOf(s).account; a != nil; a = a.outer {
		w.lists[a] += len(list)
		for _, l := range list {
			if _, ok := a.listeners.at[l]; !ok {
				w.say(s, "a budget around it does not know of its callbacks of OnPressure")
			}
		}
	}
}

// own checks the account of a context that has one.
func (w *treeCheck) own(s *core, own, under *account) {
	w.accounts = append(w.accounts, own)
	w.trades[own] = own.trades
	w.filed[own] = own.listeners.changes
	if under != own || own.owner != handle(&s.Core) {
		w.say(s, "its budget is not that under which it is")
	}
	if held, peak := own.held.Load(), own.peak.Load(); held > peak || held < 0 {
		w.say(s, "its budget says that %d bytes are held, and that %d were at most", held, peak)
	}
}

// settled reports whether no context has come under another account since the check
// began, and none is to. The budgets' lock must be held.
func (w *treeCheck) settled() bool { return budgets.changing == 0 && budgets.changes == w.begun }

// compare compares the accounts that came by, and under which nothing was traded since,
// with what came by under them.
func (w *treeCheck) compare() {
	budgets.Lock()
	defer budgets.Unlock()
	if !w.settled() {
		return
	}
	for _, a := range w.accounts {
		if held := a.held.Load(); held != w.sums[a] && w.trades[a] == a.trades {
			w.say(a.owner.slot(), "its budget says that %d bytes are held, and the ledgers under it have %d", held, w.sums[a])
		}
		if n := len(a.listeners.list); (n != w.lists[a] || n != len(a.listeners.at)) && w.filed[a] == a.listeners.changes {
			w.say(a.owner.slot(), "its budget lists %d callbacks of OnPressure, and the contexts under it have %d", n, w.lists[a])
		}
	}
}

package budget

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// The checks of budgets: ledgers, and the accounts that they add up to.
//
// Invariant: a ledger may know less than a context holds, since a budget that another
// goroutine opens while the owner buys counts that from the next purchase on; never
// more. While budgets are being opened, or what is under them is moved to others, nothing
// is compared.
//
// Cost: a step for each context.

// audit is the check of what budgets know of contexts.
type audit struct {
	tree.Report
	top *tree.Node

	begun    uint64              // budgets.changes at the beginning
	accounts []*account          // those of the contexts
	trades   map[*account]uint64 // how many there were under each when it was checked
	sums     map[*account]int64  // what is charged to each, nil for none
	lists    map[*account]int    // how many callbacks of OnPressure are below each
	filed    map[*account]uint64 // how often those of each had changed when it was checked
}

// NewAudit begins the check of the subtree of top. It implements tree.Auditor.
func NewAudit(top *tree.Node, report tree.Report) *audit {
	budgets.Lock()
	defer budgets.Unlock()
	return &audit{Report: report, top: top, begun: budgets.changes, sums: map[*account]int64{}, trades: map[*account]uint64{},
		lists: map[*account]int{}, filed: map[*account]uint64{}}
}

// Node checks what is known of a node.
func (w *audit) Node(s *tree.Node, live bool) {
	budgets.Lock()
	defer budgets.Unlock()
	w.ledger(s)
	if !live {
		return
	}
	n := s.Number()
	w.listed(s)
	w.Entry(s, tree.HasListeners, "callbacks of OnPressure", len(listeners[n]) > 0)
	w.Entry(s, tree.HasCancel, "a context.Context", cancels[n] != nil)
	w.Entry(s, tree.HasAccount, "a budget", budgets.accounts[n] != nil)
	l := budgets.ledgers.Look(n)
	w.Entry(s, kind.Limited, "a ledger", l != nil && l.account != nil)
}

// Strays checks that tables have entries only of contexts. A map may change during the
// loop.
func (w *audit) Strays(top *tree.Node) {
	for n := range listeners {
		w.Stray(top, n, "callbacks of OnPressure", tree.HasListeners)
	}
	for n := range cancels {
		w.Stray(top, n, "canceled waits", tree.HasCancel)
	}
	for n := range budgets.accounts {
		w.Stray(top, n, "budgets", tree.HasAccount)
	}
}

// ledger checks where a context is charged, and adds up what.
func (w *audit) ledger(s *tree.Node) {
	l, own := ledgerOf(s), budgets.accounts[s.Number()]
	around := l.account
	if own != nil {
		around = own.outer
		w.sums[around] += own.held.Load()
		w.own(s, own, l.account)
	}
	if s != w.top && ledgerOf(tree.At(s.Parent)).account != around && w.settled() {
		w.Say(s, "it is under another budget than its parent")
	}
	w.sums[l.account] += l.charged
	if l.account != nil && uint64(l.charged) > uint64(s.Total) {
		w.Say(s, "its ledger says that it holds %d bytes, and these are %d", l.charged, s.Total)
	}
}

// ledgerOf is the ledger of a context, empty when it has none.
func ledgerOf(s *tree.Node) ledger {
	if l := budgets.ledgers.Look(s.Number()); l != nil {
		return *l
	}
	return ledger{}
}

// listed checks that the callbacks of a context are listed with all accounts around
// it.
func (w *audit) listed(s *tree.Node) {
	list := listeners[s.Number()]
	for a := ledgerOf(s).account; a != nil; a = a.outer {
		w.lists[a] += len(list)
		for _, l := range list {
			if _, ok := a.listeners.at[l]; !ok {
				w.Say(s, "a budget around it does not know of its callbacks of OnPressure")
			}
		}
	}
}

// own checks the account of a context that has one.
func (w *audit) own(s *tree.Node, own, under *account) {
	w.accounts = append(w.accounts, own)
	w.trades[own] = own.trades
	w.filed[own] = own.listeners.changes
	if under != own || own.owner != s.Ref() {
		w.Say(s, "its budget is not that under which it is")
	}
	if held, peak := own.held.Load(), own.peak.Load(); held > peak || held < 0 {
		w.Say(s, "its budget says that %d bytes are held, and that %d were at most", held, peak)
	}
}

// settled reports whether no context has come under another account since the check
// began, and none is to. The budgets' lock must be held.
func (w *audit) settled() bool { return budgets.changing == 0 && budgets.changes == w.begun }

// End compares the accounts that came by, and under which nothing was traded since,
// with what came by under them.
func (w *audit) End() {
	budgets.Lock()
	defer budgets.Unlock()
	if !w.settled() {
		return
	}
	for _, a := range w.accounts {
		if held := a.held.Load(); held != w.sums[a] && w.trades[a] == a.trades {
			w.Say(a.owner.Node(), "its budget says that %d bytes are held, and the ledgers under it have %d", held, w.sums[a])
		}
		if n := len(a.listeners.list); (n != w.lists[a] || n != len(a.listeners.at)) && w.filed[a] == a.listeners.changes {
			w.Say(a.owner.Node(), "its budget lists %d callbacks of OnPressure, and the contexts under it have %d", n, w.lists[a])
		}
	}
}

package budget

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// The check of budgets: what contexts are charged, and the accounts that this adds up to.
//
// Invariant: a context may be charged less than it holds, since a budget that another
// goroutine opens while the owner acquires a block counts that from the next one on; never
// more. While contexts are being recharged nothing is compared.
//
// Cost: a step for each context.

// audit is a check of what budgets know of contexts.
type audit struct {
	tree.Report
	top *tree.Node

	begun    uint64               // budgets.recharges at the beginning
	accounts []*account           // of the contexts that were checked
	seen     map[*account]*counts // of all accounts to which contexts are charged, nil among them
}

// counts are what the contexts below an account add up to.
type counts struct {
	charged         int64  // bytes
	listeners       int    // registered
	changes         uint64 // account.changes when its context was checked
	listenerChanges uint64 // listeners.changes when its context was checked
}

// NewAudit begins a check of the subtree of top.
func NewAudit(top *tree.Node, report tree.Report) tree.Auditor {
	budgets.Lock()
	defer budgets.Unlock()
	return &audit{Report: report, top: top, begun: budgets.recharges, seen: map[*account]*counts{}}
}

// of returns the counts of an account.
func (w *audit) of(a *account) *counts {
	if w.seen[a] == nil {
		w.seen[a] = new(counts)
	}
	return w.seen[a]
}

// Node checks what is known of a node.
func (w *audit) Node(s *tree.Node, live bool) {
	budgets.Lock()
	defer budgets.Unlock()
	w.charge(s)
	if !live {
		return
	}
	n := s.Number()
	w.listeners(s)
	w.Entry(s, tree.HasListeners, "callbacks of OnPressure", len(listeners[n]) > 0)
	w.Entry(s, tree.HasCancel, "a context.Context", cancels[n] != nil)
	w.Entry(s, tree.HasAccount, "a budget", budgets.accounts[n] != nil)
	w.Entry(s, kind.Limited, "a charge", chargeOf(s).account != nil)
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

// charge checks which account a context is charged to, and adds up the bytes.
func (w *audit) charge(s *tree.Node) {
	ch, own := chargeOf(s), budgets.accounts[s.Number()]
	parent := ch.account
	if own != nil {
		parent = own.parent
		w.of(parent).charged += own.held.Load()
		w.account(s, own, ch.account)
	}
	if s != w.top && chargeOf(tree.At(s.Parent)).account != parent && w.settled() {
		w.Say(s, "it is under another budget than its parent")
	}
	w.of(ch.account).charged += ch.bytes
	if ch.account != nil && uint64(ch.bytes) > uint64(s.Total) {
		w.Say(s, "it is charged %d bytes, and holds %d", ch.bytes, s.Total)
	}
}

// chargeOf returns what a node is charged, the zero value when there is nothing.
func chargeOf(s *tree.Node) charge {
	if ch := budgets.charges.Look(s.Number()); ch != nil {
		return *ch
	}
	return charge{}
}

// listeners checks that the listeners of a context are in the sets of all accounts around
// it.
func (w *audit) listeners(s *tree.Node) {
	list := listeners[s.Number()]
	for a := chargeOf(s).account; a != nil; a = a.parent {
		w.of(a).listeners += len(list)
		for _, l := range list {
			if _, ok := a.listeners.at[l]; !ok {
				w.Say(s, "a budget around it does not know of its callbacks of OnPressure")
			}
		}
	}
}

// account checks the own account of a context, which is charged to chargedTo.
func (w *audit) account(s *tree.Node, own, chargedTo *account) {
	w.accounts = append(w.accounts, own)
	c := w.of(own)
	c.changes, c.listenerChanges = own.changes, own.listeners.changes
	if chargedTo != own || own.owner != s.Ref() {
		w.Say(s, "it is charged to another budget than its own")
	}
	if held, peak := own.held.Load(), own.peak.Load(); held > peak || held < 0 {
		w.Say(s, "its budget counts %d bytes as held, and %d as the peak", held, peak)
	}
}

// settled reports whether no context was recharged since the check began, and none is about
// to be. The budgets' lock must be held.
func (w *audit) settled() bool { return budgets.rechargers == 0 && budgets.recharges == w.begun }

// End compares the accounts that were checked, and have not changed since, with what the
// contexts below them add up to.
func (w *audit) End() {
	budgets.Lock()
	defer budgets.Unlock()
	if !w.settled() {
		return
	}
	for _, a := range w.accounts {
		c := w.of(a)
		if held := a.held.Load(); held != c.charged && c.changes == a.changes {
			w.Say(a.owner.Node(), "its budget counts %d bytes as held, and the contexts under it are charged %d", held, c.charged)
		}
		if n := len(a.listeners.list); (n != c.listeners || n != len(a.listeners.at)) && c.listenerChanges == a.listeners.changes {
			w.Say(a.owner.Node(), "its budget lists %d callbacks of OnPressure, and the contexts under it have %d", n, c.listeners)
		}
	}
}

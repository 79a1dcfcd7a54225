package palloc

import (
	"sync/atomic"
)

// What tests of Check break on Go's heap, where no address leads from outside.

// ChargedTo is what the ledger of a context has.
func ChargedTo(mc Context) *int64 { return &budgets.ledgers.At(mc.ref.Core.Number()).charged }

// HeldBy is what the budget of a context says is held.
func HeldBy(mc Context) *atomic.Int64 { return &budgets.accounts[mc.ref.Core.Number()].held }

// OwnerOf is the context that the budget of a context says it is of.
func OwnerOf(mc Context) *Context { return &budgets.accounts[mc.ref.Core.Number()].owner }

// SwapBudgets puts a context under the budget of another.
func SwapBudgets(mc, other Context) (restore func()) {
	l := budgets.ledgers.At(mc.ref.Core.Number())
	old := l.account
	l.account = budgets.accounts[other.ref.Core.Number()]
	return func() { l.account = old }
}

// The Stray functions put entries into side tables for a core that no context has.
const nobody = 1<<26 - 1

// StrayListeners leaves callbacks of OnPressure.
func StrayListeners() (restore func()) {
	if listeners == nil {
		listeners = map[uint32][]*listener{}
	}
	listeners[nobody] = []*listener{{}}
	return func() { delete(listeners, nobody) }
}

// StrayAccounts leaves a budget.
func StrayAccounts() (restore func()) {
	if budgets.accounts == nil {
		budgets.accounts = map[uint32]*account{}
	}
	budgets.accounts[nobody] = &account{}
	return func() { delete(budgets.accounts, nobody) }
}

package budget

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/tree"
)

// What tests of Check break on Go's heap. Contexts are given by the numbers of their nodes.

// ChargedTo returns the place of what the ledger of a context has.
func ChargedTo(n uint32) *int64 { return &budgets.ledgers.At(n).charged }

// HeldBy returns the place of what the account of a context says is held.
func HeldBy(n uint32) *atomic.Int64 { return &budgets.accounts[n].held }

// OwnerOf returns the place of the context that the account of a context says it is of.
func OwnerOf(n uint32) *tree.Ref { return &budgets.accounts[n].owner }

// Swap puts a context under the account of another.
func Swap(n, other uint32) (restore func()) {
	l := budgets.ledgers.At(n)
	old := l.account
	l.account = budgets.accounts[other]
	return func() { l.account = old }
}

// nobody is the number of a node that does not exist.
const nobody = 1<<26 - 1

// StrayListeners leaves callbacks of OnPressure for a node that does not exist.
func StrayListeners() (restore func()) {
	if listeners == nil {
		listeners = map[uint32][]*Listener{}
	}
	listeners[nobody] = []*Listener{{}}
	return func() { delete(listeners, nobody) }
}

// StrayAccounts leaves an account for a node that does not exist.
func StrayAccounts() (restore func()) {
	if budgets.accounts == nil {
		budgets.accounts = map[uint32]*account{}
	}
	budgets.accounts[nobody] = &account{}
	return func() { delete(budgets.accounts, nobody) }
}

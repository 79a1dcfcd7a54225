package budget

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/tree"
)

// What tests of Check break on Go's heap. Contexts are given by the numbers of their nodes.

// ChargedTo returns a pointer to what a context is charged.
func ChargedTo(n uint32) *int64 { return &budgets.charges.At(n).bytes }

// HeldBy returns a pointer to what the account of a context counts as held.
func HeldBy(n uint32) *atomic.Int64 { return &budgets.accounts[n].held }

// OwnerOf returns a pointer to the context that the account of a context names.
func OwnerOf(n uint32) *tree.Ref { return &budgets.accounts[n].owner }

// Swap charges a context to the account of another.
func Swap(n, other uint32) (restore func()) {
	ch := budgets.charges.At(n)
	old := ch.account
	ch.account = budgets.accounts[other]
	return func() { ch.account = old }
}

// noNode is the number of a node that does not exist.
const noNode = 1<<26 - 1

// StrayListeners adds listeners of a node that does not exist.
func StrayListeners() (restore func()) {
	if listeners == nil {
		listeners = map[uint32][]*Listener{}
	}
	listeners[noNode] = []*Listener{{}}
	return func() { delete(listeners, noNode) }
}

// StrayAccounts adds an account of a node that does not exist.
func StrayAccounts() (restore func()) {
	if budgets.accounts == nil {
		budgets.accounts = map[uint32]*account{}
	}
	budgets.accounts[noNode] = &account{}
	return func() { delete(budgets.accounts, noNode) }
}

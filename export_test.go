package palloc

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
)

// What tests of Check break on Go's heap, where no address leads from outside.

// ChargedTo is what the ledger of a context has.
func ChargedTo(mc Context) *int64 { return &budgets.ledgers.at(mc.core.Number()).charged }

// HeldBy is what the budget of a context says is held.
func HeldBy(mc Context) *atomic.Int64 { return &budgets.accounts[mc.core.Number()].held }

// OwnerOf is the context that the budget of a context says it is of.
func OwnerOf(mc Context) *Context { return &budgets.accounts[mc.core.Number()].owner }

// SwapBudgets puts a context under the budget of another.
func SwapBudgets(mc, other Context) (restore func()) {
	l := budgets.ledgers.at(mc.core.Number())
	old := l.account
	l.account = budgets.accounts[other.core.Number()]
	return func() { l.account = old }
}

// MiscountKeepers miscounts the free cores with keepers.
func MiscountKeepers() (restore func()) {
	freeCores.keepers++
	return func() { freeCores.keepers-- }
}

// MiscountNamed miscounts those of a name.
func MiscountNamed() (restore func()) {
	h := names.habit(1)
	h.count++
	return func() { h.count-- }
}

// The Stray functions put entries into side tables for a core that no context has.
const nobody = 1<<26 - 1

// StrayCallbacks leaves callbacks of OnReset.
func StrayCallbacks() (restore func()) {
	if tree.callbacks == nil {
		tree.callbacks = map[uint32]*callback{}
	}
	tree.callbacks[nobody] = &callback{}
	return func() { delete(tree.callbacks, nobody) }
}

// StrayListeners leaves callbacks of OnPressure.
func StrayListeners() (restore func()) {
	if tree.listeners == nil {
		tree.listeners = map[uint32][]*listener{}
	}
	tree.listeners[nobody] = []*listener{{}}
	return func() { delete(tree.listeners, nobody) }
}

// StrayAccounts leaves a budget.
func StrayAccounts() (restore func()) {
	if budgets.accounts == nil {
		budgets.accounts = map[uint32]*account{}
	}
	budgets.accounts[nobody] = &account{}
	return func() { delete(budgets.accounts, nobody) }
}

// DropKeepers takes the blocks of free cores away, and leaves those of parked ones.
func DropKeepers() { dropKeepers() }

// MostStepsPerHold is how many steps were made under one hold of the tree's lock since it
// was asked last.
func MostStepsPerHold() int {
	tree.Lock()
	defer tree.Unlock()
	most := tree.most
	tree.most = 0
	return most
}

// NewOfKind is the constructor of a kind that has no public one: what such a constructor
// consists of.
func NewOfKind(parent Context, id uint64, name string, opts ...Option) Context {
	return newContext(parent, kind.ID(id), name, opts, create, createNew)
}

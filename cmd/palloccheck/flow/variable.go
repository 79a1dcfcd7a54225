package flow

import (
	"slices"

	"golang.org/x/tools/go/ssa"
)

// Variables that are set several times.
//
// Invariant: a store that another one always overwrites before the load is not read.

// written returns the values that a load of a variable may read, of a variable that is set
// several times. What closures store may be read at any time.
func written(load *ssa.UnOp) (all []ssa.Value, known bool) {
	cell := Cell(load.X)
	stores, known := Stores(cell)
	stores = slices.DeleteFunc(stores, func(s *ssa.Store) bool { // of a return, which sets the result to itself
		from, ok := IsLoad(s.Val)
		return ok && Cell(from.X) == cell
	})
	for _, s := range stores {
		if isReadBy(s, load, stores) {
			all = append(all, s.Val)
		}
	}
	return all, known
}

// isReadBy reports whether a load may read what a store wrote, of all stores to the variable.
func isReadBy(store *ssa.Store, load *ssa.UnOp, all []*ssa.Store) bool {
	if store.Parent() != load.Parent() {
		return true
	}
	isOther := func(i ssa.Instruction) bool {
		other, ok := i.(*ssa.Store)
		return ok && slices.Contains(all, other)
	}
	for i := range After(store, isOther) {
		if i == ssa.Instruction(load) {
			return true
		}
	}
	return false
}

// isConst reports whether v is a constant, also one that is read from a variable.
func isConst(v ssa.Value) bool {
	if load, ok := IsLoad(v); ok && Cell(load.X) != nil {
		all, known := written(load)
		return known && !slices.ContainsFunc(all, func(v ssa.Value) bool { _, ok := v.(*ssa.Const); return !ok })
	}
	_, ok := v.(*ssa.Const)
	return ok
}

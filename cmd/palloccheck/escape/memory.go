package escape

import (
	"go/token"
	"go/types"
	"strconv"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Stores into memory, by the fields on the way.
//
// Invariant: all elements of an array, slice or map are one place.
// Cost: a step for each use of the memory's address.

func fieldPath(n int) string { return "." + strconv.Itoa(n) }

// rootOf returns the memory that an address is in, and the fields on the way to it.
func rootOf(address ssa.Value) (root ssa.Value, path string) {
	for {
		switch x := address.(type) {
		case *ssa.FieldAddr:
			address, path = x.X, fieldPath(x.Field)+path
		case *ssa.IndexAddr:
			address, path = x.X, ".*"+path
		case *ssa.FreeVar:
			if cell := flow.Cell(x); cell != nil {
				return cell, path
			}
			return x, path
		default:
			of := flow.Of(address)
			if of.Path != "" || of.Value == address {
				return address, path
			}
			address = of.Value
		}
	}
}

// eachStore calls do for each store into the memory at v, with the fields on the way.
func eachStore(v ssa.Value, path string, do func(path string, at ssa.Instruction, stored ssa.Value)) {
	if v.Referrers() == nil {
		return
	}
	flow.EachUse(v, func(use ssa.Instruction, address ssa.Value) {
		switch use := use.(type) {
		case *ssa.Store:
			if use.Addr == address {
				do(path, use, use.Val)
			} else if cell, ok := use.Addr.(*ssa.Alloc); ok && isOnce(cell, use) {
				eachLoad(cell, func(load *ssa.UnOp) { eachStore(load, path, do) })
			}
		case *ssa.FieldAddr:
			eachStore(use, path+fieldPath(use.Field), do)
		case *ssa.IndexAddr:
			eachStore(use, path+".*", do)
		case *ssa.Slice:
			eachStore(use, path, do)
		case *ssa.MapUpdate:
			if use.Map == address {
				do(path+".*", use, use.Key)
				do(path+".*", use, use.Value)
			}
		}
	})
}

// isOnce reports whether a variable for a pointer is set by this store alone.
func isOnce(cell *ssa.Alloc, store *ssa.Store) bool {
	stores, known := flow.Stores(cell)
	return known && len(stores) == 1 && stores[0] == store
}

func eachLoad(cell *ssa.Alloc, do func(*ssa.UnOp)) {
	flow.EachUse(cell, func(use ssa.Instruction, _ ssa.Value) {
		if load, ok := use.(*ssa.UnOp); ok && load.Op == token.MUL {
			do(load)
		}
	})
}

// laterStore reports whether a store of something else may follow at the same place.
func (l *lifetime) laterStore(root ssa.Value, path string, at ssa.Instruction) bool {
	found := false
	eachStore(root, "", func(p string, other ssa.Instruction, stored ssa.Value) {
		if p != path || other == at || found || isFrom(stored, root, path) {
			return
		}
		if _, isStore := other.(*ssa.Store); isStore && other.Parent() == at.Parent() && flow.Reaches(at, other) {
			found = !l.refers(stored)
		}
	})
	return found
}

// isFrom reports whether a value was read from the same place.
func isFrom(v, root ssa.Value, path string) bool {
	load, ok := flow.IsLoad(v)
	if !ok {
		return false
	}
	r, p := rootOf(load.X)
	return r == root && p == path
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

func isError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }

// holdsPointers reports whether a value of the type can refer to memory. A context and what
// only has contexts refers to none.
func holdsPointers(t types.Type) bool { return holds(t, 0) }

func holds(t types.Type, depth int) bool {
	if api.IsContext(t) || depth > 10 {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&types.IsString != 0 || u.Kind() == types.UnsafePointer
	case *types.Struct:
		for f := range u.Fields() {
			if holds(f.Type(), depth+1) {
				return true
			}
		}
		return false
	case *types.Array:
		return holds(u.Elem(), depth+1)
	case *types.Tuple:
		return false
	}
	return true
}

// elementsHold reports whether a copy of the elements of a slice still refers to memory.
func elementsHold(t types.Type) bool {
	s, ok := t.Underlying().(*types.Slice)
	return ok && holdsPointers(s.Elem())
}

package escape

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Which memory lives on after the function.
//
// Invariant: memory that the function made does not, whatever it is stored in later.

// outlives reports whether the memory at an address is used after the function.
func (l *lifetime) outlives(address ssa.Value, store *ssa.Store) bool {
	root, _ := rootOf(address)
	cell, isVariable := root.(*ssa.Alloc)
	if !isVariable || cell.Parent() == l.fn || !l.isOutside(cell) {
		return l.isOutside(root)
	}
	return l.readLater(cell)
}

// isOutside reports whether memory exists when the function begins, and is not the context's.
func (l *lifetime) isOutside(v ssa.Value) bool {
	for range 100 {
		if v == nil {
			return false
		}
		if c, isChunk := flow.ChunkOf(v); isChunk && l.belongs(c.Context) {
			return false
		}
		root, _ := rootOf(v)
		load, isLoad := flow.IsLoad(root)
		if isLoad && l.refers(load) {
			return false
		}
		if !isLoad {
			return l.existed(root)
		}
		v = load.X
	}
	return false
}

// existed reports whether v was there when the function began.
func (l *lifetime) existed(v ssa.Value) bool {
	switch v := v.(type) {
	case *ssa.Global:
		return true
	case *ssa.Parameter:
		return v.Parent() == l.fn && v != l.context.Value || isWithin(l.fn, v.Parent())
	case *ssa.FreeVar:
		return v.Parent() == l.fn
	case ssa.Instruction:
		return isWithin(l.fn, v.Parent())
	}
	return false
}

// isWithin reports whether outer is a function around inner.
func isWithin(inner, outer *ssa.Function) bool {
	for fn := inner.Parent(); fn != nil; fn = fn.Parent() {
		if fn == outer {
			return true
		}
	}
	return false
}

// readLater reports whether a variable of an enclosing function is read after the Scope.
func (l *lifetime) readLater(cell *ssa.Alloc) (read bool) {
	flow.EachUse(cell, func(use ssa.Instruction, address ssa.Value) {
		if s, isStore := use.(*ssa.Store); isStore && s.Addr == address || read {
			return
		}
		if use.Parent() == l.fn || isWithin(use.Parent(), l.fn) {
			return
		}
		if l.scope == nil || use.Parent() != l.scope.Parent() {
			closure, isMade := use.(*ssa.MakeClosure)
			read = !isMade || closure.Fn != l.fn
			return
		}
		read = flow.Reaches(l.scope, use)
	})
	return read
}

// replaced reports whether a later store of the function replaces what was stored.
func (l *lifetime) replaced(s *ssa.Store) bool {
	root, path := rootOf(s.Addr)
	if l.laterStore(root, path, s) {
		return true
	}
	for i := range flow.After(s, nil) {
		if later, ok := i.(*ssa.Store); ok && later != s && !l.refers(later.Val) {
			if r, p := rootOf(later.Addr); samePlace(r, root) && p == path {
				return true
			}
		}
	}
	return false
}

// cleared reports whether the place is set to something else at the end of the function, by a
// deferred function, or to nothing by the caller after the Scope.
func (l *lifetime) cleared(s *ssa.Store) bool {
	root, path := rootOf(s.Addr)
	same := func(i ssa.Instruction) (*ssa.Store, bool) {
		other, ok := i.(*ssa.Store)
		if !ok {
			return nil, false
		}
		r, p := rootOf(other.Addr)
		return other, p == path && samePlace(r, root)
	}
	for i := range flow.Instructions(l.fn) {
		d, ok := i.(*ssa.Defer)
		if !ok || flow.Literal(d.Call.Value) == nil {
			continue
		}
		for i := range flow.Instructions(flow.Literal(d.Call.Value)) {
			if other, ok := same(i); ok && !l.refers(other.Val) {
				return true
			}
		}
	}
	if l.scope == nil {
		return false
	}
	for i := range flow.After(l.scope, nil) {
		if other, ok := same(i); ok && isNothing(other.Val) {
			return true
		}
	}
	return false
}

func isNothing(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && (c.Value == nil || c.Value.ExactString() == `""`)
}

// samePlace reports whether two addresses are the same, if both are read from one variable.
func samePlace(a, b ssa.Value) bool {
	if a == b {
		return true
	}
	x, okX := flow.IsLoad(a)
	y, okY := flow.IsLoad(b)
	if !okX || !okY {
		return false
	}
	r, p := rootOf(x.X)
	s, q := rootOf(y.X)
	return p == q && samePlace(r, s)
}

// storePos returns the place of a store.
func storePos(s *ssa.Store) token.Pos {
	if s.Pos().IsValid() {
		return s.Pos()
	}
	return s.Val.Pos()
}

// pos returns the place of a result, or of the return.
func pos(ret *ssa.Return, v ssa.Value) token.Pos {
	if ret.Pos().IsValid() {
		return ret.Pos()
	}
	return v.Pos()
}

// copier names the function that copies a value to Go's heap.
func copier(v ssa.Value) string {
	switch u := v.Type().Underlying().(type) {
	case *types.Slice:
		return "slices.Clone"
	case *types.Basic:
		if u.Info()&types.IsString != 0 {
			return "strings.Clone"
		}
	}
	return "a copy of the value"
}

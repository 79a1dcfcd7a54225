// Package flow follows values through the SSA form of a package: where a value comes from,
// which context a chunk lies in, what runs after what.
//
// Invariant: what cannot be followed for certain yields no answer.
// Cost: the length of the chain that is followed.
package flow

import (
	"go/token"
	"go/types"
	"strconv"

	"golang.org/x/tools/go/ssa"
)

// A Source is where a value comes from: a parameter, a call, a constant, or a field of such.
// Two equal sources are the same value, if control passed only once where Value is computed.
type Source struct {
	Value ssa.Value
	Path  string // the fields below Value
}

// Of follows v back through conversions that keep its memory, and through variables that
// are set once, also those that a closure captured.
func Of(v ssa.Value) Source {
	for {
		switch x := v.(type) {
		case *ssa.ChangeType:
			v = x.X
		case *ssa.MultiConvert:
			v = x.X
		case *ssa.Convert:
			if !isPointer(x.X.Type()) || !isPointer(x.Type()) {
				return Source{Value: v}
			}
			v = x.X
		case *ssa.UnOp:
			if x.Op != token.MUL {
				return Source{Value: v}
			}
			if field, ok := x.X.(*ssa.FieldAddr); ok {
				return ofField(x, field)
			}
			cell := Cell(x.X)
			if cell == nil {
				return Source{Value: v}
			}
			stored, once := storedOnce(cell)
			if !once {
				return Source{Value: v}
			}
			v = stored
		default:
			return Source{Value: v}
		}
	}
}

// ofField returns the source of a field, if nothing in sight can change it: the struct is not
// passed to a function, and no field of that number is set.
func ofField(load *ssa.UnOp, field *ssa.FieldAddr) Source {
	base := Of(field.X)
	if _, isParam := base.Value.(*ssa.Parameter); !isParam || base.Path != "" || !fieldIsFixed(base.Value, field.Field) {
		return Source{Value: load}
	}
	return Source{base.Value, "." + strconv.Itoa(field.Field)}
}

// fieldIsFixed reports whether all uses of a pointer to a struct are reads of fields, and
// none is a write of the field.
func fieldIsFixed(pointer ssa.Value, field int) bool {
	for _, r := range *pointer.Referrers() {
		switch r := r.(type) {
		case *ssa.FieldAddr:
			if r.Field != field {
				continue
			}
			for _, use := range *r.Referrers() {
				if load, ok := use.(*ssa.UnOp); !ok || load.Op != token.MUL {
					return false
				}
			}
		case *ssa.DebugRef:
		default:
			return false
		}
	}
	return true
}

func isPointer(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return true
	case *types.Basic:
		return u.Kind() == types.UnsafePointer
	}
	return false
}

// Cell returns the variable at an address, also one of an enclosing function; nil for
// memory that is no variable.
func Cell(address ssa.Value) *ssa.Alloc {
	switch x := address.(type) {
	case *ssa.Alloc:
		return x
	case *ssa.FreeVar:
		if bound := Bound(x); bound != nil {
			return Cell(bound)
		}
	}
	return nil
}

// Bound returns what a closure's variable is bound to, nil if the closure is made in several
// places.
func Bound(v *ssa.FreeVar) ssa.Value {
	closure := Made(v.Parent())
	if closure == nil {
		return nil
	}
	for i, f := range v.Parent().FreeVars {
		if f == v {
			return closure.Bindings[i]
		}
	}
	return nil
}

// Made returns the instruction that makes the closure, nil if there is none or several.
func Made(fn *ssa.Function) (made *ssa.MakeClosure) {
	if fn.Parent() == nil {
		return nil
	}
	for instr := range Instructions(fn.Parent()) {
		if c, ok := instr.(*ssa.MakeClosure); ok && c.Fn == fn {
			if made != nil {
				return nil
			}
			made = c
		}
	}
	return made
}

// storedOnce returns the value of a variable that is set once, and whose address is used
// for nothing else.
func storedOnce(cell *ssa.Alloc) (value ssa.Value, ok bool) {
	stores, known := Stores(cell)
	if !known || len(stores) != 1 {
		return nil, false
	}
	return stores[0].Val, true
}

// Stores returns the stores to a variable, in its function and in closures. It is not known
// when the address is used otherwise.
func Stores(cell *ssa.Alloc) (all []*ssa.Store, known bool) {
	known = true
	EachUse(cell, func(use ssa.Instruction, address ssa.Value) {
		switch use := use.(type) {
		case *ssa.Store:
			if use.Addr == address {
				all = append(all, use)
			} else {
				known = false
			}
		case *ssa.UnOp, *ssa.DebugRef, *ssa.MakeClosure:
		default:
			known = false
		}
	})
	return all, known
}

// EachUse calls do for each use of a variable, in its function and in closures. The address
// is the variable, or the closure's name for it.
func EachUse(address ssa.Value, do func(use ssa.Instruction, address ssa.Value)) {
	for _, use := range *address.Referrers() {
		do(use, address)
		closure, ok := use.(*ssa.MakeClosure)
		if !ok {
			continue
		}
		for i, b := range closure.Bindings {
			if fn := closure.Fn.(*ssa.Function); b == address && i < len(fn.FreeVars) {
				EachUse(fn.FreeVars[i], do)
			}
		}
	}
}

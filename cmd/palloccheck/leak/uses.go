package leak

import (
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// What a function does with a context that it created.
//
// Invariant: what is not known keeps the context.
// Cost: a step for each use, and for each use in functions of the package that it is passed to.

// uses are the places of a function that end a context or hand it on.
type uses struct {
	keeps    map[ssa.Instruction]bool
	deleted  []ssa.CallInstruction // those that are a deletion
	anywhere bool                  // it is handed on in a way that is not followed
}

// usesOf looks at all uses of the context, which may be in variables that are set once.
func usesOf(context *ssa.Call) *uses {
	u := &uses{keeps: map[ssa.Instruction]bool{}}
	u.follow(context)
	return u
}

func (u *uses) follow(v ssa.Value) {
	for _, use := range *v.Referrers() {
		switch use := use.(type) {
		case *ssa.DebugRef, *ssa.BinOp:
		case *ssa.Store:
			u.stored(use)
		case ssa.CallInstruction:
			u.called(use, v)
		case *ssa.Return:
			u.keeps[use] = true
		case *ssa.MakeClosure, *ssa.MakeInterface, *ssa.MapUpdate, *ssa.Send:
			u.keeps[use] = true
		default:
			u.anywhere = true
		}
	}
}

// stored follows a context into a variable of the function. A variable that a closure
// captured, or that is set more than once, is not followed.
func (u *uses) stored(s *ssa.Store) {
	cell, ok := s.Addr.(*ssa.Alloc)
	if !ok {
		u.keeps[s] = true
		return
	}
	stores, known := flow.Stores(cell)
	if !known || len(stores) > 1 || s.Parent() != cell.Parent() {
		u.anywhere = true
		return
	}
	for _, use := range *cell.Referrers() {
		switch use := use.(type) {
		case *ssa.UnOp:
			u.follow(use)
		case *ssa.MakeClosure:
			u.captured(use, cell)
		}
	}
}

// captured looks at what a closure does with the context. One that only uses it keeps nothing.
func (u *uses) captured(closure *ssa.MakeClosure, cell *ssa.Alloc) {
	fn := closure.Fn.(*ssa.Function)
	for i, b := range closure.Bindings {
		if b == cell && keepsCell(fn.FreeVars[i], 0) {
			u.keeps[closure] = true
		}
	}
}

func keepsCell(address ssa.Value, depth int) (keeps bool) {
	flow.EachUse(address, func(use ssa.Instruction, _ ssa.Value) {
		if load, ok := flow.IsLoad(valueOf(use)); ok && keptValue(load, depth) {
			keeps = true
		}
	})
	return keeps
}

func valueOf(i ssa.Instruction) ssa.Value {
	v, _ := i.(ssa.Value)
	return v
}

func (u *uses) called(call ssa.CallInstruction, v ssa.Value) {
	name, args := flow.PallocCommon(call.Common())
	if name == "Context.Delete" && args[0] == v {
		u.deleted = append(u.deleted, call)
		u.keeps[call] = true
		return
	}
	if keptBy(call, v, 0) {
		u.keeps[call] = true
	}
}

// keptBy reports whether a call may keep or end the context that is its argument v.
func keptBy(call ssa.CallInstruction, v ssa.Value, depth int) bool {
	c := call.Common()
	name, args := flow.PallocCommon(c)
	if name != "" {
		i, keeps := api.Keeps[name]
		return name == "Context.Delete" || keeps && args[i] == v
	}
	if _, isGo := call.(*ssa.Go); isGo {
		return true
	}
	fn := c.StaticCallee()
	if fn == nil || len(fn.Blocks) == 0 || fn.Pkg != call.Parent().Pkg || depth > 3 {
		return true
	}
	for i, a := range args {
		if a == v && keptValue(fn.Params[i], depth+1) {
			return true
		}
	}
	return false
}

// keptValue reports whether anything that is done with v may keep or end the context.
func keptValue(v ssa.Value, depth int) bool {
	for _, use := range *v.Referrers() {
		switch use := use.(type) {
		case *ssa.DebugRef, *ssa.BinOp:
		case *ssa.Store:
			cell, ok := use.Addr.(*ssa.Alloc)
			if !ok || keepsCell(cell, depth) {
				return true
			}
		case ssa.CallInstruction:
			if keptBy(use, v, depth) {
				return true
			}
		default:
			return true
		}
	}
	return false
}

// isEarly reports whether a return comes before a deletion that another return always has
// behind it.
func (u *uses) isEarly(end ssa.Instruction) bool {
	if _, isReturn := end.(*ssa.Return); !isReturn {
		return false
	}
	for i := range flow.Instructions(end.Parent()) {
		if _, isReturn := i.(*ssa.Return); !isReturn || i == end {
			continue
		}
		for _, d := range u.deleted {
			if flow.Dominates(d, i) {
				return true
			}
		}
	}
	return false
}

// forgets returns a return, or the creation again, that control can reach from the creation
// without passing a place that keeps the context; nil if there is none.
func (u *uses) forgets(context *ssa.Call) ssa.Instruction {
	stop := func(i ssa.Instruction) bool { return u.keeps[i] || i == ssa.Instruction(context) }
	for i := range flow.After(context, stop) {
		if r, ok := i.(*ssa.Return); ok && !u.keeps[r] || i == ssa.Instruction(context) {
			return i
		}
	}
	return nil
}

package flow

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
)

// Which function an instruction calls, and what its arguments say.
//
// Invariant: a call through a variable or an interface is named only if one function can be meant.

// Callee returns the function or method that a call calls, nil if that is not known.
func Callee(c *ssa.CallCommon) *types.Func {
	if c.IsInvoke() {
		return c.Method
	}
	fn := c.StaticCallee()
	if fn == nil {
		return nil
	}
	f, _ := fn.Object().(*types.Func)
	return f
}

// Palloc returns the name of the function of palloc that an instruction calls now: neither
// deferred nor in another goroutine.
func Palloc(i ssa.Instruction) (name string, args []ssa.Value) {
	if call, ok := i.(*ssa.Call); ok {
		return PallocCommon(&call.Call)
	}
	return "", nil
}

// PallocCommon returns the name of the function of palloc that is called.
func PallocCommon(c *ssa.CallCommon) (name string, args []ssa.Value) {
	return api.Name(Callee(c)), c.Args
}

// FullName returns the package and name of the function or method that is called, such as
// "errors.New" or "strings.Builder.String"; "" if it is not known.
func FullName(c *ssa.CallCommon) string {
	f := Callee(c)
	if f == nil || f.Pkg() == nil {
		return ""
	}
	recv := f.Signature().Recv()
	if recv == nil {
		return f.Pkg().Path() + "." + f.Name()
	}
	t := recv.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if named, ok := t.(*types.Named); ok {
		return f.Pkg().Path() + "." + named.Obj().Name() + "." + f.Name()
	}
	return ""
}

// Created returns the call that created a context, nil for contexts that came otherwise.
func Created(context Source) *ssa.Call {
	if call, ok := context.Value.(*ssa.Call); ok && context.Path == "" {
		if name, _ := Palloc(call); api.Creates[name] {
			return call
		}
	}
	return nil
}

// IsMoved reports whether a function in sight gives a context another parent.
func IsMoved(created *ssa.Call) bool {
	outermost := created.Parent()
	for outermost.Parent() != nil {
		outermost = outermost.Parent()
	}
	return moves(outermost, created)
}

func moves(fn *ssa.Function, context *ssa.Call) bool {
	for i := range Instructions(fn) {
		if name, args := Palloc(i); name == "Context.SetParent" && Of(args[0]).Value == context {
			return true
		}
	}
	for _, inner := range fn.AnonFuncs {
		if moves(inner, context) {
			return true
		}
	}
	return false
}

// Literal returns the function that a function value is, if that is known.
func Literal(v ssa.Value) *ssa.Function {
	switch x := Of(v).Value.(type) {
	case *ssa.Function:
		return x
	case *ssa.MakeClosure:
		fn := x.Fn.(*ssa.Function)
		if method, ok := fn.Object().(*types.Func); ok && fn.Synthetic != "" {
			return fn.Prog.FuncValue(method) // of the method value
		}
		return fn
	}
	return nil
}

// ScopeFunction returns the function that a call of Scope runs, nil for other instructions.
func ScopeFunction(i ssa.Instruction) *ssa.Function {
	if name, args := Palloc(i); name == "Scope" {
		return Literal(args[2])
	}
	return nil
}

// Elements returns the arguments of a variadic parameter. They are not known when a slice is
// passed with dots.
func Elements(v ssa.Value) (all []ssa.Value, known bool) {
	if c, ok := v.(*ssa.Const); ok && c.IsNil() {
		return nil, true
	}
	slice, ok := v.(*ssa.Slice)
	if !ok {
		return nil, false
	}
	array, ok := slice.X.(*ssa.Alloc)
	if !ok {
		return nil, false
	}
	for _, use := range *array.Referrers() {
		element, ok := use.(*ssa.IndexAddr)
		if !ok {
			continue
		}
		for _, set := range *element.Referrers() {
			if s, ok := set.(*ssa.Store); ok && s.Addr == element {
				all = append(all, s.Val)
			}
		}
	}
	return all, true
}

// IsLoad reports whether v is read from memory.
func IsLoad(v ssa.Value) (load *ssa.UnOp, ok bool) {
	load, ok = v.(*ssa.UnOp)
	return load, ok && load.Op == token.MUL
}

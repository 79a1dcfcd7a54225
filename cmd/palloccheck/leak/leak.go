// Package leak reports contexts that a function creates and forgets.
//
// Invariant: a context is reported only if a way from its creation to a return passes nothing
// that could end it or make it known to others.
// Cost: for each creation a walk over the function.
package leak

import (
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
	"github.com/gopalloc/palloc/cmd/palloccheck/report"
)

// Analyzer reports contexts that are not deleted on some path.
var Analyzer = &analysis.Analyzer{
	Name: "pallocleak",
	Doc: `report contexts of palloc that are not deleted

A context that is created with NewAllocSet, NewBump, NewGeneration or NewSlab lives until it,
or a context above it, is deleted. The analyzer reports one that a function creates and that on
some path is not deleted, returned, stored, captured, nor passed to a function that may keep it.`,
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !api.Imports(pass.Pkg) {
		return nil, nil
	}
	r := report.New(pass)
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		if fn.Name() == "main" && fn.Parent() == nil && pass.Pkg.Name() == "main" {
			continue // its end is that of the process
		}
		for i := range flow.Instructions(fn) {
			if call, ok := i.(*ssa.Call); ok && flow.Created(flow.Source{Value: call}) != nil {
				check(r, call)
			}
		}
	}
	return nil, nil
}

// check reports a context that is forgotten.
func check(r *report.Reporter, context *ssa.Call) {
	name, args := flow.Palloc(context)
	if endsWithParent(flow.Of(args[0])) {
		return
	}
	u := usesOf(context)
	if u.anywhere {
		return
	}
	end := u.forgets(context)
	parent := flow.Of(args[0])
	outlived := isTop(parent) || len(u.keeps) == 0 && isField(parent) && !r.IsTest(context.Pos())
	switch {
	case end == nil:
	case !outlived && !u.isEarly(end): // its parent may end it
	case len(u.keeps) == 0:
		if !leaves(context) {
			r.At(context.Pos(), "the context of %s is never deleted, and lives as long as its parent: add defer mc.Delete()", name)
		}
	case end == ssa.Instruction(context):
		r.At(context.Pos(), "the context of %s is not deleted on all paths: the loop may forget it", name)
	default:
		r.At(context.Pos(), "the context of %s is not deleted on all paths: the return at line %d forgets it", name, r.Line(lastPos(end)))
	}
}

// lastPos returns the position of a return, or of the end of its function if it is not written.
func lastPos(i ssa.Instruction) token.Pos {
	if i.Pos().IsValid() || i.Parent().Syntax() == nil {
		return i.Pos()
	}
	return i.Parent().Syntax().End()
}

// isTop reports whether a parent lives as long as the process.
func isTop(parent flow.Source) bool {
	switch v := parent.Value.(type) {
	case *ssa.Call:
		name, _ := flow.Palloc(v)
		return name == "Top" || name == "Emergency"
	case *ssa.UnOp:
		_, isGlobal := v.X.(*ssa.Global)
		return isGlobal
	}
	return false
}

// isField reports whether a parent is a field of a struct, which outlives a call as a rule,
// except in tests.
func isField(parent flow.Source) bool {
	load, ok := flow.IsLoad(parent.Value)
	if !ok {
		return parent.Path != ""
	}
	_, ok = load.X.(*ssa.FieldAddr)
	return ok
}

// endsWithParent reports whether a context ends with a parent whose end is in sight: a
// context that was created here, or that of a Scope.
func endsWithParent(parent flow.Source) bool {
	if flow.Created(parent) != nil {
		return true
	}
	p, ok := parent.Value.(*ssa.Parameter)
	return ok && isScope(p.Parent())
}

// isScope reports whether fn is a function literal that Scope runs.
func isScope(fn *ssa.Function) bool {
	if fn.Parent() == nil {
		return false
	}
	for i := range flow.Instructions(fn.Parent()) {
		if flow.ScopeFunction(i) == fn {
			return true
		}
	}
	return false
}

// leaves reports whether a chunk of the context leaves the function: then the parent may
// be what ends it.
func leaves(context *ssa.Call) bool {
	for i := range flow.Instructions(context.Parent()) {
		for _, operand := range i.Operands(nil) {
			if *operand == nil || !hands(i, *operand) {
				continue
			}
			if c, ok := flow.ChunkOf(*operand); ok && c.Context.Value == context {
				return true
			}
		}
	}
	return false
}

// hands reports whether an instruction hands v on, out of sight.
func hands(i ssa.Instruction, v ssa.Value) bool {
	switch i := i.(type) {
	case *ssa.Return, *ssa.MapUpdate, *ssa.Send, *ssa.MakeClosure:
		return true
	case *ssa.Store:
		return i.Val == v
	}
	return false
}

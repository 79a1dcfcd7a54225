// Package escape reports memory of a context that leaves the function at whose end the context
// is deleted.
//
// Invariant: memory is reported only if a call of palloc that allocated it from that context is
// in sight, and no later store replaces what was stored.
// Cost: for each context that ends with a function a step for each instruction of the function.
package escape

import (
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
	"github.com/gopalloc/palloc/cmd/palloccheck/report"
)

// Analyzer reports memory that outlives its context.
var Analyzer = &analysis.Analyzer{
	Name: "pallocescape",
	Doc: `report memory of palloc that leaves the function at whose end its context is deleted

Scope deletes its context when its function returns, and so does a deferred Delete. The analyzer
reports a pointer, slice or string of the context that is returned, that is in a returned error,
or that is stored in a variable or struct that lives on.`,
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !api.Imports(pass.Pkg) {
		return nil, nil
	}
	r := report.New(pass)
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		for i := range flow.Instructions(fn) {
			if body := flow.ScopeFunction(i); body != nil && len(body.Blocks) > 0 && body.Pkg == fn.Pkg && len(body.Params) > 0 {
				l := newLifetime(r, body, flow.Source{Value: body.Params[len(body.Params)-1]})
				l.scope = i
				l.check()
			}
			if d, ok := i.(*ssa.Defer); ok {
				checkDeferred(r, d)
			}
		}
	}
	return nil, nil
}

// checkDeferred looks at a context that the function created and deletes at its end.
func checkDeferred(r *report.Reporter, d *ssa.Defer) {
	name, args := flow.PallocCommon(&d.Call)
	if name != "Context.Delete" {
		return
	}
	context := flow.Of(args[0])
	if created := flow.Created(context); created != nil && created.Parent() == d.Parent() {
		l := newLifetime(r, d.Parent(), context)
		l.deferred = d
		l.check()
	}
}

// A lifetime is that of a context which ends with a function.
type lifetime struct {
	*report.Reporter
	fn       *ssa.Function
	context  flow.Source
	scope    ssa.Instruction // the call of Scope, nil without
	deferred *ssa.Defer      // the deferred Delete, nil without
	known    map[ssa.Value]bool
}

func newLifetime(r *report.Reporter, fn *ssa.Function, context flow.Source) *lifetime {
	return &lifetime{Reporter: r, fn: fn, context: context, known: map[ssa.Value]bool{}}
}

// check reports what leaves the function, and the functions within it.
func (l *lifetime) check() {
	l.checkFunction(l.fn)
}

func (l *lifetime) checkFunction(fn *ssa.Function) {
	for i := range flow.Instructions(fn) {
		switch i := i.(type) {
		case *ssa.Return:
			if fn == l.fn && (l.deferred == nil || flow.Dominates(l.deferred, i)) {
				l.returned(i)
			}
		case *ssa.Panic:
			if fn == l.fn && l.refers(i.X) {
				l.At(i.Pos(), "the panic refers to memory of %s: copy it", l.name())
			}
		case *ssa.Store:
			if l.refers(i.Val) && l.outlives(i.Addr, i) && !l.replaced(i) && !l.cleared(i) {
				l.At(storePos(i), "memory of %s is stored where it lives on: copy it with %s", l.name(), copier(i.Val))
			}
		case *ssa.MapUpdate:
			if l.isOutside(i.Map) && (l.refers(i.Key) || l.refers(i.Value)) {
				l.At(i.Pos(), "memory of %s is stored in a map that lives on: copy it", l.name())
			}
		case *ssa.Call:
			l.called(i)
		}
	}
	for _, inner := range fn.AnonFuncs {
		l.checkFunction(inner)
	}
}

// name says whose memory it is.
func (l *lifetime) name() string {
	if l.scope != nil {
		return "the Scope's context"
	}
	return "the context that is deleted on return"
}

// returned reports the results that refer to the context.
func (l *lifetime) returned(ret *ssa.Return) {
	for _, v := range ret.Results {
		if !l.refers(v) {
			continue
		}
		if isError(v.Type()) {
			l.At(pos(ret, v), "the returned error refers to memory of %s: copy the text with strings.Clone", l.name())
		} else {
			l.At(pos(ret, v), "the result is memory of %s: copy it with %s", l.name(), copier(v))
		}
	}
}

// called reports elements that are appended to a slice in a context that lives on.
func (l *lifetime) called(call *ssa.Call) {
	name, args := flow.Palloc(call)
	var elements ssa.Value
	switch name {
	case "Append", "TryAppend":
		elements = args[2]
	case "Clone", "TryClone":
		elements = args[1]
	default:
		return
	}
	context := flow.Of(args[0])
	if l.isOutside(context.Value) && !l.belongs(context) && holdsPointers(elements.Type()) && l.holds(elements) {
		l.At(call.Pos(), "memory of %s is stored in a context that lives on: copy it with palloc.CloneString or palloc.Clone", l.name())
	}
}

// Package owner reports contexts that two goroutines use at once.
//
// Invariant: a context is reported only if its creation without Shared is in sight, and between
// the start of the goroutine and the other use nothing waits.
// Cost: for each goroutine that is started a walk over the function and the goroutine's.
package owner

import (
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
	"github.com/gopalloc/palloc/cmd/palloccheck/report"
)

// Analyzer reports contexts with two owners.
var Analyzer = &analysis.Analyzer{
	Name: "pallocowner",
	Doc: `report contexts of palloc that two goroutines use at once

A context belongs to one goroutine at a time, unless it is created with Shared. The analyzer
reports a goroutine that uses a context which the function that started it goes on to use without
waiting, or which another goroutine uses that was started before, also in a loop. Creating children
of the context and reading statistics is for any goroutine, and not reported.`,
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
			if s, ok := startOf(i); ok {
				s.check(r)
			}
		}
	}
	return nil, nil
}

// A start is an instruction that starts a goroutine.
type start struct {
	at   ssa.Instruction
	uses []flow.Source // the contexts that the goroutine uses
}

// startOf returns the goroutine that an instruction starts: a go statement, or a call of a
// method Go with a function, as sync.WaitGroup and errgroup.Group have it.
func startOf(i ssa.Instruction) (s start, ok bool) {
	s.at = i
	switch i := i.(type) {
	case *ssa.Go:
		if name, args := flow.PallocCommon(&i.Call); api.OwnerOnly[name] {
			s.uses = []flow.Source{flow.Of(args[0])}
		} else {
			s.uses = ofBody(i, i.Call.Value, i.Call.Args)
		}
		return s, true
	case *ssa.Call:
		f := flow.Callee(&i.Call)
		if f != nil && f.Name() == "Go" && f.Signature().Recv() != nil && len(i.Call.Args) > 0 {
			s.uses = ofBody(i, i.Call.Args[len(i.Call.Args)-1], nil)
			return s, true
		}
	}
	return s, false
}

// ofBody returns the contexts that the function of a goroutine uses.
func ofBody(at ssa.Instruction, body ssa.Value, args []ssa.Value) []flow.Source {
	fn := flow.Literal(body)
	if fn == nil || len(fn.Blocks) == 0 || fn.Pkg != at.Parent().Pkg {
		return nil
	}
	return usedBy(fn, args, 0)
}

// check reports the contexts that the goroutine uses at the same time as another.
func (s start) check(r *report.Reporter) {
	for _, context := range s.uses {
		if !isExclusive(context) || !flow.Known(context.Value, s.at) {
			continue
		}
		created, _ := context.Value.(ssa.Instruction)
		for i := range flow.After(s.at, func(i ssa.Instruction) bool { return waits(i) || i == created }) {
			if i == s.at {
				r.At(s.at.Pos(), "each goroutine that the loop starts uses the same context: create a child for each, or the context with palloc.Shared()")
			}
			if !waits(i) && s.conflicts(i, context) {
				r.At(s.at.Pos(), "the goroutine uses a context that line %d uses without waiting for it: create a child for the goroutine, or the context with palloc.Shared()", r.Line(i.Pos()))
			}
		}
		if d := s.deletedAtEnd(context); d != nil {
			r.At(s.at.Pos(), "the goroutine uses a context that line %d deletes on return without waiting for it", r.Line(d.Pos()))
		}
	}
}

// conflicts reports whether an instruction uses the context, or starts a goroutine that does.
func (s start) conflicts(i ssa.Instruction, context flow.Source) bool {
	if i == s.at {
		return false
	}
	if other, ok := startOf(i); ok {
		return contains(other.uses, context)
	}
	if _, isDefer := i.(*ssa.Defer); isDefer {
		return false
	}
	return contains(usedHere(i, 0), context)
}

// deletedAtEnd returns a deferred Delete of the context that may run before the goroutine
// ends, nil if there is none or what else is deferred may wait.
func (s start) deletedAtEnd(context flow.Source) (d *ssa.Defer) {
	for i := range flow.Instructions(s.at.Parent()) {
		other, ok := i.(*ssa.Defer)
		if !ok {
			continue
		}
		name, args := flow.PallocCommon(&other.Call)
		switch {
		case name == "":
			return nil
		case name == "Context.Delete" && flow.Of(args[0]) == context && flow.Dominates(other, s.at):
			d = other
		}
	}
	if d == nil {
		return nil
	}
	for i := range flow.After(s.at, waits) {
		if _, isEnd := i.(*ssa.RunDefers); isEnd {
			return d
		}
	}
	return nil
}

// isExclusive reports whether it is in sight that a context was created without Shared.
func isExclusive(context flow.Source) bool {
	if created := flow.Created(context); created != nil {
		return lacksShared(created.Call.Args[len(created.Call.Args)-1])
	}
	p, ok := context.Value.(*ssa.Parameter)
	if !ok || context.Path != "" || p.Parent().Parent() == nil {
		return false
	}
	for i := range flow.Instructions(p.Parent().Parent()) {
		if flow.ScopeFunction(i) == p.Parent() {
			_, args := flow.Palloc(i)
			return lacksShared(args[3])
		}
	}
	return false
}

// lacksShared reports whether the options are known, and Shared is not one of them.
func lacksShared(options ssa.Value) bool {
	all, known := flow.Elements(options)
	for _, o := range all {
		call, isCall := o.(*ssa.Call)
		if !isCall {
			return false
		}
		if name, _ := flow.Palloc(call); name == "" || name == "Shared" {
			return false
		}
	}
	return known
}

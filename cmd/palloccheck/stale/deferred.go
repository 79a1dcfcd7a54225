package stale

import (
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Deferred calls run in the reverse order, after all others.

// deferred reports contexts that a deferred Delete finds deleted, and deferred uses that run
// after a deferred Delete.
func (f *function) deferred() {
	for i := range flow.Instructions(f.fn) {
		d, ok := i.(*ssa.Defer)
		if !ok {
			continue
		}
		name, args := flow.PallocCommon(&d.Call)
		if name != "Context.Delete" {
			continue
		}
		context := flow.Of(args[0])
		if context.Path != "" || !flow.Known(context.Value, d) {
			continue
		}
		f.deletedBefore(d, context)
		f.deferredBefore(d, context)
	}
}

// deletedBefore reports a deletion that always comes before the deferred one.
func (f *function) deletedBefore(d *ssa.Defer, context flow.Source) {
	for i := range f.after(d) {
		name, args := flow.Palloc(i)
		if name == "Context.Delete" && flow.Of(args[0]) == context {
			f.At(i.Pos(), "the context is deleted here, and again by the defer at line %d", f.Line(d.Pos()))
		}
	}
}

// deferredBefore reports deferred uses that run after the deferred deletion.
func (f *function) deferredBefore(d *ssa.Defer, context flow.Source) {
	for i := range flow.Instructions(f.fn) {
		use, ok := i.(*ssa.Defer)
		if !ok || use == d || !flow.Dominates(use, d) {
			continue
		}
		name, args := flow.PallocCommon(&use.Call)
		if name == "" || api.AfterDeletion[name] || len(args) == 0 || !api.IsContext(args[0].Type()) || flow.Of(args[0]) != context {
			continue
		}
		f.At(use.Pos(), "the deferred %s runs after the Delete that line %d defers", name, f.Line(d.Pos()))
	}
}

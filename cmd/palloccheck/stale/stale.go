// Package stale reports uses of contexts after their deletion, and of chunks after they were
// freed or their context was reset.
//
// Invariant: a use is reported only if control passes the end of what is used each time before.
// Cost: for each end of a context or chunk a step for each instruction of the function.
package stale

import (
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
	"github.com/gopalloc/palloc/cmd/palloccheck/report"
)

// Analyzer reports uses of what ended before, in one function.
var Analyzer = &analysis.Analyzer{
	Name: "pallocstale",
	Doc: `report uses of palloc's contexts and chunks after their end

The analyzer reports, within one function, the use of a context after Delete, and the use of a
pointer, slice or string of a context after the Reset or Delete of the context, after Free,
FreeSlice, FreeString, FreePointer or Realloc of it, after Append or Grow of it, and the use of
what Buffer.Bytes or Buffer.String returned after the next write.`,
	Requires: []*analysis.Analyzer{buildssa.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !api.Imports(pass.Pkg) {
		return nil, nil
	}
	r := report.New(pass)
	for _, fn := range pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA).SrcFuncs {
		f := &function{Reporter: r, fn: fn}
		for i := range flow.Instructions(fn) {
			f.endOf(i)
		}
		f.deferred()
	}
	return nil, nil
}

// A function is what is looked at.
type function struct {
	*report.Reporter
	fn *ssa.Function
}

// endOf looks for uses of what the instruction ends.
func (f *function) endOf(i ssa.Instruction) {
	name, args := flow.Palloc(i)
	if end, ok := api.Ends[name]; ok {
		f.contextEnds(i, flow.Of(args[0]), end, name)
	}
	if at, ok := api.Frees[name]; ok && !appendsNothing(name, args) {
		f.chunkEnds(i, args[at], name)
	}
	if buffer, name := writes(i); buffer != nil {
		f.bufferChanges(i, buffer, name)
	}
}

// appendsNothing reports whether a call is Append without values.
func appendsNothing(name string, args []ssa.Value) bool {
	if name != "Append" {
		return false
	}
	c, isConst := args[2].(*ssa.Const)
	return isConst && c.IsNil()
}

// contextEnds reports uses after the end of a context, or of its chunks.
func (f *function) contextEnds(end ssa.Instruction, context flow.Source, what api.End, name string) {
	if !flow.Known(context.Value, end) {
		return
	}
	for use := range f.after(end) {
		if what.Itself || what.Below {
			f.useOfContext(end, use, context, what, name)
		}
		for _, v := range used(use) {
			c, ok := flow.ChunkOf(v)
			if !ok || !flow.Dominates(c.At, end) {
				continue
			}
			own, below := c.Context == context, isBelow(c.Context, context)
			if own && what.Chunks || below && what.BelowChunks {
				f.At(posOf(use), "memory of a context is used after the %s at line %d", name, f.Line(end.Pos()))
			}
		}
	}
}

// useOfContext reports an instruction that calls a function of palloc with a deleted context.
func (f *function) useOfContext(end, use ssa.Instruction, context flow.Source, what api.End, name string) {
	call, ok := use.(ssa.CallInstruction)
	if !ok {
		return
	}
	callee, args := flow.PallocCommon(call.Common())
	if callee == "" || api.AfterDeletion[callee] {
		return
	}
	for _, a := range args {
		if !api.IsContext(a.Type()) && !api.IsBuffer(a.Type()) {
			continue
		}
		of := flow.Of(a)
		if api.IsBuffer(a.Type()) {
			of = flow.BufferContext(a)
		}
		if asked(of, end, use) {
			continue
		}
		if what.Itself && of == context || what.Below && of.Value != nil && isBelow(of, context) && createdBefore(of, end) {
			f.At(posOf(use), "the context is used after the %s at line %d", name, f.Line(end.Pos()))
		}
	}
}

// asked reports whether the program asks in between whether the context is live.
func asked(context flow.Source, end, use ssa.Instruction) bool {
	for i := range flow.Instructions(use.Parent()) {
		name, args := flow.Palloc(i)
		if name == "Context.Live" && flow.Of(args[0]) == context && flow.Dominates(end, i) && flow.Dominates(i, use) {
			return true
		}
	}
	return false
}

// createdBefore reports whether a context was created each time before the end.
func createdBefore(context flow.Source, end ssa.Instruction) bool {
	created := flow.Created(context)
	return created != nil && flow.Dominates(created, end)
}

// isBelow reports whether a context was created below the other, and is not moved.
func isBelow(context, above flow.Source) bool {
	for created := flow.Created(context); created != nil; created = flow.Created(context) {
		if flow.IsMoved(created) {
			return false
		}
		context = flow.Of(created.Call.Args[0])
		if context == above {
			return true
		}
	}
	return false
}

package owner

import (
	"slices"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Which contexts a function uses as only their owner may.
//
// Invariant: what it does after it waited for another goroutine does not count.

// maxDepth bounds how many functions are followed, one called by the other.
const maxDepth = 3

func contains(all []flow.Source, context flow.Source) bool { return slices.Contains(all, context) }

// usedBy returns the contexts that a function uses as only their owner may, before it waits
// for anything. A context that is its parameter is returned as the argument.
func usedBy(fn *ssa.Function, args []ssa.Value, depth int) (all []flow.Source) {
	locked := false
	for i := range flow.Instructions(fn) {
		locked = locked || waits(i)
	}
	first := fn.Blocks[0].Instrs[0]
	visit := func(i ssa.Instruction) {
		if _, isDefer := i.(*ssa.Defer); isDefer && locked {
			return
		}
		for _, context := range usedHere(i, depth) {
			for n, p := range fn.Params {
				if context.Value == p && context.Path == "" && n < len(args) {
					context = flow.Of(args[n])
				}
			}
			all = append(all, context)
		}
	}
	visit(first)
	if waits(first) {
		return all
	}
	for i := range flow.After(first, waits) {
		visit(i)
	}
	return all
}

// usedHere returns the contexts that an instruction uses as only their owner may.
func usedHere(i ssa.Instruction, depth int) []flow.Source {
	call, ok := i.(ssa.CallInstruction)
	if !ok {
		return nil
	}
	if _, isGo := i.(*ssa.Go); isGo {
		return nil
	}
	c := call.Common()
	name, args := flow.PallocCommon(c)
	switch {
	case api.OwnerOnly[name]:
		return []flow.Source{flow.Of(args[0])}
	case name != "" && len(args) > 0 && api.IsBuffer(args[0].Type()):
		if context := flow.BufferContext(args[0]); context.Value != nil {
			return []flow.Source{context}
		}
	case name == "":
		fn := c.StaticCallee()
		if fn != nil && depth < maxDepth && len(fn.Blocks) > 0 && fn.Pkg == i.Parent().Pkg {
			return usedBy(fn, args, depth+1)
		}
	}
	return nil
}

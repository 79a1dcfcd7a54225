package flow

import (
	"iter"

	"golang.org/x/tools/go/ssa"
)

// What comes after what.
//
// Invariant: a caught panic is not followed; a deferred call is where it is deferred.
// Cost: a step for each instruction that is reached.

// Instructions returns an iterator over the instructions of a function.
func Instructions(fn *ssa.Function) iter.Seq[ssa.Instruction] {
	return func(yield func(ssa.Instruction) bool) {
		for _, b := range fn.Blocks {
			for _, i := range b.Instrs {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// index returns the place of an instruction in its block.
func index(i ssa.Instruction) int {
	for n, other := range i.Block().Instrs {
		if other == i {
			return n
		}
	}
	return -1
}

// Dominates reports whether control passes a before each time it reaches b. A parameter
// and a constant dominate everything. What an enclosing function computes dominates what a
// closure does.
func Dominates(a, b ssa.Instruction) bool {
	if a.Parent() != b.Parent() {
		return encloses(a.Parent(), b.Parent())
	}
	if a.Block() == b.Block() {
		return index(a) < index(b)
	}
	return a.Block().Dominates(b.Block())
}

func encloses(outer, inner *ssa.Function) bool {
	for fn := inner.Parent(); fn != nil; fn = fn.Parent() {
		if fn == outer {
			return true
		}
	}
	return false
}

// Known reports whether v is computed before control reaches at: see Dominates.
func Known(v ssa.Value, at ssa.Instruction) bool {
	i, ok := v.(ssa.Instruction)
	return !ok || Dominates(i, at)
}

// After returns an iterator over what may run after an instruction. It does not go beyond an
// instruction for which stop returns true.
func After(from ssa.Instruction, stop func(ssa.Instruction) bool) iter.Seq[ssa.Instruction] {
	return func(yield func(ssa.Instruction) bool) {
		seen := map[*ssa.BasicBlock]bool{}
		var walk func(b *ssa.BasicBlock, begin int) bool
		walk = func(b *ssa.BasicBlock, begin int) bool {
			for _, i := range b.Instrs[begin:] {
				if !yield(i) {
					return false
				}
				if stop != nil && stop(i) {
					return true
				}
			}
			for _, next := range b.Succs {
				if !seen[next] {
					seen[next] = true
					if !walk(next, 0) {
						return false
					}
				}
			}
			return true
		}
		walk(from.Block(), index(from)+1)
	}
}

// Reaches reports whether b may run after a.
func Reaches(a, b ssa.Instruction) bool {
	for i := range After(a, nil) {
		if i == b {
			return true
		}
	}
	return false
}

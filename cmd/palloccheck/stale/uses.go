package stale

import (
	"go/constant"
	"go/token"
	"go/types"
	"iter"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Which memory an instruction uses.
//
// Invariant: the length of a slice and the address in a pointer are no memory of a context.

// after returns an iterator over the instructions that control reaches only after the end.
func (f *function) after(end ssa.Instruction) iter.Seq[ssa.Instruction] {
	return func(yield func(ssa.Instruction) bool) {
		for i := range flow.Instructions(f.fn) {
			if i != end && flow.Dominates(end, i) && !yield(i) {
				return
			}
		}
	}
}

// used returns the values whose memory an instruction reads, writes, or gives to others.
func used(i ssa.Instruction) []ssa.Value {
	switch i := i.(type) {
	case *ssa.UnOp:
		if i.Op == token.MUL && isAddress(i.X) {
			return []ssa.Value{i.X}
		}
	case *ssa.Store:
		if isAddress(i.Addr) {
			return []ssa.Value{i.Addr}
		}
	case *ssa.Lookup, *ssa.Range, *ssa.Convert, *ssa.MultiConvert:
		return texts(i)
	case *ssa.BinOp:
		if !isEmpty(i.X) && !isEmpty(i.Y) {
			return texts(i)
		}
	case *ssa.Return:
		return i.Results
	case ssa.CallInstruction:
		return calledWith(i.Common())
	}
	return nil
}

// isAddress reports whether an address leads to other memory than a variable.
func isAddress(v ssa.Value) bool {
	switch v.(type) {
	case *ssa.Alloc, *ssa.FreeVar, *ssa.Global:
		return false
	}
	return true
}

// texts returns the operands that are strings or slices.
func texts(i ssa.Instruction) (all []ssa.Value) {
	for _, o := range i.Operands(nil) {
		if *o == nil {
			continue
		}
		switch u := (*o).Type().Underlying().(type) {
		case *types.Slice:
			all = append(all, *o)
		case *types.Basic:
			if u.Info()&types.IsString != 0 {
				all = append(all, *o)
			}
		}
	}
	return all
}

func isEmpty(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && (c.Value == nil || c.Value.Kind() == constant.String && constant.StringVal(c.Value) == "")
}

// calledWith returns the arguments of a call that it may read. The length of a slice is not
// in its memory.
func calledWith(c *ssa.CallCommon) []ssa.Value {
	if b, ok := c.Value.(*ssa.Builtin); ok {
		switch b.Name() {
		case "copy", "append", "clear", "print", "println":
			return c.Args
		}
		return nil
	}
	return append(printed(c), c.Args...)
}

// printed returns the strings and slices among the arguments of fmt and alike. Of a pointer
// these only print the address.
func printed(c *ssa.CallCommon) (all []ssa.Value) {
	if len(c.Args) == 0 || !c.Signature().Variadic() {
		return nil
	}
	elements, _ := flow.Elements(c.Args[len(c.Args)-1])
	for _, e := range elements {
		if boxed, ok := e.(*ssa.MakeInterface); ok {
			all = append(all, texts(boxed)...)
		}
	}
	return all
}

// posOf returns the place of an instruction, or of what it computes with.
func posOf(i ssa.Instruction) token.Pos {
	if i.Pos().IsValid() {
		return i.Pos()
	}
	for _, o := range i.Operands(nil) {
		if *o != nil && (*o).Pos().IsValid() {
			return (*o).Pos()
		}
	}
	return token.NoPos
}

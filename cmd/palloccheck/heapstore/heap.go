package heapstore

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
)

// Whether a value is on Go's heap.
//
// Invariant: a value that came from elsewhere, such as a parameter, is not known to be there.

// makes are functions whose result is always new memory of Go's heap, except for short or
// fixed texts, on which a program cannot rely.
var makes = map[string]bool{}

func init() {
	for pkg, names := range map[string][]string{
		"fmt":     {"Sprintf", "Sprint", "Sprintln", "Errorf"},
		"strconv": {"Itoa", "FormatInt", "FormatUint", "FormatFloat", "Quote", "QuoteRune", "QuoteToASCII"},
		"strings": {"Clone", "Repeat", "Join", "Builder.String", "Split", "SplitN", "Fields"},
		"bytes":   {"Clone", "Repeat", "Join", "Buffer.String"},
		"slices":  {"Clone", "Collect", "Sorted", "Concat", "Repeat"},
		"errors":  {"New", "Join"},
		"os":      {"ReadFile"},
		"io":      {"ReadAll"},
	} {
		for _, name := range names {
			makes[pkg+"."+name] = true
		}
	}
}

// heap says what made a value on Go's heap, "" if it is not certain that it is there.
func heap(v ssa.Value, seen map[ssa.Value]bool) string {
	if seen[v] {
		return ""
	}
	seen[v] = true
	v = flow.Of(v).Value
	switch x := v.(type) {
	case *ssa.Phi:
		for _, edge := range x.Edges {
			if from := heap(edge, seen); from != "" {
				return from
			}
		}
	case *ssa.Slice:
		if array, isArray := x.X.(*ssa.Alloc); isArray && array.Comment == "makeslice" {
			return "the result of make"
		} else if isArray {
			return "the array of the slice"
		}
		if _, isChunk := flow.ChunkOf(x); !isChunk {
			return heap(x.X, seen)
		}
	case *ssa.MakeInterface:
		return heap(x.X, seen)
	case *ssa.ChangeInterface:
		return heap(x.X, seen)
	case *ssa.Extract:
		if call, ok := x.Tuple.(*ssa.Call); ok && x.Index == 0 {
			return made(call, seen)
		}
	case *ssa.Call:
		if whole := flow.Aliased(x); whole != nil {
			return heap(whole, seen)
		}
		return made(x, seen)
	case *ssa.Alloc:
		return "the address of a Go variable"
	case *ssa.MakeSlice:
		return "the result of make"
	case *ssa.MakeMap, *ssa.MakeChan:
		return "the result of make"
	case *ssa.MakeClosure:
		if len(x.Bindings) > 0 {
			return "a closure with variables"
		}
	case *ssa.Convert:
		return converted(x)
	case *ssa.BinOp:
		if x.Op == token.ADD && isString(x.Type()) {
			return "a concatenation"
		}
	}
	return ""
}

// made says what a call made on Go's heap.
func made(call *ssa.Call, seen map[ssa.Value]bool) string {
	if b, ok := call.Call.Value.(*ssa.Builtin); ok {
		if b.Name() == "append" {
			if _, isChunk := flow.ChunkOf(call.Call.Args[0]); isChunk || isNil(call.Call.Args[0]) || heap(call.Call.Args[0], seen) != "" {
				return "the result of the built-in append"
			}
		}
		return ""
	}
	if name := flow.FullName(&call.Call); makes[name] {
		return "the result of " + name
	}
	if name, _ := flow.Palloc(call); name == "Buffer.Clone" {
		return "the result of Buffer.Clone"
	}
	return ""
}

// converted says what a conversion between text and bytes made.
func converted(x *ssa.Convert) string {
	if _, isConst := x.X.(*ssa.Const); isConst && isString(x.Type()) {
		return ""
	}
	if isString(x.Type()) != isString(x.X.Type()) && (isText(x.Type()) && isText(x.X.Type())) {
		return "the conversion"
	}
	return ""
}

func isNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.IsNil()
}

func isString(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// isText reports whether a type is a string or a slice.
func isText(t types.Type) bool {
	_, isSlice := t.Underlying().(*types.Slice)
	return isSlice || isString(t)
}

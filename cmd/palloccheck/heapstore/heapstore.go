// Package heapstore reports pointers to Go's heap that a context gets, although it promised to
// have none.
//
// Invariant: a store is reported only if the value is made by an expression or function that
// always allocates on Go's heap, and the place is a struct with palloc.NoHeapPointers that is
// in a context or gets there.
// Cost: a step for each store, and for each place that the stored value may come from.
package heapstore

import (
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/flow"
	"github.com/gopalloc/palloc/cmd/palloccheck/report"
)

// Analyzer reports values of Go's heap in a struct that embeds palloc.NoHeapPointers.
var Analyzer = &analysis.Analyzer{
	Name: "pallocheapstore",
	Doc: `report pointers to Go's heap in a struct that embeds palloc.NoHeapPointers

The garbage collector does not see what a context points to, and frees it. The analyzer reports
the store of a string, slice, pointer, func or interface that was just made on Go's heap, such as
the result of fmt.Sprintf, into such a struct in a context.`,
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
			s, ok := i.(*ssa.Store)
			if !ok {
				continue
			}
			if from := heap(s.Val, map[ssa.Value]bool{}); from != "" && promised(s.Addr) && inContext(s.Addr) {
				pos := s.Pos()
				if !pos.IsValid() {
					pos = s.Val.Pos()
				}
				r.At(pos, "%s is on Go's heap, and the struct promises palloc.NoHeapPointers: %s", from, instead(s.Val.Type()))
			}
		}
	}
	return nil, nil
}

func instead(t types.Type) string {
	switch u := t.Underlying().(type) {
	case *types.Slice:
		return "make it with palloc.MakeSlice, palloc.Append or palloc.Clone"
	case *types.Pointer:
		return "make it with palloc.New"
	case *types.Basic:
		if u.Info()&types.IsString != 0 {
			return "copy it with palloc.CloneString"
		}
	}
	return "keep it outside of the context"
}

// promised reports whether an address is that of a field in a struct that embeds
// NoHeapPointers, on whatever level.
func promised(address ssa.Value) bool {
	for {
		switch x := address.(type) {
		case *ssa.FieldAddr:
			if p, ok := x.X.Type().Underlying().(*types.Pointer); ok && embeds(p.Elem()) {
				return true
			}
			address = x.X
		case *ssa.IndexAddr:
			address = x.X
		default:
			return false
		}
	}
}

// embeds reports whether a struct type embeds NoHeapPointers by value.
func embeds(t types.Type) bool {
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for f := range s.Fields() {
		if f.Embedded() && (api.Is(f.Type(), "NoHeapPointers") || embeds(f.Type())) {
			return true
		}
	}
	return false
}

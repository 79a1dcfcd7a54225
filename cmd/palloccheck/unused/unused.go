// Package unused reports calls of palloc whose result is lost.
//
// Invariant: a result that is assigned, also to the blank identifier, is used.
// Cost: a step for each statement.
package unused

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
	"github.com/gopalloc/palloc/cmd/palloccheck/report"
)

// Analyzer reports unused results.
var Analyzer = &analysis.Analyzer{
	Name: "pallocunused",
	Doc: `report unused results of palloc's functions

The analyzer reports a call of Append, Grow, Clone, CloneString, Sprintf, Realloc, of a Try
function and of others that are called for their result, as a statement, deferred, or with go.`,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	if !api.Imports(pass.Pkg) {
		return nil, nil
	}
	r := report.New(pass)
	statements := []ast.Node{(*ast.ExprStmt)(nil), (*ast.DeferStmt)(nil), (*ast.GoStmt)(nil)}
	pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Preorder(statements, func(n ast.Node) {
		call := callOf(n)
		if call == nil {
			return
		}
		f, _ := typeutil.Callee(pass.TypesInfo, call).(*types.Func)
		if name := api.Name(f); api.MustUse[name] != "" {
			r.At(call.Pos(), "the result of %s is not used: %s", name, api.MustUse[name])
		}
	})
	return nil, nil
}

// callOf returns the call that a statement is, nil for other statements.
func callOf(n ast.Node) *ast.CallExpr {
	switch n := n.(type) {
	case *ast.ExprStmt:
		call, _ := ast.Unparen(n.X).(*ast.CallExpr)
		return call
	case *ast.DeferStmt:
		return n.Call
	case *ast.GoStmt:
		return n.Call
	}
	return nil
}

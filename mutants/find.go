package main

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// finder collects the mutants of one file.
type finder struct {
	files *token.FileSet
	path  string
	text  []byte
	found []mutant
}

func (f *finder) offset(p token.Pos) int { return f.files.Position(p).Offset }

func (f *finder) source(n ast.Node) string {
	return string(f.text[f.offset(n.Pos()):f.offset(n.End())])
}

// add adds a mutant that replaces what is between two places.
func (f *finder) add(kind string, begin, end token.Pos, with string) {
	f.found = append(f.found, mutant{
		file: f.path, kind: kind, line: f.files.Position(begin).Line, text: f.text,
		edits: []edit{{f.offset(begin), f.offset(end), with}},
	})
}

// function finds the mutants in a function: in each statement, and of the whole.
func (f *finder) function(fn *ast.FuncDecl) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			f.add("negated condition", n.Cond.Pos(), n.Cond.End(), "!("+f.source(n.Cond)+")")
			f.add("dropped body", n.Body.Pos(), n.Body.End(), "{}")
		case *ast.ForStmt:
			if n.Cond != nil {
				f.add("negated condition", n.Cond.Pos(), n.Cond.End(), "!("+f.source(n.Cond)+")")
			}
		case *ast.BlockStmt:
			f.statements(n.List)
		case *ast.CaseClause:
			f.statements(n.Body)
		}
		return f.expression(n)
	})
	f.early(fn)
	f.unlocked(fn)
}

// statements finds those that can be dropped.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt:
			f.add("dropped statement", s.Pos(), s.End(), "")
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				f.add("dropped statement", s.Pos(), s.End(), "")
			}
		}
	}
}

// flips are the operators that take the place of others.
var flips = map[token.Token]struct{ kind, with string }{
	token.EQL: {"comparison", "!="}, token.NEQ: {"comparison", "=="},
	token.LSS: {"comparison", "<="}, token.LEQ: {"comparison", "<"},
	token.GTR: {"comparison", ">="}, token.GEQ: {"comparison", ">"},
	token.LAND: {"and/or", "||"}, token.LOR: {"and/or", "&&"},
}

// expression finds operators, constants and atomics.
func (f *finder) expression(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if flip, ok := flips[n.Op]; ok {
			f.add(flip.kind, n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), flip.with)
		}
	case *ast.BasicLit:
		if v, err := strconv.ParseInt(n.Value, 0, 64); n.Kind == token.INT && err == nil {
			f.add("constant", n.Pos(), n.End(), strconv.FormatInt(v+1, 10))
			f.add("constant", n.Pos(), n.End(), strconv.FormatInt(v-1, 10))
		}
	case *ast.CallExpr:
		f.atomic(n)
	}
	return true
}

// atomic finds an atomic operation that can be made plain, or relaxed.
func (f *finder) atomic(n *ast.CallExpr) {
	s, ok := n.Fun.(*ast.SelectorExpr)
	if !ok {
		return
	}
	pkg, ok := s.X.(*ast.Ident)
	if !ok || pkg.Name != "atomic" && pkg.Name != "relaxed" {
		return
	}
	var arg []string
	for _, a := range n.Args {
		arg = append(arg, f.source(a))
	}
	keep := func(with string) { // the import stays in use
		f.add("atomic", n.Pos(), n.End(), with)
		m := &f.found[len(f.found)-1]
		if end := len(f.text); pkg.Name == "atomic" {
			m.edits = append(m.edits, edit{end, end, "\nvar _ = atomic.AddUint32\n"})
		}
	}
	switch name := s.Sel.Name; {
	case pkg.Name == "relaxed" && name == "StoreRelease32":
		keep("relaxed.Store32(" + strings.Join(arg, ", ") + ")")
	case pkg.Name == "relaxed":
	case strings.HasPrefix(name, "Store"):
		keep("*(" + arg[0] + ") = " + arg[1])
		if slices.Contains([]string{"StoreUint32", "StoreUint64"}, name) && strings.Contains(string(f.text), "internal/relaxed\"") {
			keep("relaxed.Store" + strings.TrimPrefix(name, "StoreUint") + "(" + arg[0] + ", " + arg[1] + ")")
		}
	case strings.HasPrefix(name, "Load"):
		keep("*(" + arg[0] + ")")
	case strings.HasPrefix(name, "CompareAndSwap"):
		keep("func() bool { p := " + arg[0] + "; ok := *p == " + arg[1] + "; if ok { *p = " + arg[2] + " }; return ok }()")
	}
}

// early finds a return at the beginning of a function.
func (f *finder) early(fn *ast.FuncDecl) {
	with := "return"
	if r := fn.Type.Results; r != nil && len(r.List) > 0 && len(r.List[0].Names) == 0 {
		var zero []string
		for _, field := range r.List {
			zero = append(zero, "*new("+f.source(field.Type)+")")
		}
		with += " " + strings.Join(zero, ", ")
	}
	f.add("early return", fn.Body.Lbrace+1, fn.Body.Lbrace+1, "\n"+with+"\n")
}

// unlocked finds a function that locks and unlocks, and drops both.
func (f *finder) unlocked(fn *ast.FuncDecl) {
	m := mutant{file: f.path, kind: "lock removed", text: f.text}
	locks := 0
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		call, begin := calledStatement(n)
		if call == nil || len(call.Args) > 0 {
			return true
		}
		name := f.source(call.Fun)
		name = name[strings.LastIndexByte(name, '.')+1:]
		if name != "Lock" && name != "Unlock" {
			return true
		}
		if name == "Lock" {
			locks++
		}
		if m.line == 0 {
			m.line = f.files.Position(begin).Line
		}
		m.edits = append(m.edits, edit{f.offset(begin), f.offset(call.End()), ""})
		return false
	})
	if locks > 0 && len(m.edits) > locks {
		slices.SortFunc(m.edits, func(a, b edit) int { return a.begin - b.begin })
		f.found = append(f.found, m)
	}
}

// calledStatement returns the call that a statement is, deferred or not, and where that begins.
func calledStatement(n ast.Node) (*ast.CallExpr, token.Pos) {
	switch s := n.(type) {
	case *ast.ExprStmt:
		call, _ := s.X.(*ast.CallExpr)
		return call, s.Pos()
	case *ast.DeferStmt:
		return s.Call, s.Pos()
	}
	return nil, token.NoPos
}

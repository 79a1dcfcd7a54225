package api_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"

	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/gopalloc/palloc" // the programs in testdata, which go mod tidy does not read, import it

	"github.com/gopalloc/palloc/cmd/palloccheck/api"
)

// The tables agree with palloc itself, whose sources lie above.

const root = "../../.."

// A function is an exported function or method of palloc.
type function struct {
	doc     string
	args    []string // types of the receiver and the parameters
	results []string
}

// functions returns palloc's functions by their names in the tables.
func functions(t *testing.T) map[string]function {
	t.Helper()
	set, files := token.NewFileSet(), []*ast.File{}
	names, err := filepath.Glob(root + "/*.go")
	if err != nil || len(names) == 0 {
		t.Fatal("no sources: ", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	pkg, err := doc.NewFromFiles(set, files, api.Path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]function{}
	for _, f := range pkg.Funcs {
		all[f.Name] = of(f)
	}
	for _, typ := range pkg.Types {
		for _, f := range typ.Funcs {
			all[f.Name] = of(f)
		}
		for _, f := range typ.Methods {
			all[typ.Name+"."+f.Name] = of(f)
		}
	}
	return all
}

func of(f *doc.Func) function {
	d := f.Decl
	return function{strings.Join(strings.Fields(f.Doc), " "), append(typesOf(d.Recv), typesOf(d.Type.Params)...), typesOf(d.Type.Results)}
}

func typesOf(list *ast.FieldList) (all []string) {
	if list == nil {
		return nil
	}
	for _, field := range list.List {
		for range max(1, len(field.Names)) {
			all = append(all, text(field.Type))
		}
	}
	return all
}

func text(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return "*" + text(e.X)
	case *ast.ArrayType:
		return "[]" + text(e.Elt)
	case *ast.SelectorExpr:
		return text(e.X) + "." + e.Sel.Name
	}
	return "other"
}

func TestTablesNameFunctionsOfPalloc(t *testing.T) {
	all := functions(t)
	tables := map[string][]string{
		"Creates": slices.Sorted(maps.Keys(api.Creates)), "Allocates": slices.Sorted(maps.Keys(api.Allocates)),
		"Resizes": slices.Sorted(maps.Keys(api.Resizes)), "Lends": slices.Sorted(maps.Keys(api.Lends)),
		"Writes": slices.Sorted(maps.Keys(api.Writes)), "Frees": slices.Sorted(maps.Keys(api.Frees)),
		"Ends": slices.Sorted(maps.Keys(api.Ends)), "AfterDeletion": slices.Sorted(maps.Keys(api.AfterDeletion)),
		"OwnerOnly": slices.Sorted(maps.Keys(api.OwnerOnly)), "Keeps": slices.Sorted(maps.Keys(api.Keeps)),
		"MustUse": slices.Sorted(maps.Keys(api.MustUse)),
	}
	for table, names := range tables {
		for _, name := range names {
			if _, ok := all[name]; !ok {
				t.Errorf("%s lists %s, which palloc does not have", table, name)
			}
		}
	}
}

func TestOwnerOnlyIsWhatTheCommentsSay(t *testing.T) {
	for name, f := range functions(t) {
		said := len(f.args) > 0 && f.args[0] == "Context" && strings.Contains(f.doc, "Owner only")
		if said != api.OwnerOnly[name] {
			t.Errorf("the comment of %s says %v, and OwnerOnly %v", name, said, api.OwnerOnly[name])
		}
	}
}

func TestAllocatesIsWhatReturnsMemoryOfAContext(t *testing.T) {
	memory := func(typ string) bool {
		return typ == "*T" || typ == "[]T" || typ == "[]*T" || typ == "[]byte" || typ == "[]string" || typ == "string" || typ == "unsafe.Pointer"
	}
	for name, f := range functions(t) {
		said := len(f.args) > 0 && f.args[0] == "Context" && len(f.results) > 0 && memory(f.results[0]) && strings.Contains(f.doc, "Owner only")
		if said != api.Allocates[name] {
			t.Errorf("the signature of %s says %v, and Allocates %v", name, said, api.Allocates[name])
		}
	}
}

func TestCreatesIsWhatReturnsAContextBelowAnother(t *testing.T) {
	for name, f := range functions(t) {
		said := strings.HasPrefix(name, "New") && len(f.args) > 0 && f.args[0] == "Context" && slices.Equal(f.results, []string{"Context"})
		if said != api.Creates[name] {
			t.Errorf("the signature of %s says %v, and Creates %v", name, said, api.Creates[name])
		}
	}
}

func TestArgumentsAreWhereTheTablesSay(t *testing.T) {
	all := functions(t)
	for name, at := range api.Frees {
		switch typ := all[name].args[at]; typ {
		case "*T", "[]T", "[]byte", "string", "unsafe.Pointer":
		default:
			t.Errorf("argument %d of %s is a %s, and no chunk", at, name, typ)
		}
	}
	for name, at := range api.Keeps {
		if all[name].args[at] != "Context" {
			t.Errorf("argument %d of %s is no Context", at, name)
		}
	}
	for name := range api.MustUse {
		if len(all[name].results) == 0 {
			t.Errorf("%s has no result", name)
		}
	}
	if scope := all["Scope"].args; len(scope) != 4 || scope[0] != "Context" {
		t.Errorf("Scope has the arguments %q: Scope's function is expected as the third", scope)
	}
}

package palloc_test

import (
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The rules that the compiler does not check: which package imports which, which files
// may use unsafe, that no large group of files depends on itself, that every exported name
// is documented and how, that the README is true, that the hot paths are inlined.

const module = "github.com/gopalloc/palloc"

// floors are the layers of packages from the top down: a package imports only packages of
// lower layers. "/*" stands for the packages of a folder that are not listed themselves.
var floors = [][]string{
	{"adapters/arrow", "adapters/pallocjson", "adapters/suite", "adapters/wazero", "cmd/palloc", "cmd/palloccheck", "examples/*", "examples/chapter/*", "bench", "bench/cells", "bench/containers", "bench/hot/program", "proptest", "proptest/soak", "mutants"},
	{"cmd/palloc/recording", "examples/simplepool/cmalloc", "cmd/palloccheck/suite", "bench/cell", "bench/hot", "bench/maps"},
	{"cmd/palloccheck/*"},
	{"cmd/palloccheck/flow", "cmd/palloccheck/report"},
	{"cmd/palloccheck/api"},
	{"cache", "internal/containertest"},
	{"trace/backend", "trace/flat", "palloctest", "draw", "btree", "deque", "hashmap", "heap", "list", "vector", "pallochttp", "pallocsql"},
	{"trace", "."},
	{"internal/budget"},
	{"internal/tree", "internal/share", "internal/typerule", "internal/deepcopy"},
	{"internal/kind/kinds"},
	{"internal/kind/conformance/*"},
	{"internal/kind/checked"},
	{"internal/kind/conformance", "internal/kind/*"},
	{"internal/kind/allocset", "internal/kind/slab", "internal/kind/generation", "internal/kind/bump"},
	{"internal/kind"},
	{"internal/chunk", "internal/block", "internal/cgroup"},
	{"internal/osmem"},
	{"internal/relaxed", "internal/process", "internal/asan", "internal/nocopy"},
}

// unsafeFiles are the files that may import unsafe.
var unsafeFiles = []string{
	"alloc.go", "buffer.go", "free.go", "inspect.go", "realloc.go", "slice.go", "string.go", "typed.go", "value.go",
	"internal/block/region.go", "internal/deepcopy/copy.go",
	"internal/kind/blocks.go", "internal/kind/core.go", "internal/kind/spans.go", "internal/kind/table.go",
	"internal/kind/checked/layout.go", "internal/kind/checked/goheap.go",
	"internal/kind/generation/hot.go", "internal/kind/slab/hot.go", "internal/kind/shared/spot.go",
	"internal/osmem/at.go", "internal/osmem/goheap.go", "internal/process/program_linux.go",
	"internal/tree/names.go", "internal/tree/node.go", "internal/typerule/descriptor.go",
	"adapters/arrow/arrow.go", "adapters/wazero/wazero.go",
	"trace/backend.go", "trace/place.go", "trace/strings.go", "trace/verify.go",
	"trace/backend/palloc.go", "trace/backend/goheap.go", "trace/backend/floor.go", "trace/backend/table.go",
	"cache/entry.go", "hashmap/hash.go", "hashmap/text.go",
	"bench/cell/memory.go",
	"bench/cell/modernc.go", "bench/cell/modernc_free.go", "bench/cell/ristretto.go",
}

// A source is a parsed file of the repository other than a test.
type source struct {
	name string // the path from the root, with slashes
	file *ast.File
}

var files = token.NewFileSet()

// sources returns all sources of the repository, without the inputs of tests.
func sources(t *testing.T) (all []source) {
	t.Helper()
	if runtime.GOARCH == "wasm" {
		t.Skip("reads the whole repository, which node's file system makes slow; other legs do it")
	}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && (d.Name() == "testdata" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		all = append(all, source{filepath.ToSlash(name), file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) imports() (list []string) {
	for _, i := range s.file.Imports {
		list = append(list, strings.Trim(i.Path.Value, `"`))
	}
	return list
}

func TestImportsRunDownward(t *testing.T) {
	floor := map[string]int{}
	for i, packages := range floors {
		for _, pkg := range packages {
			floor[pkg] = i
		}
	}
	floorOf := func(pkg string) (at int, known bool) {
		if at, known = floor[pkg]; !known {
			at, known = floor[path.Dir(pkg)+"/*"]
		}
		return at, known
	}
	for _, s := range sources(t) {
		own, known := floorOf(path.Dir(s.name))
		if !known {
			t.Errorf("%s: floors does not list its package", s.name)
			continue
		}
		for _, i := range s.imports() {
			pkg, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			pkg = path.Join(".", pkg)
			if at, known := floorOf(pkg); !known || at <= own {
				t.Errorf("%s imports %s, which is not below it", s.name, i)
			}
		}
	}
}

func TestModuleNeedsOnlySys(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.name, "adapters/") || strings.HasPrefix(s.name, "cmd/") || strings.HasPrefix(s.name, "bench/") || strings.HasPrefix(s.name, "proptest/") {
			continue // modules of their own
		}
		for _, i := range s.imports() {
			foreign := strings.Contains(strings.SplitN(i, "/", 2)[0], ".")
			if foreign && !strings.HasPrefix(i, module) && !strings.HasPrefix(i, "golang.org/x/sys/") {
				t.Errorf("%s imports %s", s.name, i)
			}
		}
	}
}

func TestUnsafeIsFenced(t *testing.T) {
	found := map[string]bool{}
	for _, s := range sources(t) {
		if slices.Contains(s.imports(), "unsafe") {
			found[s.name] = true
			if !slices.Contains(unsafeFiles, s.name) {
				t.Errorf("%s imports unsafe and is not among those that may", s.name)
			}
		}
	}
	for _, name := range unsafeFiles {
		if !found[name] {
			t.Errorf("%s may import unsafe and does not: take it off the list", name)
		}
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no doc comment", files.Position(d.Pos()), d.Name)
				}
			case *ast.GenDecl:
				undocumented(t, d)
			}
		}
	}
}

// exportedReceiver reports whether the documentation shows the function or method. The
// methods of a kind's Methods are documented by the interface that they implement.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	name := regexp.MustCompile(`\w+`).FindString(nameOf(d.Recv.List[0].Type))
	return ast.IsExported(name) && name != "Methods"
}

// nameOf returns the name of a receiver's type, without its type parameters.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return nameOf(e.X)
	case *ast.IndexExpr:
		return nameOf(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// undocumented reports as errors the exported names of a declaration that have no comment:
// neither their own, nor one on their line, nor one of the group.
func undocumented(t *testing.T, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
				t.Errorf("%s: %s has no doc comment", files.Position(s.Pos()), s.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					t.Errorf("%s: %s has no doc comment", files.Position(s.Pos()), name)
				}
			}
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	const maxLines = 60
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > maxLines {
					t.Errorf("%s: %s has %d lines, more than %d", files.Position(f.Pos()), f.Name, n, maxLines)
				}
			}
		}
	}
}

// goCommand runs the go command in the root and returns its output. It skips the test where
// there is no go command.
func goCommand(t *testing.T, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: starts the go command")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: ", err)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestREADMEShowsItsProgramAndWhatItPrints(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("examples/first/main.go")
	if err != nil {
		t.Fatal(err)
	}
	body := regexp.MustCompile(`(?s)func main\(\) \{\n(.*?)\n\}\n`).FindSubmatch(program)[1]
	shown := regexp.MustCompile("(?s)```go\n(.*?)\n```").FindSubmatch(readme)[1]
	if got := regexp.MustCompile(`(?m)^\t`).ReplaceAllString(string(body), ""); got != string(shown) {
		t.Errorf("README shows\n%s\nand examples/first has\n%s", shown, got)
	}
	output := goCommand(t, "run", "./examples/first")
	if !strings.Contains(string(readme), "```\n"+output+"```") {
		t.Errorf("README does not show what the program prints:\n%s", output)
	}
}

// inlined are the functions of the hot paths that the compiler must be able to inline, by
// the folder of their package.
var inlined = map[string][]string{
	".": {"Context.Alloc", "checkLive", "allocByKind", "checkType", "allocTyped", "FreePointer", "freeWith", "followHeader", "matchAllocSet", "Top",
		"checkNoPointers", "bumpConst", "setConst", "newContext", "NewAllocSet", "Context.Reset", "Context.Delete"},
	"./internal/tree":          {"Root", "Ref.Reset"},
	"./internal/kind/allocset": {"Hot", "Alloc", "AllocConst", "ClassifyConst", "Pop", "Take", "Carve", "Push"},
	"./internal/kind/bump":     {"Alloc", "AllocConst"},
	"./internal/kind":          {"Of"},
	"./internal/block":         {"InFirstRegion"},
}

func TestHotPathsAreInlined(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" || raced {
		t.Skip("the budget is measured for plain builds on amd64 and arm64")
	}
	for folder, names := range inlined {
		output := goCommand(t, "build", "-gcflags=-m", folder)
		for _, name := range names {
			if !regexp.MustCompile(`can inline ` + regexp.QuoteMeta(name) + `(\s|$)`).MatchString(output) {
				t.Errorf("%s: %s cannot be inlined any more", folder, name)
			}
		}
	}
	program := goCommand(t, "build", "-gcflags=-m", "-o", os.DevNull, "./examples/first")
	if !regexp.MustCompile(`inlining call to palloc\.New\[`).MatchString(program) {
		t.Error("a program's call of New is not inlined")
	}
}

// notPresent are words in s that are no verbs in the present, or tell nothing as the first
// verb of a comment.
var notPresent = []string{"is", "was", "has", "does", "this", "as"}

// namedFirst reports whether a doc comment begins with the function's name and a verb in the
// present: "Alloc returns", "Live reports".
func namedFirst(d *ast.FuncDecl) bool {
	words := strings.Fields(d.Doc.Text())
	return len(words) > 1 && words[0] == d.Name.Name && regexp.MustCompile(`^[a-z-]+s,?$`).MatchString(words[1]) &&
		!slices.Contains(notPresent, words[1])
}

func TestDocCommentsBeginWithNameAndVerb(t *testing.T) {
	const minPercent = 95
	all, good := 0, 0
	for _, s := range sources(t) {
		if path.Dir(s.name) != "." && !strings.HasPrefix(s.name, "internal/") {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || f.Doc == nil || !exportedReceiver(f) {
				continue
			}
			all++
			if namedFirst(f) {
				good++
				continue
			}
			first, _, _ := strings.Cut(f.Doc.Text(), "\n")
			t.Logf("%s: %s", files.Position(f.Pos()), first)
		}
	}
	if good*100 < all*minPercent {
		t.Errorf("%d of %d doc comments begin with the name and a verb, fewer than %d %%", good, all, minPercent)
	}
}

// fileUses counts the uses between files: by the file that uses, and the file that declares.
type fileUses map[string]map[string]int

// rootUses type-checks the root and counts, for each pair of its files, the uses in one of
// package-level names, methods and fields that the other declares.
func rootUses(t *testing.T) fileUses {
	t.Helper()
	root, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	set, parsed, found := token.NewFileSet(), []*ast.File{}, fileUses{}
	for _, name := range root.GoFiles {
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed, found[name] = append(parsed, file), map[string]int{}
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(set, "source", nil)}
	pkg, err := config.Check(module, set, parsed, &info)
	if err != nil {
		t.Fatal(err)
	}
	for ident, o := range info.Uses {
		from, to := set.Position(ident.Pos()).Filename, set.Position(o.Pos()).Filename
		if o.Pkg() == pkg && from != to && isShared(o) {
			found[from][to]++
		}
	}
	return found
}

// isShared reports whether an object can be used in other files than its own: a name of the
// package, a method or a field.
func isShared(o types.Object) bool {
	switch o := o.(type) {
	case *types.Func:
		return true
	case *types.Var:
		return o.IsField() || o.Parent() == o.Pkg().Scope()
	}
	return o.Parent() == o.Pkg().Scope()
}

// knots returns the groups of files that use each other, directly or through files between:
// the strongly connected components of more than one file.
func (u fileUses) knots() (all [][]string) {
	reached := map[string]map[string]bool{}
	for from := range u {
		reached[from] = map[string]bool{}
		u.reach(from, reached[from])
	}
	seen := map[string]bool{}
	for _, from := range slices.Sorted(maps.Keys(u)) {
		knot := []string{from}
		for _, to := range slices.Sorted(maps.Keys(reached[from])) {
			if to != from && reached[to][from] {
				knot = append(knot, to)
			}
		}
		if !seen[from] && len(knot) > 1 {
			all = append(all, knot)
		}
		for _, name := range knot {
			seen[name] = true
		}
	}
	return all
}

// reach adds the files that from uses, directly or through others.
func (u fileUses) reach(from string, reached map[string]bool) {
	for to := range u[from] {
		if !reached[to] {
			reached[to] = true
			u.reach(to, reached)
		}
	}
}

func TestRootHasNoLargeKnot(t *testing.T) {
	const maxKnot, maxSources = 8, 32 // files
	switch {
	case testing.Short():
		t.Skip("-short: type-checks the package and its imports from source")
	case runtime.GOARCH == "wasm":
		t.Skip("type-checks from source, which node's file system makes slow; other legs do it")
	case raced:
		t.Skip("type-checks from source, which the race detector makes slow; other legs do it")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command, which finds the imports: ", err)
	}
	all := 0
	for _, s := range sources(t) {
		if path.Dir(s.name) == "." {
			all++
		}
	}
	if all > maxSources {
		t.Errorf("the root has %d sources, more than %d", all, maxSources)
	}
	u := rootUses(t)
	for _, from := range slices.Sorted(maps.Keys(u)) {
		for _, to := range slices.Sorted(maps.Keys(u[from])) {
			t.Logf("%s uses %s %d times", from, to, u[from][to])
		}
	}
	for _, knot := range u.knots() {
		t.Logf("a knot of %d files: %s", len(knot), strings.Join(knot, " "))
		if len(knot) > maxKnot {
			t.Errorf("%d files use each other, more than %d: %s", len(knot), maxKnot, strings.Join(knot, " "))
		}
	}
}

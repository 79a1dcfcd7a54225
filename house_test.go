package palloc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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

// The rules of the house that a compiler does not hold: which room imports
// which, who may use unsafe, that every exported name is documented, that the
// README tells the truth, that the hot paths unfold.

const module = "github.com/gopalloc/palloc"

// floors are the rooms from the top down: a room imports only rooms below its
// own floor. "/*" are the rooms of a folder that are not named themselves.
var floors = [][]string{
	{"cmd/palloc", "examples/first", "bench", "bench/cells", "bench/hot/program"},
	{"cmd/palloc/recording", "bench/cell", "bench/hot"},
	{"bench/flat"},
	{"trace/backend", "palloctest"},
	{"trace", "."},
	{"internal/budget"},
	{"internal/tree", "internal/share", "internal/typerule"},
	{"internal/kind/kinds"},
	{"internal/kind/conformance", "internal/kind/shared"},
	{"internal/kind/conformance/*"},
	{"internal/kind/*"},
	{"internal/kind"},
	{"internal/chunk", "internal/block", "internal/cgroup"},
	{"internal/osmem"},
	{"internal/relaxed", "internal/process"},
}

// unsafeFiles may import unsafe.
var unsafeFiles = []string{
	"alloc.go", "buffer.go", "free.go", "inspect.go", "realloc.go", "slice.go", "string.go", "typed.go",
	"internal/block/region.go",
	"internal/kind/blocks.go", "internal/kind/core.go", "internal/kind/spans.go", "internal/kind/table.go",
	"internal/kind/generation/hot.go", "internal/kind/slab/hot.go", "internal/kind/shared/spot.go",
	"internal/osmem/at.go", "internal/osmem/goheap.go", "internal/process/program_linux.go",
	"internal/tree/names.go", "internal/tree/node.go", "internal/typerule/descriptor.go",
	"trace/backend.go", "trace/place.go", "trace/strings.go", "trace/verify.go",
	"trace/backend/palloc.go", "trace/backend/goheap.go", "trace/backend/floor.go", "trace/backend/table.go",
	"bench/cell/memory.go",
	"bench/cell/modernc.go", "bench/cell/modernc_free.go", "bench/cell/ristretto.go",
}

// source is a parsed file of the repository that is no test.
type source struct {
	name string // from the root, with slashes
	file *ast.File
}

var files = token.NewFileSet()

func sources(t *testing.T) (all []source) {
	t.Helper()
	if runtime.GOARCH == "wasm" {
		t.Skip("reads the whole repository, which node's file system makes slow; other legs do it")
	}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
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
	for i, rooms := range floors {
		for _, room := range rooms {
			floor[room] = i
		}
	}
	floorOf := func(room string) (at int, known bool) {
		if at, known = floor[room]; !known {
			at, known = floor[path.Dir(room)+"/*"]
		}
		return at, known
	}
	for _, s := range sources(t) {
		own, known := floorOf(path.Dir(s.name))
		if !known {
			t.Errorf("%s: its room stands on no floor", s.name)
			continue
		}
		for _, i := range s.imports() {
			room, ours := strings.CutPrefix(i, module)
			if !ours {
				continue
			}
			room = path.Join(".", room)
			if at, known := floorOf(room); !known || at <= own {
				t.Errorf("%s imports %s, which is not below it", s.name, i)
			}
		}
	}
}

func TestCoreNeedsOnlySys(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.name, "cmd/") || strings.HasPrefix(s.name, "bench/") {
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

// exportedReceiver says whether a reader of the documentation sees the method.
// A kind's methods are documented by the contract that they keep.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	name := regexp.MustCompile(`\w+`).FindString(nameOf(d.Recv.List[0].Type))
	return ast.IsExported(name) && name != "Methods"
}

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

// undocumented complains about names of a declaration without a comment of
// their own, of their line, or of the group.
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

func TestFunctionsAreShortEnoughToSee(t *testing.T) {
	const most = 60
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > most {
					t.Errorf("%s: %s has %d lines, more than %d", files.Position(f.Pos()), f.Name, n, most)
				}
			}
		}
	}
}

// goCommand runs the go command in the root, or skips where there is none.
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

// unfolding are the stages of the hot paths, each of which the compiler must be
// able to inline; by the file's folder.
var unfolding = map[string][]string{
	".": {"Context.Alloc", "checkLive", "allocByKind", "checkType", "allocTyped", "FreePointer", "freeWith", "followHeader", "matchAllocSet", "Top",
		"checkNoPointers", "bumpConst", "setConst", "newContext", "NewAllocSet", "Context.Reset", "Context.Delete"},
	"./internal/tree":          {"Root", "Ref.Reset"},
	"./internal/kind/allocset": {"Hot", "Alloc", "AllocConst", "ClassifyConst", "Pop", "Take", "Carve", "Push"},
	"./internal/kind/bump":     {"Alloc", "AllocConst"},
	"./internal/kind":          {"Of"},
	"./internal/block":         {"InFirstRegion"},
}

func TestHotPathsUnfold(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" || raced {
		t.Skip("the budget is measured for plain builds on amd64 and arm64")
	}
	for room, names := range unfolding {
		said := goCommand(t, "build", "-gcflags=-m", room)
		for _, name := range names {
			if !regexp.MustCompile(`can inline ` + regexp.QuoteMeta(name) + `(\s|$)`).MatchString(said) {
				t.Errorf("%s: %s does not inline any more", room, name)
			}
		}
	}
	program := goCommand(t, "build", "-gcflags=-m", "-o", os.DevNull, "./examples/first")
	if !regexp.MustCompile(`inlining call to palloc\.New\[`).MatchString(program) {
		t.Error("a program's call of New does not unfold")
	}
}

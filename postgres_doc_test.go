package palloc_test

import (
	"go/ast"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// docs/POSTGRES.md names only functions and tests that exist.

var quoted = regexp.MustCompile("`([^`]+)`")

// surface returns all exported names of the package, methods as Type.Method.
func surface(t *testing.T) (names []string) {
	for _, s := range sources(t) {
		if path.Dir(s.name) != "." {
			continue
		}
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names = append(names, declared(d))
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						names = append(names, spec.Name.Name)
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return !ast.IsExported(name[strings.LastIndex(name, ".")+1:])
	})
}

// declared returns the name of a function, or of a method with its type.
func declared(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	return nameOf(d.Recv.List[0].Type) + "." + d.Name.Name
}

// testNames returns the names of the repository's tests and examples.
func testNames(t *testing.T) (names []string) {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func ((?:Test|Example)\w*)\(`)
	for _, text := range texts(t, "*_test.go", "internal/*/*_test.go", "internal/kind/*/*_test.go") {
		for _, m := range function.FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
	}
	return names
}

func TestPostgresTableNamesWhatExists(t *testing.T) {
	if runtime.GOARCH == "wasm" {
		t.Skip("reads the whole repository, which node's file system makes slow; other legs do it")
	}
	text, err := os.ReadFile("docs/POSTGRES.md")
	if err != nil {
		t.Fatal(err)
	}
	names, tests := surface(t), testNames(t)
	said, rows := map[string]bool{}, 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.Contains(cells[0], "---") || strings.TrimSpace(cells[1]) == "palloc" {
			continue
		}
		rows++
		if strings.TrimSpace(cells[1]) == "-" && strings.TrimSpace(cells[2]) == "" {
			t.Errorf("no counterpart, and no reason:%s", cells[0])
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			said[m[1]] = true
			if !slices.Contains(names, m[1]) {
				t.Errorf("%s is no name of the package:%s", m[1], cells[0])
			}
		}
		found := quoted.FindAllStringSubmatch(cells[3], -1)
		for _, m := range found {
			if !slices.Contains(tests, m[1]) {
				t.Errorf("%s is no test:%s", m[1], cells[0])
			}
		}
		if len(found) == 0 && strings.TrimSpace(cells[1]) != "-" {
			t.Errorf("no test holds%s", cells[0])
		}
	}
	if rows < 80 || !said["Context.Alloc"] {
		t.Errorf("the table has %d rows", rows)
	}
}

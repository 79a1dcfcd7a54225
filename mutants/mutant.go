package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A mutant is a change of one file.
type mutant struct {
	file, kind string
	line       int
	edits      []edit // in the order of their places
	text       []byte // of the file as it is
}

// An edit replaces the bytes from begin to end.
type edit struct {
	begin, end int
	with       string
}

// id identifies the mutant as long as its file is the same up to there.
func (m mutant) id() string {
	e := m.edits[0]
	return fmt.Sprintf("%s:%d-%d:%s:%s", m.file, e.begin, e.end, m.kind, e.with)
}

// changed returns the file with the change.
func (m mutant) changed() []byte {
	var out []byte
	at := 0
	for _, e := range m.edits {
		out = append(append(out, m.text[at:e.begin]...), e.with...)
		at = e.end
	}
	return append(out, m.text[at:]...)
}

// describe returns the place, and the lines that change, as they were and as they are.
func (m mutant) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s\n", m.file, m.line, m.kind)
	for _, e := range m.edits {
		if e.begin == len(m.text) { // only keeps an import in use
			continue
		}
		begin := strings.LastIndexByte(string(m.text[:e.begin]), '\n') + 1
		end := len(m.text)
		if n := strings.IndexByte(string(m.text[e.end:]), '\n'); n >= 0 {
			end = e.end + n
		}
		writeLines(&b, "\t-", string(m.text[begin:end]))
		writeLines(&b, "\t+", string(m.text[begin:e.begin])+e.with+string(m.text[e.end:end]))
	}
	return b.String()
}

func writeLines(b *strings.Builder, prefix, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(b, "%s%s\n", prefix, line)
	}
}

// findMutants returns the mutants of the files below internal and in the root that this
// system compiles.
func findMutants(root string, only, kinds *regexp.Regexp) (all []mutant, err error) {
	dirs := []string{"."}
	err = filepath.WalkDir(filepath.Join(root, "internal"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if d.Name() == "testdata" || d.Name() == "conformance" {
			return filepath.SkipDir
		}
		dirs = append(dirs, path)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		p, err := build.ImportDir(dir, 0)
		if _, none := err.(*build.NoGoError); none {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range p.GoFiles {
			path := filepath.ToSlash(filepath.Join(dir, name))
			if !only.MatchString(path) {
				continue
			}
			found, err := mutantsOf(path)
			if err != nil {
				return nil, err
			}
			all = append(all, slices.DeleteFunc(found, func(m mutant) bool { return !kinds.MatchString(m.kind) })...)
		}
	}
	return all, nil
}

// mutantsOf returns the mutants of a file, by place.
func mutantsOf(path string) ([]mutant, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := finder{files: token.NewFileSet(), path: path, text: text}
	file, err := parser.ParseFile(f.files, path, text, 0)
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			f.function(fn)
		}
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			ast.Inspect(d, f.expression)
		}
	}
	slices.SortStableFunc(f.found, func(a, b mutant) int { return cmp.Compare(a.edits[0].begin, b.edits[0].begin) })
	return f.found, nil
}

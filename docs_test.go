package palloc_test

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// References in the documents are valid: files that they link to, tests that they name, the
// release of Go.

var (
	program   = regexp.MustCompile("(?s)```.*?```")
	linked    = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`) // neither to the web, nor within the file
	namedTest = regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz|Example)[A-Z]\w+`)
)

// documents returns the text of each document, by its name.
func documents(t *testing.T) map[string]string {
	t.Helper()
	if runtime.GOARCH == "wasm" {
		t.Skip("reads the whole repository, which node's file system makes slow; other legs do it")
	}
	return texts(t, "*.md", "*/*.md", "internal/*/*.md", ".github/*.md")
}

// texts returns the texts of the files that match one of the patterns, by their names.
func texts(t *testing.T, patterns ...string) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range patterns {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[name] = string(text)
		}
	}
	return texts
}

func TestDocumentsLinkToWhatExists(t *testing.T) {
	for name, text := range documents(t) {
		for _, m := range linked.FindAllStringSubmatch(program.ReplaceAllString(text, ""), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}

func TestDocumentsNameTestsThatExist(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir(".", func(name string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		sources.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range documents(t) {
		for _, test := range namedTest.FindAllString(text, -1) {
			if !strings.Contains(sources.String(), "func "+test+"(") {
				t.Errorf("%s names %s, which is no test", name, test)
			}
		}
	}
}

func TestDocumentsNameTheGoOfTheModule(t *testing.T) {
	texts := documents(t)
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^go ((\d+\.\d+)\.\d+)$`).FindSubmatch(mod)
	if m == nil {
		t.Fatal("go.mod names no release of Go")
	}
	for name, said := range map[string]string{
		"CONTRIBUTING.md": "GOTOOLCHAIN=go" + string(m[1]) + " ",
		"README.md":       "Go " + string(m[2]) + " or later",
	} {
		if !strings.Contains(texts[name], said) {
			t.Errorf("%s does not say %q", name, said)
		}
	}
}

// TestCookbookShowsItsPrograms: each program of the cookbook is in the tests that run it, at any depth of
// indentation, and each of these is in the cookbook.
func TestCookbookShowsItsPrograms(t *testing.T) {
	source, err := os.ReadFile("examples/cookbook/cookbook_test.go")
	if err != nil {
		t.Skip("the examples are not here: ", err)
	}
	book, err := os.ReadFile("docs/COOKBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(text []byte) string { // without indentation and blank lines
		return regexp.MustCompile(`\n\s+`).ReplaceAllLiteralString("\n"+string(text), "\n")
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(book, -1)
	for _, b := range blocks {
		if !strings.Contains(flat(source), flat(b[1])) {
			t.Errorf("the cookbook shows what is not run:\n%s", b[1])
		}
	}
	for _, example := range regexp.MustCompile(`(?s)func Example\w+\(\) \{\n(.*?)\n\t// Output:`).FindAllSubmatch(source, -1) {
		if !strings.Contains(flat(book), strings.TrimSpace(flat(example[1]))) {
			t.Errorf("the cookbook lacks\n%s", example[1])
		}
	}
	if len(blocks) == 0 {
		t.Error("the cookbook shows no program")
	}
}

// TestChineseREADMEKeepsStep: README.zh-CN.md has the sections of README.md, its programs and outputs up
// to their comments, its links, its words in code, and the figures of its tables.
func TestChineseREADMEKeepsStep(t *testing.T) {
	comment := regexp.MustCompile(`(?m)\s*(//|#) .*$`)
	figures := func(text string) (all []string) {
		for _, row := range regexp.MustCompile(`(?m)^\|.*\|$`).FindAllString(text, -1) {
			all = append(all, strings.Join(regexp.MustCompile(`\d[\d,]*(\.\d+)?`).FindAllString(row, -1), " "))
		}
		return all
	}
	parts := func(name string) map[string][]string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(data), "\r\n", "\n")
		prose := program.ReplaceAllString(text, "")
		var links []string
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(prose, -1) {
			if !strings.HasPrefix(m[1], "README") {
				links = append(links, m[1])
			}
		}
		code := regexp.MustCompile("`[^`]+`").FindAllString(prose, -1)
		slices.Sort(code)
		return map[string][]string{
			"headings": regexp.MustCompile(`(?m)^#+ `).FindAllString(prose, -1),
			"blocks":   strings.Split(comment.ReplaceAllString(strings.Join(program.FindAllString(text, -1), "\n"), ""), "\n"),
			"links":    links, "code": code, "tables": figures(prose),
		}
	}
	english, chinese := parts("README.md"), parts("README.zh-CN.md")
	for what, in := range english {
		if of := chinese[what]; !slices.Equal(in, of) {
			for i := range max(len(in), len(of)) {
				if i >= len(in) || i >= len(of) || in[i] != of[i] {
					t.Errorf("the %s differ from number %d on, of %d and %d:\n%q\n%q", what, i, len(in), len(of), in[min(i, len(in)):], of[min(i, len(of)):])
					break
				}
			}
		}
	}
}

package chapter_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The chapter of docs/chapter shows programs and what they print. A comment before each block says
// what it is:
//
//	<!-- file: PATH -->       a part of the file
//	<!-- output: NAME -->     what the program prints: go run ./examples/chapter/NAME, or the C program NAME.c
//	<!-- shape: NAME -->      likewise, but numbers differ from run to run
//	<!-- measured: CMD -->    figures of a command that takes long, or needs what is not everywhere
//
// With -update the tests write what the programs print into the chapter. They fail when a block is not true any more, and when the two languages do not show the same.

const root = "../.."

var update = flag.Bool("update", false, "write into the chapter what its programs print")

// A block is one that the chapter shows, with the comment before it.
type block struct{ file, kind, what, lang, text string }

var (
	fence    = regexp.MustCompile("(?sm)(?:^<!-- (file|output|shape|measured): (.*?) -->\n)?^```(\\w*)\n(.*?)^```$")
	heading  = regexp.MustCompile(`(?m)^#+ `)
	linked   = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`) // neither to the web, nor within the file
	numbers  = regexp.MustCompile(`\d[\d.,]*`)
	spaces   = regexp.MustCompile(`[ \t]+`)
	chinese  = regexp.MustCompile(`\p{Han}`)
	untidy   = regexp.MustCompile(`\p{Han}[A-Za-z0-9(]|[A-Za-z0-9)]\p{Han}|\p{Han}[,;:!?]|\p{Han}\.( |$)`)
	verbatim = regexp.MustCompile("`[^`\n]+`|\\]\\([^)]*\\)")
)

// sections returns the texts of a language's files by name.
func sections(t *testing.T, language string) map[string]string {
	t.Helper()
	if runtime.GOARCH == "wasm" {
		t.Skip("reads many files, which node's file system makes slow; other legs do it")
	}
	names, err := filepath.Glob(filepath.Join(root, "docs/chapter", language, "*.md"))
	if err != nil || len(names) == 0 {
		t.Skip("the chapter is not here: ", err)
	}
	texts := map[string]string{}
	for _, name := range names {
		texts[filepath.Base(name)] = read(t, name)
	}
	return texts
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// blocks returns the blocks of both languages.
func blocks(t *testing.T) (all []block) {
	t.Helper()
	for _, language := range []string{"en", "zh"} {
		for name, text := range sections(t, language) {
			for _, m := range fence.FindAllStringSubmatch(text, -1) {
				all = append(all, block{language + "/" + name, m[1], m[2], m[3], m[4]})
			}
		}
	}
	return all
}

func TestChapterSaysWhatEachBlockIs(t *testing.T) {
	for _, b := range blocks(t) {
		if b.kind == "" && b.lang != "sh" {
			t.Errorf("%s: nothing says what this is:\n%s", b.file, b.text)
		}
	}
	for _, language := range []string{"en", "zh"} {
		for name, text := range sections(t, language) {
			if n, shown := strings.Count(text, "\n```"), len(fence.FindAllString(text, -1)); n != 2*shown {
				t.Errorf("%s/%s: %d fences are those of %d blocks", language, name, n, shown)
			}
		}
	}
}

func TestChapterShowsItsFiles(t *testing.T) {
	flat := func(text string) string { // without indentation and blank lines
		return regexp.MustCompile(`\n\s*`).ReplaceAllLiteralString("\n"+text, "\n")
	}
	for _, b := range blocks(t) {
		if b.kind == "file" && !strings.Contains(flat(read(t, filepath.Join(root, b.what)))+"\n", flat(b.text)) {
			t.Errorf("%s: %s has no\n%s", b.file, b.what, b.text)
		}
	}
}

// goPrograms builds the chapter's Go programs, and returns the folder in which they are.
func goPrograms(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: ", err)
	}
	dir := t.TempDir()
	names, err := filepath.Glob("*/main.go")
	if err != nil || len(names) == 0 {
		t.Fatal("no programs: ", err)
	}
	args := []string{"build", "-o", dir}
	for _, name := range names {
		args = append(args, "./"+filepath.Dir(name))
	}
	build := exec.Command("go", args...)
	build.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return dir
}

func TestChapterShowsWhatItsGoProgramsPrint(t *testing.T) {
	dir := goPrograms(t)
	all := blocks(t)
	names, _ := filepath.Glob("*/main.go")
	for _, file := range names {
		name := filepath.Dir(file)
		run := exec.Command(filepath.Join(dir, name))
		run.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "PALLOCDEBUG=") })
		out, err := run.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		shown(t, all, name, string(out), runtime.GOOS == "linux" && runtime.GOARCH == "amd64")
	}
}

// shown compares what a program printed with the blocks that show it, one in each language.
func shown(t *testing.T, all []block, name, out string, exact bool) {
	t.Helper()
	n := 0
	for _, b := range all {
		if (b.kind == "output" || b.kind == "shape") && b.what == name {
			compare(t, b, out, exact)
			n++
		}
	}
	if n != 2 {
		t.Errorf("the chapter shows %d times what %s prints, not in each language", n, name)
	}
}

// compare reports a block that is not what a program printed. Numbers count where a block is an
// output, and the machine is the one that the chapter's figures are of.
func compare(t *testing.T, b block, out string, exact bool) {
	t.Helper()
	got, want := strings.ReplaceAll(out, "\r\n", "\n"), b.text
	if b.kind == "shape" || !exact {
		got, want = shape(got), shape(want)
	}
	if got != want && *update {
		name := filepath.Join(root, "docs/chapter", b.file)
		begin := fmt.Sprintf("<!-- %s: %s -->\n```%s\n", b.kind, b.what, b.lang)
		text := strings.Replace(read(t, name), begin+b.text+"```", begin+out+"```", 1)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("%s shows of %s\n%s\nbut it prints\n%s", b.file, b.what, b.text, out)
	}
}

// shape returns a text in which all numbers, and all widths of columns, are the same.
func shape(text string) string {
	return spaces.ReplaceAllLiteralString(numbers.ReplaceAllLiteralString(text, "N"), " ")
}

// cProgram compiles one of the chapter's C programs and returns its path. It skips the test where
// that is not possible, or where it would print something else.
func cProgram(t *testing.T, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: compiles a C program")
	}
	if runtime.GOOS != "linux" {
		t.Skip("the C programs are shown as they run on Linux")
	}
	if out, err := exec.Command("getconf", "GNU_LIBC_VERSION").Output(); err != nil {
		t.Skipf("what malloc does is shown of glibc, which is not here: %v %s", err, out)
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler: ", err)
	}
	program := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command(cc, "-o", program, "c/"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return program
}

func TestChapterShowsWhatItsCProgramsPrint(t *testing.T) {
	files, err := filepath.Glob("c/*.c")
	if err != nil || len(files) == 0 {
		t.Fatal("no C programs: ", err)
	}
	all := blocks(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".c")
		t.Run(name, func(t *testing.T) {
			if name == "million" { // see TestMallocIsSeldomASystemCall
				return
			}
			run := exec.Command(cProgram(t, name))
			run.Env = append(os.Environ(), "LC_ALL=C")
			out, err := run.CombinedOutput()
			if err != nil { // it ends by a signal, of which the shell tells
				out = fmt.Append(out, strings.NewReplacer("signal: ", "", " (core dumped)", "").Replace(err.Error()), "\n")
			}
			shown(t, all, name, string(out), true)
		})
	}
}

// TestMallocIsSeldomASystemCall counts the system calls that a million calls of malloc and a million
// of free make.
func TestMallocIsSeldomASystemCall(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace: ", err)
	}
	program := cProgram(t, "million")
	out, err := exec.Command(strace, "-f", "-c", "-U", "calls,name", "-e", "trace=brk,mmap,munmap", program).CombinedOutput()
	if err != nil {
		t.Skipf("strace cannot trace here: %v\n%s", err, out)
	}
	total := 0
	for line := range strings.Lines(string(out)) {
		var n int
		var name string
		if k, _ := fmt.Sscan(line, &n, &name); k == 2 && name == "total" {
			total = n
		}
	}
	t.Logf("\n%s", out)
	if total == 0 || total > 2_000_000/1000 {
		t.Errorf("2,000,000 calls of malloc and free are %d system calls, more than one in a thousand", total)
	}
}

func TestChapterSaysTheSameInBothLanguages(t *testing.T) {
	en, zh := sections(t, "en"), sections(t, "zh")
	for name := range zh {
		if _, ok := en[name]; !ok && name != "terms.md" {
			t.Errorf("%s is missing in English", name)
		}
	}
	for name, text := range en {
		if _, ok := zh[name]; !ok {
			t.Errorf("%s is missing in Chinese", name)
			continue
		}
		for _, part := range []struct {
			what string
			of   func(text string) []string
		}{
			{"headings", func(text string) []string { return heading.FindAllString(fence.ReplaceAllString(text, ""), -1) }},
			{"blocks", func(text string) (list []string) {
				for _, m := range fence.FindAllStringSubmatch(text, -1) {
					if m[3] != "sh" {
						list = append(list, m[0])
					}
				}
				return list
			}},
			{"exercises", func(text string) []string { return regexp.MustCompile(`(?m)^<details>`).FindAllString(text, -1) }},
			{"pictures", func(text string) []string { return regexp.MustCompile(`\]\(\S+\.svg\)`).FindAllString(text, -1) }},
		} {
			in, of := part.of(text), part.of(zh[name])
			if !slices.Equal(in, of) {
				t.Errorf("%s: the %s differ: %d in English, %d in Chinese\n%q\n%q", name, part.what, len(in), len(of), in, of)
			}
			if part.what == "exercises" && name != "README.md" && len(in) != 3 {
				t.Errorf("%s has %d exercises, not 3", name, len(in))
			}
		}
	}
}

func TestChapterLinksToWhatExists(t *testing.T) {
	_, pictures := os.Stat(filepath.Join(root, "docs/pictures"))
	for _, folder := range []string{"en", "zh", "."} {
		for name, text := range sections(t, folder) {
			for _, m := range linked.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
				to := filepath.Join(root, "docs/chapter", folder, filepath.FromSlash(m[1]))
				if strings.Contains(m[1], "/pictures/") && pictures != nil {
					continue // they are drawn elsewhere, and come all at once
				}
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s/%s links to %s: %v", folder, name, m[1], err)
				}
			}
		}
	}
}

// TestChineseIsSetAsChinese: a space between Chinese and Latin, and Chinese punctuation after Chinese.
func TestChineseIsSetAsChinese(t *testing.T) {
	for name, text := range sections(t, "zh") {
		lint(t, "zh/"+name, text)
	}
	lint(t, "README.zh-CN.md", read(t, filepath.Join(root, "README.zh-CN.md")))
}

func lint(t *testing.T, name, text string) {
	t.Helper()
	for _, line := range strings.Split(fence.ReplaceAllString(text, ""), "\n") {
		if !chinese.MatchString(line) {
			continue
		}
		plain := verbatim.ReplaceAllStringFunc(line, func(s string) string {
			if s[0] == '`' {
				return "x"
			}
			return "]"
		})
		if at := untidy.FindString(plain); at != "" {
			t.Errorf("%s: %q in %s", name, at, line)
		}
	}
}

// TestChapterKeepsItsPromises: each sentence of the draft that promised something is listed once, with
// a link to where it is kept.
func TestChapterKeepsItsPromises(t *testing.T) {
	text := read(t, filepath.Join(root, "docs/chapter/promises.md"))
	rows := 0
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "| ") || !chinese.MatchString(line) {
			continue
		}
		rows++
		if n := len(linked.FindAllString(line, -1)); n < 2 {
			t.Errorf("a promise has %d links, not one to each language: %s", n, line)
		}
	}
	if rows < 10 {
		t.Errorf("%d promises are listed", rows)
	}
	if !strings.Contains(text, "d0024") {
		t.Error("the pictures of the draft are no promise")
	}
}

// TestTermsAreThoseOfTheTable: the Chinese text uses each term of its table, and no other word for it.
func TestTermsAreThoseOfTheTable(t *testing.T) {
	texts := sections(t, "zh")
	var all strings.Builder
	for name, text := range texts {
		if name != "terms.md" {
			all.WriteString(text)
		}
	}
	all.WriteString(read(t, filepath.Join(root, "README.zh-CN.md")))
	terms := 0
	for _, row := range regexp.MustCompile(`(?m)^\| (\p{Han}[^|]*) \|`).FindAllStringSubmatch(texts["terms.md"], -1) {
		for _, term := range strings.Split(strings.ReplaceAll(row[1], "简称", ""), "，") {
			if term != "术语" && !strings.Contains(all.String(), term) {
				t.Errorf("%s is in the table, and not in the text", term)
			}
			terms++
		}
	}
	if terms < 20 {
		t.Errorf("the table has %d terms", terms)
	}
	for _, other := range []string{"内存环境", "内存区块", "自由链表", "自由列表", "内存碎块", "双重释放", "野指针", "释放后重用", "回调钩子", "垃圾收集"} {
		if strings.Contains(all.String(), other) {
			t.Errorf("%s is another word for a term of the table", other)
		}
	}
}

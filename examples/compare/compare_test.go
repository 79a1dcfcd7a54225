package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The implementations in contexts are about as short as those on Go's heap, and safe; the command runs and counts.

// read returns the text of a source of a program.
func read(t *testing.T, p program, source string) string {
	t.Helper()
	text, err := os.ReadFile("../" + p.name + "/" + source)
	if err != nil {
		t.Skip("the sources are not here: ", err)
	}
	return string(text)
}

func TestImplementationsInContextsAreShort(t *testing.T) {
	const most = 1.2 // times the lines of the other
	for _, p := range programs {
		ours, theirs := countLines([]byte(read(t, p, sources[0]))), countLines([]byte(read(t, p, sources[1])))
		t.Logf("%s: %d lines in contexts, %d on Go's heap", p.name, ours, theirs)
		if float64(ours) > most*float64(theirs) || theirs < 50 {
			t.Errorf("%s has %d lines in contexts, and %d on Go's heap", p.name, ours, theirs)
		}
	}
}

func TestImplementationsAreSafe(t *testing.T) {
	for _, p := range programs {
		files, err := os.ReadDir("../" + p.name)
		if err != nil {
			t.Skip("the sources are not here: ", err)
		}
		for _, f := range files {
			text := read(t, p, f.Name())
			for _, word := range []string{`"unsafe"`, "go:linkname", "NoHeapPointers"} {
				if strings.Contains(text, word) {
					t.Errorf("%s/%s has %s", p.name, f.Name(), word)
				}
			}
		}
		for i, source := range sources {
			if uses := strings.Contains(read(t, p, source), `"github.com/gopalloc/palloc"`); uses != (i == 0) {
				t.Errorf("%s/%s imports palloc: %v", p.name, source, uses)
			}
		}
	}
}

func TestCountLines(t *testing.T) {
	for source, want := range map[string]int{
		"": 0,
		"// Package p\npackage p\n\nvar a = 1 // one\n": 2,
		"package p\n\nvar s = `a\n\n// b\n`\n":          2,
		"package p\n/* x\n\ny */ var a, b = 1, 2":       2,
		"package p\nfunc f() {\n\tf()\n}\n":             4,
	} {
		if got := countLines([]byte(source)); got != want {
			t.Errorf("%q has %d lines, instead of %d", source, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	ours := []figures{{cpu: 1, wall: 2, resident: 10}, {cpu: 3, wall: 2, resident: 20}, {cpu: 2, wall: 2, resident: 30}}
	theirs := []figures{{cpu: 2, wall: 4, cycles: 10}, {cpu: 3, wall: 8, cycles: 20}, {cpu: 8, wall: 1, cycles: 40}}
	var got strings.Builder
	if err := writeTable(&got, []row{{name: "p", lines: [2]int{110, 100}, runs: [2][]figures{ours, theirs}}}); err != nil {
		t.Fatal(err)
	}
	const want = `| program | memory | lines | CPU s | wall s | peak RSS MB | GC cycles |
| --- | --- | --- | --- | --- | --- | --- |
| p | palloc | 110 | 2.00 | 2.00 | 20.0 | 0 |
| p | Go's heap | 100 | 3.00 | 4.00 | - | 20 |
| p | ratio | **1.10** | **0.50** (0.25 to 1.00) | **0.50** (0.25 to 2.00) | - | 0 |
`
	if got.String() != want {
		t.Errorf("the table is\n%s", got.String())
	}
}

func TestCyclesAreCounted(t *testing.T) {
	var c cycleCounter
	for _, part := range []string{"gc 1 @0.0s 2%: 0.1+0.2+0.3 ms clo", "ck, 0.1 ms cpu\ngc", " is a word\ngc 2 @0.1s 3%: 1+1+1 ms clock, x\n", "rest\n"} {
		if n, err := c.Write([]byte(part)); n != len(part) || err != nil {
			t.Error(n, err)
		}
	}
	if c.n != 2 || string(c.other) != "gc is a word\nrest\n" {
		t.Errorf("%d cycles, and %q", c.n, c.other)
	}
}

// TestProgramsRunAndAnswerAlike builds all programs, and gives each a little work.
func TestProgramsRunAndAnswerAlike(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: starts the go command")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command: ", err)
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r, err := p.compare(1, true)
			if err != nil {
				t.Fatal(err)
			}
			for i, memory := range memories {
				if f := r.runs[i][0]; len(r.runs[i]) != 1 || f.wall <= 0 || f.cpu < 0 {
					t.Errorf("%s: %+v", memory, f)
				}
			}
		})
	}
}

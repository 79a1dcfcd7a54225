package palloc_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Mistakes that tools find in programs that use contexts: those in testdata/seeded.

// A sanitizer is a way to build a program so that it reports mistakes.
type sanitizer struct {
	name, flag, env string
	report          string // what a report says
	names           bool   // it names the line of the mistake
	least           int    // mistakes that there are
}

var sanitizers = []sanitizer{
	{name: "asan", flag: "-asan", report: "ERROR: AddressSanitizer: use-after-poison", names: true, least: 24},
	{name: "race", flag: "-race", report: "WARNING: DATA RACE", least: 12},
	{name: "cgocheck2", env: "GOEXPERIMENT=cgocheck2", report: "unpinned Go pointer stored into non-Go memory", names: true, least: 1},
}

func TestSeededMistakesAreReported(t *testing.T) {
	switch {
	case testing.Short():
		t.Skip("it builds a program three times, each with a runtime of its own")
	case raced:
		t.Skip("it builds with -race itself, and the tests without -race run it")
	case runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64":
		t.Skipf("-asan and -race are tried on linux/amd64 and linux/arm64, not on %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	lines := seededLines(t)
	for _, s := range sanitizers {
		t.Run(s.name, func(t *testing.T) {
			program := s.build(t)
			list, err := exec.Command(program, "-list").Output()
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(string(list)) {
				number, what, _ := strings.Cut(strings.TrimSpace(line), " "+s.name+" ")
				if what == "" {
					continue
				}
				n++
				t.Run(number, func(t *testing.T) { s.try(t, program, number, what, lines[number]) })
			}
			if n < s.least {
				t.Errorf("there are %d mistakes for %s, want %d", n, s.name, s.least)
			}
		})
	}
}

// build builds the program. It skips the test where an empty program cannot be built either.
func (s sanitizer) build(t *testing.T) (program string) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.go")
	if err := os.WriteFile(empty, []byte("package main\n\nfunc main() {}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(filepath.Join(dir, "empty"), empty).CombinedOutput(); err != nil {
		t.Skipf("no program can be built with %s%s here: %v: %s", s.flag, s.env, err, out)
	}
	program = filepath.Join(dir, "seeded")
	if out, err := s.command(program, "./testdata/seeded").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func (s sanitizer) command(to, from string) *exec.Cmd {
	args := []string{"build", "-o", to}
	if s.flag != "" {
		args = append(args, s.flag)
	}
	cmd := exec.Command("go", append(args, from)...)
	cmd.Env = append(os.Environ(), s.env)
	return cmd
}

// try makes a mistake, which must be reported, and does the same correctly, which must not.
func (s sanitizer) try(t *testing.T, program, number, what, line string) {
	run := func(args ...string) (string, error) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "PALLOCDEBUG=", "ASAN_OPTIONS=", "GORACE=atexit_sleep_ms=0", "GOTRACEBACK=")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run(number)
	if err == nil || !strings.Contains(out, s.report) {
		t.Errorf("%s: not reported: %v\n%s", what, err, out)
	}
	if s.names && !strings.Contains(out, line) {
		t.Errorf("%s: the report does not name %s:\n%s", what, line, out)
	}
	if out, err := run(number, "right"); err != nil {
		t.Errorf("%s, done correctly: %v\n%s", what, err, out)
	}
}

// seededLines returns where each mistake is, by its number: "memory.go:20".
func seededLines(t *testing.T) map[string]string {
	mark := regexp.MustCompile(`// mistake (\d+)$`)
	lines := map[string]string{}
	files, err := filepath.Glob("testdata/seeded/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		in := bufio.NewScanner(f)
		for n := 1; in.Scan(); n++ {
			if m := mark.FindStringSubmatch(in.Text()); m != nil {
				lines[m[1]] = fmt.Sprintf("%s:%d", filepath.Base(name), n)
			}
		}
	}
	return lines
}

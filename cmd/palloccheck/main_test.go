package main_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// build compiles the command, and returns its path.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: starts the go command")
	}
	tool := filepath.Join(t.TempDir(), "palloccheck.exe")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return tool
}

func TestGoVetRunsAllAnalyzers(t *testing.T) {
	tool := build(t)
	args := []string{"vet", "-vettool=" + tool}
	messages := map[string]string{
		"escape":    "the returned error refers to memory of the Scope's context",
		"heapstore": "the result of fmt.Sprintf is on Go's heap",
		"leak":      "the context of NewBump is never deleted",
		"owner":     "each goroutine that the loop starts uses the same context",
		"stale":     "the context is used after the Context.Delete at line",
		"unused":    "the result of Append is not used",
	}
	for folder := range messages {
		args = append(args, "./testdata/"+folder)
	}
	out, err := exec.Command("go", args...).CombinedOutput()
	if err == nil {
		t.Error("it does not fail")
	}
	for folder, message := range messages {
		if !regexp.MustCompile("testdata." + folder + `.bad\.go:\d+:\d+: ` + regexp.QuoteMeta(message)).Match(out) {
			t.Errorf("%s: no line %q in\n%s", folder, message, out)
		}
	}
}

// TestTheExamplesAreClean, but for the one that shows mistakes.
func TestTheExamplesAreClean(t *testing.T) {
	tool := build(t)
	list, err := exec.Command("go", "list", "github.com/gopalloc/palloc/examples/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"vet", "-vettool=" + tool}
	for _, name := range strings.Fields(string(list)) {
		if !strings.HasSuffix(name, "/chapter/bugs") {
			args = append(args, name)
		}
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := exec.Command("go", "vet", "-vettool="+tool, "github.com/gopalloc/palloc/examples/chapter/bugs").CombinedOutput(); err == nil {
		t.Errorf("no mistake of examples/chapter/bugs is reported:\n%s", out)
	}
}

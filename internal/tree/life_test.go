//go:build !race

package tree_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// The model of the steps that take no lock, testdata/life.pml: spin looks at all that can
// happen, on processors that reorder stores. It has no Go in it, and is not run again under -race.

// TestModelOfALife: no order of steps breaks the model, and it breaks without any of its
// fences and checks.
func TestModelOfALife(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: compiles a checker for the model and for each mutant")
	}
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is missing: apt-get install spin gcc")
		}
	}
	model, err := filepath.Abs("testdata/life.pml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	errors, states := verify(t, model, "")
	t.Logf("%d states", states)
	if errors != 0 || states < 100_000 {
		t.Errorf("spin found %d errors in %d states of %s", errors, states, model)
	}
	mutants := regexp.MustCompile(`(?m)^#ifn?def (NO_\w+)$`).FindAllSubmatch(text, -1)
	if len(mutants) < 6 {
		t.Errorf("%s has %d mutants", model, len(mutants))
	}
	for _, m := range mutants {
		if errors, _ := verify(t, model, string(m[1])); errors == 0 {
			t.Errorf("spin found no error with %s", m[1])
		}
	}
}

// verify returns how many errors spin finds in the model with a mutant, "" for none, and how many
// states it saw.
func verify(t *testing.T, model, mutant string) (errors, states int) {
	t.Helper()
	dir := t.TempDir()
	command := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		said, err := cmd.CombinedOutput()
		if err != nil && name != "./pan" {
			t.Fatalf("%v: %v\n%s", cmd, err, said)
		}
		return string(said)
	}
	command("spin", "-a", "-D"+cmp.Or(mutant, "WHOLE"), model)
	command("gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
	said := command("./pan", "-m10000")
	number := func(expression string) int {
		m := regexp.MustCompile(expression).FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("%s: spin did not finish:\n%s", mutant, said)
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return number(`errors: (\d+)`), number(`(\d+) states, stored`)
}

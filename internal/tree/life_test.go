//go:build !race

package tree_test

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// The models of the steps that take no lock, testdata/*.pml: spin looks at all that can
// happen, on processors that reorder stores. There is no Go in them, and they are not run
// again under -race.

// models are the models, and how many states each has at least.
var models = map[string]int{
	"drop.pml":  15_000,
	"life.pml":  450_000,
	"limit.pml": 150,
	"move.pml":  500_000,
	"reuse.pml": 140_000,
	"side.pml":  3900,
}

// TestModels: no order of steps breaks a model, and it breaks without any of its fences and
// checks.
func TestModels(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: compiles a checker for each model and each mutant")
	}
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is missing: apt-get install spin gcc")
		}
	}
	files, err := filepath.Glob("testdata/*.pml")
	if err != nil || len(files) != len(models) {
		t.Fatalf("%d models are known, and these are there: %v, %v", len(models), files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { checkModel(t, file) })
	}
}

func checkModel(t *testing.T, file string) {
	t.Parallel()
	model, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	errors, states := verify(t, model, "")
	mutants := mutantsOf(text)
	t.Logf("%d states, %d mutants", states, len(mutants))
	if least := models[filepath.Base(file)]; errors != 0 || states < max(least, 1) {
		t.Errorf("spin found %d errors in %d states of %s", errors, states, model)
	}
	if len(mutants) < 2 {
		t.Errorf("%s has %d mutants", model, len(mutants))
	}
	for _, mutant := range mutants {
		if errors, _ := verify(t, model, mutant); errors == 0 {
			t.Errorf("spin found no error with %s", mutant)
		}
	}
}

// mutantsOf returns the names of the mutants in a model, each once.
func mutantsOf(text []byte) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#ifn?def (NO_\w+)$`).FindAllSubmatch(text, -1) {
		if name := string(m[1]); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
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
	command("gcc", "-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
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

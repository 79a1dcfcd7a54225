package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// What became of a mutant.
const (
	killed      = "killed"
	survived    = "survived"
	notCompiled = "not compiled"
)

// runner runs mutants, several at a time.
type runner struct {
	race     bool
	timeout  time.Duration
	outcomes *outcomes
}

// readsSource matches the tests that read the source and not what it does.
const readsSource = "House|Words|Docs|Document"

// one runs the tests against a mutant until one fails, and notes the outcome. An interrupted
// mutant has none.
func (r *runner) one(ctx context.Context, m mutant) error {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, m)
	if err != nil {
		return err
	}
	own := "./" + path.Dir(m.file)
	if exec.CommandContext(ctx, "go", "build", "-overlay", overlay, own).Run() != nil {
		return r.outcomes.add(ctx, m, notCompiled)
	}
	outcome := survived
	for _, packages := range []string{own, "./internal/...", "."} {
		if r.test(ctx, packages, "-overlay", overlay) != nil {
			outcome = killed
			break
		}
	}
	return r.outcomes.add(ctx, m, outcome)
}

// unchanged runs the tests against palloc as it is: a test that fails then would kill each mutant.
func (r *runner) unchanged(ctx context.Context) error {
	for _, packages := range []string{"./internal/...", "."} {
		if err := r.test(ctx, packages); err != nil {
			return err
		}
	}
	return nil
}

// test runs the tests of packages until one fails, and returns what they wrote if one did.
func (r *runner) test(ctx context.Context, packages string, more ...string) error {
	args := append([]string{"test", "-short", "-failfast", "-vet=off", "-timeout", r.timeout.String(), "-skip", readsSource}, more...)
	if r.race {
		args = append(args, "-race")
	}
	if out, err := exec.CommandContext(ctx, "go", append(args, packages)...).CombinedOutput(); err != nil {
		return fmt.Errorf("go test %s: %w\n%s", packages, err, out)
	}
	return nil
}

// writeOverlay writes the changed file and the overlay that names it, and returns the latter.
func writeOverlay(dir string, m mutant) (string, error) {
	real, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(changed, m.changed(), 0o644); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {real: changed}})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, text, 0o644)
}

// outcomes are those of mutants, by ID, and the file that has them.
type outcomes struct {
	mu   sync.Mutex
	byID map[string]string
	file *os.File
}

// line is a line of the file.
type line struct{ ID, Outcome string }

func openOutcomes(name string) (*outcomes, error) {
	o := &outcomes{byID: map[string]string{}}
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for s := bufio.NewScanner(strings.NewReader(string(text))); s.Scan(); {
		var l line
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		o.byID[l.ID] = l.Outcome
	}
	o.file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	return o, err
}

// of returns the outcome of a mutant, "" if there is none.
func (o *outcomes) of(m mutant) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.byID[m.id()]
}

// add notes an outcome, unless the run was interrupted.
func (o *outcomes) add(ctx context.Context, m mutant, outcome string) error {
	if ctx.Err() != nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byID[m.id()] = outcome
	fmt.Printf("%s: %s:%d: %s\n", outcome, m.file, m.line, m.kind)
	return json.NewEncoder(o.file).Encode(line{m.id(), outcome})
}

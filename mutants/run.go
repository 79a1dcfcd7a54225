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
	"regexp"
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
	timeout  time.Duration
	outcomes *outcomes
}

// readsSource matches the tests that read the source and not what it does.
const readsSource = "House|Words|Docs|Document"

// A stage is what "go test" is asked for. Each mutant goes through them until one fails.
type stage []string

// quick are the stages that every mutant goes through after its own package's tests. The same
// programs run once more on Go's heap in OnGoHeap, which finds nothing that they do not.
var quick = []stage{
	{"-skip", readsSource + "|OnGoHeap", "./internal/..."},
	{"-skip", readsSource, "."},
}

// thorough are further ones, for the mutants that survived those: the legs of .ci/run that see
// other things, such as how many instructions are spent.
var thorough = []stage{
	{"./proptest"},
	{"-race", "-skip", readsSource + "|OnGoHeap", "./internal/..."},
	{"-race", "-skip", readsSource, "."},
	{"./btree", "./cache", "./deque", "./hashmap", "./heap", "./list", "./palloctest", "./vector"},
	{"-asan", "-run", "Alloc|Slice|Append|Buffer|Tree|Reset|Checked", "-skip", readsSource + "|SlicesAreLikeGosOwn|TurnTheTreeOver", "."},
	{"-short=false", "./bench/hot"},
}

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
	stages := append([]stage{{"-skip", readsSource, own}}, quick...)
	if r.outcomes.of(m) == survived {
		stages = thorough
	} else if command(ctx, overlay, "build", own).Run() != nil {
		return r.outcomes.add(ctx, m, notCompiled, "")
	}
	for _, s := range stages {
		if out, err := r.test(ctx, overlay, s); err != nil {
			return r.outcomes.add(ctx, m, killed, failed(out))
		}
	}
	return r.outcomes.add(ctx, m, survived, "")
}

// unchanged runs the tests against palloc as it is: a test that fails then would kill each mutant.
func (r *runner) unchanged(ctx context.Context, again bool) error {
	stages := quick
	if again {
		stages = thorough
	}
	for _, s := range stages {
		if out, err := r.test(ctx, "", s); err != nil {
			return fmt.Errorf("go test %s: %w\n%s", strings.Join(s, " "), err, out)
		}
	}
	return nil
}

// test runs the tests of a stage until one fails, and returns what they wrote.
func (r *runner) test(ctx context.Context, overlay string, s stage) ([]byte, error) {
	args := append([]string{"test", "-short", "-failfast", "-vet=off", "-timeout", r.timeout.String()}, s...)
	return command(ctx, overlay, args...).CombinedOutput()
}

// command returns a go command that compiles what overlay says, as do those that a test starts.
func command(ctx context.Context, overlay string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "go", args...)
	if overlay != "" {
		c.Env = append(os.Environ(), "GOFLAGS=-overlay="+overlay)
	}
	return c
}

var failure = regexp.MustCompile(`(?m)^(?:--- FAIL: (\S+)|(panic: .*|fatal error: .*|signal: .*|SIG\w+: .*))`)

// failed returns which test wrote that it failed, or how the process ended.
func failed(out []byte) string {
	if m := failure.FindSubmatch(out); m != nil {
		return string(m[1]) + string(m[2])
	}
	return "unknown"
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
type line struct {
	ID, Outcome string
	By          string // the test that failed
}

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
func (o *outcomes) add(ctx context.Context, m mutant, outcome, by string) error {
	if ctx.Err() != nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.byID[m.id()] = outcome
	fmt.Printf("%s: %s:%d: %s: %s\n", outcome, m.file, m.line, m.kind, by)
	return json.NewEncoder(o.file).Encode(line{m.id(), outcome, by})
}

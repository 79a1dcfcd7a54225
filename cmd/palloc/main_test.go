package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// The tests of the command run the built program, as a user does.

// program is the path of the built program.
var program string

func TestMain(m *testing.M) {
	if log := os.Getenv(fakeLog); log != "" {
		os.Exit(fakePG18(log))
	}
	status, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func buildAndRun(m *testing.M) (status int, err error) {
	dir, err := os.MkdirTemp("", "palloc-command")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "palloc.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("the command does not build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// outcome is what one run of the program left.
type outcome struct {
	stdout, stderr string
	status         int
}

// palloc runs the program with its output piped.
func palloc(t *testing.T, args ...string) outcome {
	t.Helper()
	return finish(t, exec.Command(program, args...))
}

func finish(t *testing.T, c *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s does not run: %v", c, err)
	}
	return outcome{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// wantClean wants status 0, silence on standard error and plain text.
func (o outcome) wantClean(t *testing.T) {
	t.Helper()
	if o.status != 0 || o.stderr != "" {
		t.Fatalf("status %d, standard error %q; want 0 and nothing", o.status, o.stderr)
	}
	for i, r := range o.stdout {
		if unicode.IsControl(r) && r != '\n' {
			t.Fatalf("control character %q at byte %d of the output", r, i)
		}
	}
}

// wantComplaint wants the status, exactly one line on standard error, and what
// it says.
func (o outcome) wantComplaint(t *testing.T, status int, says ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("the status is %d, want %d", o.status, status)
	}
	if strings.Count(o.stderr, "\n") != 1 || !strings.HasPrefix(o.stderr, "palloc: ") || !strings.HasSuffix(o.stderr, "\n") {
		t.Errorf("standard error is %q, want one line of palloc's", o.stderr)
	}
	for _, s := range says {
		if !strings.Contains(o.stderr, s) {
			t.Errorf("standard error is %q, want %q in it", o.stderr, s)
		}
	}
}

// lines returns the lines of the output.
func (o outcome) lines() []string {
	if o.stdout == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(o.stdout, "\n"), "\n")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"-h"}, {"--help"}} {
		o := palloc(t, args...)
		o.wantClean(t)
		if !strings.Contains(o.stdout, "palloc replay [flags] [TRACE ...]") {
			t.Errorf("palloc %q prints %q, want the usage", args, o.stdout)
		}
	}
	o := palloc(t, "replay", "-help")
	o.wantClean(t)
	if !strings.Contains(o.stdout, "-passes") || !strings.Contains(o.stdout, "-verify") || !strings.Contains(o.stdout, "-tree") {
		t.Errorf("palloc replay -help prints %q, want the flags", o.stdout)
	}
}

func TestVersion(t *testing.T) {
	o := palloc(t, "version")
	o.wantClean(t)
	if fields := strings.Fields(o.stdout); len(fields) != 4 || fields[0] != "palloc" || !strings.HasPrefix(fields[2], "go1.") {
		t.Errorf("the version is %q, want palloc, its version, Go's and the platform", o.stdout)
	}
}

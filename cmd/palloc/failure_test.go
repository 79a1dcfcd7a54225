package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gopalloc/palloc/trace"
)

// Replays that cannot go well: bad input, broken promises and crashes. Each is
// one line and a status, and nothing that went well before is lost.

// small writes a trace of one chunk of size bytes and returns its path.
func small(t *testing.T, size int64) string {
	t.Helper()
	r := trace.NewRecorder()
	mc, err := r.Create(trace.None, trace.Context{Name: "top"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Alloc(mc, size, trace.Zero|trace.Huge); err != nil {
		t.Fatal(err)
	}
	return write(t, r.Trace())
}

// write writes a trace to a file called small and returns its path.
func write(t *testing.T, tr *trace.Trace) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "small.mctrace")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := trace.Write(f, tr); err != nil {
		t.Fatal(err)
	}
	return name
}

// spoilt writes a file whose content is that of another, changed.
func spoilt(t *testing.T, name string, change func([]byte) []byte) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	spoiltName := filepath.Join(t.TempDir(), "spoilt.mctrace")
	if err := os.WriteFile(spoiltName, change(data), 0o666); err != nil {
		t.Fatal(err)
	}
	return spoiltName
}

func TestBadInput(t *testing.T) {
	good, zipped := small(t, 100), "recording/pgbench_tpcb.mctrace.gz"
	half := func(b []byte) []byte { return b[:len(b)/2] }
	flip := func(b []byte) []byte { b[len(b)/2] ^= 0x40; return b }
	for _, c := range []struct {
		name string
		args []string
		says []string
	}{
		{"unknown command", []string{"reply"}, []string{`"reply"`, "palloc help"}},
		{"unknown flag", []string{"replay", "-pass", "3"}, []string{"-pass"}},
		{"bad value", []string{"replay", "-passes", "many"}, []string{"many"}},
		{"one pass", []string{"replay", "-passes", "1"}, []string{"at least 2"}},
		{"unknown back end", []string{"replay", "-backend", "malloc"}, []string{"malloc", "palloc, goheap and floor"}},
		{"no back end", []string{"replay", "-backend", ""}, []string{"-backend"}},
		{"empty name", []string{"replay", ""}, []string{"empty name"}},
		{"empty name beside another", []string{"replay", good, ""}, []string{"empty name"}},
		{"missing file", []string{"replay", "no/such.mctrace"}, []string{"no/such.mctrace"}},
		{"directory", []string{"replay", "recording"}, []string{"recording is a directory"}},
		{"foreign file", []string{"replay", "main.go"}, []string{"main.go", "byte 0"}},
		{"foreign file, -verify", []string{"replay", "-verify", "main.go"}, []string{"main.go", "byte 0"}},
		{"empty file", []string{"replay", spoilt(t, good, func([]byte) []byte { return nil })}, []string{"byte 0", "cut off"}},
		{"cut off", []string{"replay", spoilt(t, good, func(b []byte) []byte { return b[:len(b)-1] })}, []string{"byte 30", "cut off"}},
		{"flipped bit", []string{"replay", spoilt(t, good, func(b []byte) []byte { b[8] ^= 1; return b })}, []string{"byte 30", "END"}},
		{"gzip cut off", []string{"replay", spoilt(t, zipped, half)}, []string{"byte ", "gzip wrapper is damaged"}},
		{"gzip, flipped bit", []string{"replay", spoilt(t, zipped, flip)}, []string{"byte ", "gzip wrapper is damaged"}},
		{"worker without a job", []string{"replay-worker"}, []string{"own use"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := palloc(t, c.args...)
			o.wantComplaint(t, 2, c.says...)
			if o.stdout != "" {
				t.Errorf("standard output is %q, want nothing", o.stdout)
			}
		})
	}
}

func TestGoodTracesOutliveABadOne(t *testing.T) {
	good := small(t, 100)
	o := palloc(t, "replay", "-json", "-passes", "2", "-backend", "palloc,goheap", good, "main.go", good)
	o.wantComplaint(t, 2, "main.go", "byte 0")
	if got := strings.Count(o.stdout, `"trace":"small"`); got != 4 {
		t.Errorf("%d results, want 4, two traces on two back ends:\n%s", got, o.stdout)
	}
}

func TestBrokenPromise(t *testing.T) {
	o := palloc(t, "replay", "-verify", "-backend", "floor,goheap")
	o.wantComplaint(t, 1, "floor on pgbench_tpcb", "op ", "overlaps")
	if !strings.HasPrefix(o.stdout, "goheap on pgbench_tpcb: verified") || len(o.lines()) != 1 {
		t.Errorf("the output is %q, want the verdict on goheap", o.stdout)
	}
}

func TestFault(t *testing.T) {
	r := trace.NewRecorder()
	mc, err := r.Create(trace.None, trace.Context{Kind: trace.Bump, Name: "sort"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := r.Alloc(mc, 8, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Free(id); err != nil { // the format allows it, a Bump does not
		t.Fatal(err)
	}
	name := write(t, r.Trace())
	palloc(t, "replay", "-backend", "palloc", name).wantComplaint(t, 1, "palloc on small", "Bump", "-verify may tell where")
	palloc(t, "replay", "-verify", "-backend", "palloc", name).wantComplaint(t, 1, "palloc on small", "op 2 (FREE)", `"sort"`, "Bump")
}

func TestCrash(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil || runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("a process is kept from memory with the shell's ulimit, on linux/amd64")
	}
	const script = `ulimit -v 67108864 && exec "$0" "$@"` // 64 GiB of address space
	o := finish(t, exec.Command(shell, "-c", script, program, "replay", "-json", "-passes", "2", "-backend", "palloc,goheap", small(t, 1<<40), small(t, 100)))
	if o.status != 1 || strings.Count(o.stderr, "\n") != 2 {
		t.Errorf("status %d and standard error %q, want 1 and a line for each back end", o.status, o.stderr)
	}
	if !strings.Contains(o.stderr, "palloc: goheap on small: ") || !strings.Contains(o.stderr, "fatal error") {
		t.Errorf("standard error is %q, want the crash of goheap", o.stderr)
	}
	if len(o.lines()) != 2 {
		t.Errorf("the output is %q, want the results of the trace after it", o.stdout)
	}
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopalloc/palloc/cmd/palloc/recording"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// A job: one trace on one back end, done by a new process, and its outcome.
//
// Invariant: the outcome of a job is what its task asks for, or a failure. Cost: a
// line of JSON each way, outside of what is measured.

// job is what a worker does.
type job struct {
	Task    task   `json:"task"`
	Trace   string `json:"trace"` // file name, or embedded
	Backend string `json:"backend"`
	PG18    string `json:"pg18"`   // the program that has the back ends elsewhere
	Passes  int    `json:"passes"` // of a measurement, at least
	Lines   int    `json:"lines"`  // of a tree, at most; 0 for all
}

// embedded stands for the recording that the program carries.
const embedded = ""

// task is what to do with the trace.
type task string

const (
	taskMeasure task = "measure" // ends in a result
	taskVerify  task = "verify"  // ends in a verdict
	taskTree    task = "tree"    // ends in the contexts at the peak; palloc only
)

// outcome is what a job returns; one of the fields is set.
type outcome struct {
	Result  *result  `json:"result,omitempty"`
	Verdict *verdict `json:"verdict,omitempty"`
	Tree    string   `json:"tree,omitempty"` // in PostgreSQL's text format
	Failure *failure `json:"failure,omitempty"`
}

// result is what was measured. Its JSON is the command's output with -json.
type result struct {
	Trace         string  `json:"trace"`
	Backend       string  `json:"backend"`
	Ops           int     `json:"ops"` // operations counted and replayed in a pass
	Passes        int     `json:"passes"`
	ColdNsPerOp   float64 `json:"cold_ns_per_op"`
	WarmNsPerOp   float64 `json:"warm_ns_per_op"`
	Clock         string  `json:"clock"`          // "cpu", or "wall" where the system has no other
	PeakRSSBytes  *int64  `json:"peak_rss_bytes"` // null where the system does not tell
	LivePeakBytes int64   `json:"live_peak_bytes"`
	GCCycles      int64   `json:"gc_cycles"`
	GCCPUNs       int64   `json:"gc_cpu_ns"`
}

// verdict is the outcome of a verified replay that found nothing wrong.
type verdict struct {
	Trace    string `json:"trace"`
	Backend  string `json:"backend"`
	Ops      int    `json:"ops"` // operations counted and replayed
	Allocs   int    `json:"allocs"`
	Verified bool   `json:"verified"`
}

// failure is why a job failed, with the exit status.
type failure struct {
	Text   string `json:"text"`
	Status int    `json:"status"`
}

// fails returns the outcome of a job that failed with err.
func (j job) fails(err any) outcome {
	return outcome{Failure: &failure{fmt.Sprintf("%s on %s: %v", j.Backend, j.label(), err), statusFailed}}
}

// Error returns the text.
func (f *failure) Error() string { return f.Text }

// label returns the name of the job's trace in reports: its file name without the
// suffixes.
func (j job) label() string {
	if j.Trace == embedded {
		return recording.Name
	}
	name := strings.TrimSuffix(filepath.Base(j.Trace), ".gz")
	return strings.TrimSuffix(name, ".mctrace")
}

// load reads the trace of a job. Its errors are those of bad input.
func (j job) load() (t *trace.Trace, err error) {
	if j.Trace == embedded {
		return trace.Read(strings.NewReader(recording.TPCB))
	}
	if info, err := os.Stat(j.Trace); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a directory; name the traces in it", j.Trace)
	}
	if t, err = trace.ReadFile(j.Trace); err == nil {
		err = t.Addressable()
	}
	return t, err
}

// backends are the allocators that a trace can be replayed on.
var backends = map[string]func() trace.Backend{
	"palloc": func() trace.Backend { return new(backend.Palloc) },
	"goheap": func() trace.Backend { return new(backend.GoHeap) },
	"floor":  func() trace.Backend { return new(backend.Floor) },
}

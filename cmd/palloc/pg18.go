package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"

	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/flat"
)

// PostgreSQL 18: back ends of another program, which bench/pg18/build makes of
// PostgreSQL's own allocator.
//
// Invariant: the program replays the ops that the other back ends replay, of a flat
// trace that is gone when the job ends. Cost: 24 bytes an op in the folder for temporary files.

// elsewhere are the program's back ends, and the workload that each is.
var elsewhere = map[string]string{"pg18": "trace", pg18Floor: "trace-floor"}

// pg18Floor is the program's loop without an allocator.
const pg18Floor = "pg18-floor"

// figures are what the program prints of a workload; what it leaves out is nil.
type figures struct {
	Ns       *float64 `json:"ns"` // an operation, median of the warm passes
	Cold     *float64 `json:"cold"`
	Passes   int      `json:"passes"`
	Resident *int64   `json:"resident"` // bytes
}

// measureElsewhere has the program replay t, as often as it takes for the job's passes.
// The figures are medians of its runs.
func (j job) measureElsewhere(t *trace.Trace) (*result, error) {
	r := &result{
		Trace: j.label(), Backend: j.Backend, Ops: t.Replayed(),
		Clock: "cpu", LivePeakBytes: t.Counts().PeakBytes,
	}
	return r, withFlat(t, func(ctx context.Context, file string) error {
		var cold, warm []float64
		for r.Passes < j.Passes {
			f, err := runPG18(ctx, j.PG18, elsewhere[j.Backend], file)
			if err != nil {
				return err
			}
			if f.Ns == nil || f.Cold == nil || f.Passes < 1 {
				return fmt.Errorf("%s does not print ns, cold and passes", j.PG18)
			}
			cold, warm, r.Passes = append(cold, *f.Cold), append(warm, *f.Ns), r.Passes+f.Passes
		}
		r.ColdNsPerOp, r.WarmNsPerOp = median(cold), median(warm)
		if j.Backend != pg18Floor {
			f, _ := runPG18(ctx, j.PG18, "trace-touched", file) // fails where the system does not tell
			r.PeakRSSBytes = f.Resident
		}
		return nil
	})
}

// checkPG18 fails if the program does not run a workload, of a trace without ops.
func checkPG18(program string) error {
	return withFlat(trace.NewRecorder().Trace(), func(ctx context.Context, file string) error {
		_, err := runPG18(ctx, program, "passes-2", file)
		return err
	})
}

// withFlat calls do with the name of a flat trace of t, and removes the file. An interrupt
// ends the context instead of this process.
func withFlat(t *trace.Trace, do func(ctx context.Context, file string) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f, err := os.CreateTemp("", "palloc-*.flat")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := cmp.Or(flat.Write(f, t), f.Close()); err != nil {
		return err
	}
	return do(ctx, f.Name())
}

// runPG18 runs a workload of the program on a flat trace and returns what it prints.
func runPG18(ctx context.Context, program, workload, file string) (f figures, err error) {
	var last head
	c := exec.CommandContext(ctx, program, "allocset", workload, file)
	c.Stderr = &last
	said, err := c.Output()
	switch {
	case c.Process == nil:
		return f, fmt.Errorf("cannot start %s: %w", program, err)
	case err != nil:
		return f, fmt.Errorf("%s failed (%w): %s", program, err, last.cause())
	}
	if err := json.Unmarshal(said, &f); err != nil {
		return f, fmt.Errorf("%s prints %.80q, want a line of JSON", program, said)
	}
	return f, nil
}

// median returns the median of at least one figure, and sorts them.
func median(list []float64) float64 {
	slices.Sort(list)
	n := len(list)
	return (list[(n-1)/2] + list[n/2]) / 2
}

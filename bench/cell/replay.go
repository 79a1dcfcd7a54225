package cell

import (
	"errors"

	"github.com/gopalloc/palloc/internal/process"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// Replays of recordings, on the back ends that `palloc replay` has.
//
// Invariant: the trace and the tables of the replay are in place and resident
// before the clock or the mark of resident memory is set; the garbage that this
// made is collected, and no memory is free. Cost: what is measured.

func init() {
	join("palloc", map[string]workload{
		"trace":         onTrace(new(backend.Palloc), timed),
		"trace-touched": onTrace(new(backend.Palloc), touched),
		"trace-floor":   onTrace(new(backend.Floor), timed),

		"passes-2":       passes(new(backend.Palloc), 2),
		"passes-4":       passes(new(backend.Palloc), 4),
		"passes-floor-2": passes(new(backend.Floor), 2),
		"passes-floor-4": passes(new(backend.Floor), 4),
	})
	join("goheap", map[string]workload{
		"trace":         onTrace(new(backend.GoHeap), timed),
		"trace-touched": onTrace(new(backend.GoHeap), touched),
	})
}

// onTrace reads the recording, makes the process ready and runs a workload on it.
func onTrace(b trace.Backend, run func(t *trace.Trace, b trace.Backend) (figures, error)) workload {
	return func(file string) (figures, error) {
		t, err := load(file)
		if err == nil {
			err = backend.Prepare(t, b)
		}
		if err != nil {
			return nil, err
		}
		return run(t, b)
	}
}

// load reads a recording.
func load(file string) (*trace.Trace, error) {
	if file == "" {
		return nil, errors.New("cell: the workload replays a recording, and none is named: give its path")
	}
	t, err := trace.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return backend.OffHeap(t.WithoutQuestions())
}

// timed measures a first pass and the median of at least four others.
func timed(t *trace.Trace, b trace.Backend) (figures, error) {
	ops := max(t.Replayed(), 1)
	cold := backend.Pass(t, b)
	warm, passes := backend.Warm(t, b, 4, scale.replay)
	return figures{"cold": per(cold, ops), "ns": per(warm, ops), "passes": float64(passes + 1)}, nil
}

// passes returns a workload of n passes, for a program that counts instructions. It does
// not make the process ready, which takes as many as it may.
func passes(b trace.Backend, n int) workload {
	return func(file string) (figures, error) {
		t, err := load(file)
		if err != nil {
			return nil, err
		}
		for range n {
			backend.Pass(t, b)
		}
		return figures{"passes": float64(n), "ops": float64(t.Replayed())}, nil
	}
}

// touched measures what is resident at most in a pass that writes to every page.
func touched(t *trace.Trace, b trace.Backend) (figures, error) {
	b.Begin(t)
	defer b.End()
	mark := process.MarkResident()
	for i, o := range t.Ops() {
		b.Play(t.Ops()[i : i+1])
		if o.Touched() {
			touchPages(part(b.Chunk(o.Slot()), 0, int(o.Size())))
		}
	}
	bytes, err := peak(mark)
	return figures{"resident": bytes}, err
}

// touchPages writes a byte of every page of a chunk, and the last one.
func touchPages(chunk []byte) {
	for i := 0; i < len(chunk); i += 4096 {
		chunk[i] = 1
	}
	chunk[len(chunk)-1] = 1
}

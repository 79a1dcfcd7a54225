package main

import (
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/gopalloc/palloc/internal/process"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The measurement: some passes over a trace on one back end, as the bench has them.
//
// The first pass is cold: the back end has never held the memory. The median of the
// others is warm. Time is what the process spends on its processor, the
// collector's share included: it keeps to one, as the bench's cells do. Peak memory is the high-water mark of resident
// memory in the cold pass less what was resident just before.
//
// Invariant: the trace, the table of addresses and the handles of contexts are
// in place and resident before the baseline is taken, so that none of them is
// charged to the back end. Cost: a few system calls a pass.

// enough is how long warm passes are repeated.
const enough = 300 * time.Millisecond

// measure replays t on the job's back end.
func (j job) measure(t *trace.Trace) (*result, error) {
	runtime.GOMAXPROCS(1)
	b := backends[j.Backend]()
	if err := backend.Prepare(t, b); err != nil {
		return nil, err
	}
	gc, resident := readGC(), process.MarkResident()
	cold := backend.Pass(t, b)
	peak := resident.Peak()
	warm, passes := backend.Warm(t, b, j.Passes-1, enough)
	gc = readGC().minus(gc)
	return &result{
		Trace:         j.label(),
		Backend:       j.Backend,
		Ops:           t.Replayed(),
		Passes:        passes + 1,
		ColdNsPerOp:   perOp(cold, t),
		WarmNsPerOp:   perOp(warm, t),
		Clock:         process.Clock,
		PeakRSSBytes:  peak,
		LivePeakBytes: t.Counts().PeakBytes,
		GCCycles:      gc.cycles,
		GCCPUNs:       gc.cpu.Nanoseconds(),
	}, nil
}

// perOp returns nanoseconds for each operation; 0 for a trace without any.
func perOp(d time.Duration, t *trace.Trace) float64 {
	return float64(d.Nanoseconds()) / float64(max(t.Replayed(), 1))
}

// gcWork is what Go's collector has done since the start of the process. The
// runtime brings the time up to date at the end of each cycle.
type gcWork struct {
	cycles int64
	cpu    time.Duration
}

func readGC() gcWork {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	metrics.Read(samples)
	return gcWork{
		cycles: int64(samples[0].Value.Uint64()),
		cpu:    time.Duration(samples[1].Value.Float64() * float64(time.Second)),
	}
}

func (w gcWork) minus(before gcWork) gcWork {
	return gcWork{w.cycles - before.cycles, w.cpu - before.cpu}
}

package main

import (
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/trace"
)

// The measurement: some passes over a trace on one back end.
//
// The first pass is cold: the back end has never held the memory. Of the others,
// the best is warm. Time is what the process spends on its processors, the
// collector's share included. Peak memory is the high-water mark of resident
// memory in the cold pass less what was resident just before.
//
// Invariant: the trace, the table of addresses and the handles of contexts are
// in place and resident before the baseline is taken, so that none of them is
// charged to the back end. Cost: a few system calls a pass.

// measure replays t on the job's back end and calls done after each pass.
func (j job) measure(t *trace.Trace, done func(pass int)) (*result, error) {
	r, err := trace.NewReplay(t, backends[j.Backend]())
	if err != nil {
		return nil, err
	}
	r.Begin()
	palloc.Trim()
	debug.FreeOSMemory()
	gc, resident := readGC(), markResident()
	spent := make([]time.Duration, 0, j.Passes)
	spent = append(spent, play(r, t))
	peak := resident.peak()
	r.End()
	done(1)
	for len(spent) < j.Passes {
		r.Begin()
		spent = append(spent, play(r, t))
		r.End()
		done(len(spent))
	}
	gc = readGC().minus(gc)
	return &result{
		Trace:         j.label(),
		Backend:       j.Backend,
		Ops:           t.Replayed(),
		Passes:        j.Passes,
		ColdNsPerOp:   perOp(spent[0], t),
		WarmNsPerOp:   perOp(slices.Min(spent[1:]), t),
		Clock:         clockName,
		PeakRSSBytes:  peak,
		LivePeakBytes: t.Counts().PeakBytes,
		GCCycles:      gc.cycles,
		GCCPUNs:       gc.cpu.Nanoseconds(),
	}, nil
}

// play plays the whole trace and returns what the process spent on it.
func play(r *trace.Replay, t *trace.Trace) time.Duration {
	start := processTime()
	r.Play(t.Ops())
	return processTime() - start
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

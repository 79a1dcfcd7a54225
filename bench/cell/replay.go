package cell

import (
	"errors"
	"runtime"

	"github.com/gopalloc/palloc/bench/flat"
)

// Replays of flat traces, without the allocator.
//
// Invariant: the trace and the tables of the replay are in place and resident
// before the clock or the mark of resident memory is set; the garbage that this
// made is collected. Cost: two indirect calls a pass.

// replay is a trace with an allocator that carries it out. A pass is begin, the
// ops in order in any number of pieces, and end; begin and end are not timed.
type replay interface {
	begin()
	play(ops []flat.Op)
	end()
	// at views the chunk in a slot as bytes, to be written to.
	at(slot uint32, size int) []byte
}

// onTrace loads the trace and makes a replay of it for a workload.
func onTrace(mk func(t *flat.Trace) (replay, error), run func(r replay, t *flat.Trace) (figures, error)) workload {
	return func(file string) (figures, error) {
		if file == "" {
			return nil, errors.New("cell: the workload replays a flat trace, and none is named: give its path")
		}
		t, err := flat.Load(file)
		if err != nil {
			return nil, err
		}
		defer t.Close()
		r, err := mk(t)
		if err != nil {
			return nil, err
		}
		if err := loadProgram(); err != nil {
			return nil, err
		}
		runtime.GC()
		becomeCalm()
		return run(r, t)
	}
}

// timed measures a first pass and the median of at least four others.
func timed(r replay, t *flat.Trace) (figures, error) {
	cold := pass(r, t)
	var warm []float64
	for total := 0.0; len(warm) < 4 || total < float64(scale.replay.Nanoseconds()); {
		ns := pass(r, t)
		warm = append(warm, ns)
		total += ns
	}
	ops := float64(max(t.Replayed(), 1))
	passes := float64(len(warm) + 1)
	return figures{"cold": cold / ops, "ns": median(warm) / ops, "passes": passes}, nil
}

// pass is the time of one pass in nanoseconds.
func pass(r replay, t *flat.Trace) float64 {
	r.begin()
	defer r.end()
	start := cpuTime()
	r.play(t.Ops())
	return float64((cpuTime() - start).Nanoseconds())
}

// touched measures what is resident at most in a pass that writes to every page.
func touched(r replay, t *flat.Trace) (figures, error) {
	r.begin()
	defer r.end()
	base, err := markResident()
	if err != nil {
		return nil, err
	}
	for i, o := range t.Ops() {
		r.play(t.Ops()[i : i+1])
		if o.Code == flat.Alloc || o.Code == flat.Realloc {
			touchPages(r.at(o.Arg, int(o.Size)))
		}
	}
	peak, err := peakResident()
	return figures{"resident": float64(max(peak-base, 0))}, err
}

// touchPages writes a byte of every page of a chunk, and the last one.
func touchPages(chunk []byte) {
	for i := 0; i < len(chunk); i += 4096 {
		chunk[i] = 1
	}
	if len(chunk) > 0 {
		chunk[len(chunk)-1] = 1
	}
}

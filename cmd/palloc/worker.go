package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The worker: the hidden command that does one job in a process of its own, so
// that no job inherits the heap, the pages or the habits of the one before.
//
// Invariant: a job ends in exactly one result, verdict or failure, even when the
// back end panics. Cost: reading the trace again for each back end.

// workerCommand is the hidden command; its one argument is a job in JSON.
const workerCommand = "replay-worker"

// work runs the hidden command: events go to stdout, a line each.
func work(args []string, stdout, stderr io.Writer) int {
	var j job
	if len(args) != 1 {
		return complain(stderr, statusUsage, fmt.Errorf("%s takes one job; it is for palloc's own use", workerCommand))
	}
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return complain(stderr, statusUsage, fmt.Errorf("%s cannot read its job: %w", workerCommand, err))
	}
	lines, status := json.NewEncoder(stdout), statusOK
	perform(j, func(e event) {
		if e.Failure != nil {
			status = e.Failure.Status
		}
		if err := lines.Encode(e); err != nil {
			status = complain(stderr, statusFailed, fmt.Errorf("cannot report: %w", err))
		}
	})
	return status
}

// perform does a job and emits its events.
func perform(j job, emit func(event)) {
	defer func() {
		if p := recover(); p != nil {
			emit(j.fails(fmt.Sprintf("%v; -verify may tell where", p)))
		}
	}()
	t, err := j.load()
	if err != nil {
		emit(event{Failure: &failure{err.Error(), statusUsage}})
		return
	}
	end, err := j.do(outOfSight(t), emit)
	if err != nil {
		end = j.fails(err)
	}
	emit(end)
}

// do carries out the task on the trace.
func (j job) do(t *trace.Trace, emit func(event)) (end event, err error) {
	switch j.Task {
	case taskMeasure:
		end.Result, err = j.measure(t, func(pass int) { emit(event{Pass: pass}) })
	case taskVerify:
		end.Verdict, err = j.verify(t)
	case taskTree:
		end.Tree, err = peakTree(t)
	default:
		err = fmt.Errorf("the task %q is none", j.Task)
	}
	return end, err
}

// outOfSight moves a trace out of Go's heap, where its size would set the pace
// of the collector.
func outOfSight(t *trace.Trace) *trace.Trace {
	return t.Place(palloc.NewAllocSet(palloc.Top(), "trace").Alloc)
}

// verify replays the trace with every check.
func (j job) verify(t *trace.Trace) (*verdict, error) {
	r, err := trace.NewReplay(t, backends[j.Backend]())
	if err != nil {
		return nil, err
	}
	if err := r.Verify(); err != nil {
		return nil, err
	}
	return &verdict{
		Trace: j.label(), Backend: j.Backend,
		Ops: t.Replayed(), Allocs: t.Counts().Allocs, Verified: true,
	}, nil
}

// peakTree replays up to the peak and returns palloc's contexts as they are then.
func peakTree(t *trace.Trace) (string, error) {
	b := new(backend.Palloc)
	r, err := trace.NewReplay(t, b)
	if err != nil {
		return "", err
	}
	r.Begin()
	defer r.End()
	r.Play(t.Ops()[:t.PeakOps()])
	var text strings.Builder
	err = b.Root().WriteStats(&text)
	return text.String(), err
}

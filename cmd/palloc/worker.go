package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The worker: the hidden command that does one job in a process of its own, so
// that no job inherits the heap, the pages or the size hints of the one before.
//
// Invariant: a job has one outcome, even when the back end panics. Cost: reading the
// trace again for each back end.

// workerCommand is the hidden command; its one argument is a job in JSON.
const workerCommand = "replay-worker"

// work runs the hidden command and returns the exit status. It writes the outcome to
// stdout, in JSON.
func work(args []string, stdout, stderr io.Writer) int {
	var j job
	if len(args) != 1 {
		return complain(stderr, statusUsage, fmt.Errorf("%s takes one job; it is for palloc's own use", workerCommand))
	}
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return complain(stderr, statusUsage, fmt.Errorf("%s cannot read its job: %w", workerCommand, err))
	}
	end := perform(j)
	if err := json.NewEncoder(stdout).Encode(end); err != nil {
		return complain(stderr, statusFailed, fmt.Errorf("cannot report: %w", err))
	}
	if end.Failure != nil {
		return end.Failure.Status
	}
	return statusOK
}

// perform does a job and returns its outcome.
func perform(j job) (end outcome) {
	defer func() {
		if p := recover(); p != nil {
			end = j.fails(fmt.Sprintf("%v; -verify may tell where", p))
		}
	}()
	t, err := j.load()
	if err != nil {
		return outcome{Failure: &failure{err.Error(), statusUsage}}
	}
	if j.Task == taskMeasure {
		t = t.WithoutQuestions()
	}
	if t, err = backend.OffHeap(t); err == nil {
		end, err = j.do(t)
	}
	if err != nil {
		return j.fails(err)
	}
	return end
}

// do carries out the task on the trace.
func (j job) do(t *trace.Trace) (end outcome, err error) {
	switch j.Task {
	case taskMeasure:
		measure := j.measure
		if elsewhere[j.Backend] != "" {
			measure = j.measureElsewhere
		}
		end.Result, err = measure(t)
	case taskVerify:
		end.Verdict, err = j.verify(t)
	case taskTree:
		end.Tree, err = peakTree(t, j.Lines)
	default:
		err = fmt.Errorf("the task %q is none", j.Task)
	}
	return end, err
}

// verify replays the trace with every check.
func (j job) verify(t *trace.Trace) (*verdict, error) {
	if err := trace.Verify(t, backends[j.Backend]()); err != nil {
		return nil, err
	}
	return &verdict{
		Trace: j.label(), Backend: j.Backend,
		Ops: t.Replayed(), Allocs: t.Counts().Allocs, Verified: true,
	}, nil
}

// peakTree replays up to the peak and returns palloc's contexts as they are then, at
// most the given number of lines.
func peakTree(t *trace.Trace, lines int) (string, error) {
	b := new(backend.Palloc)
	b.Begin(t)
	defer b.End()
	b.Play(t.Ops()[:t.PeakOps()])
	var text strings.Builder
	err := writeTree(&text, b.Root(), lines)
	return text.String(), err
}

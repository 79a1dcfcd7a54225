package main

import (
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// The progress bar: jobs done of jobs to do, on a terminal.
//
// Invariant: where standard error is no terminal, nothing is ever written. Cost:
// a line redrawn after a job, outside of what is measured: another process
// measures.

// progress is the bar; its zero value shows nothing.
type progress struct {
	bar *progressbar.ProgressBar
}

// newProgress returns a bar for all jobs of the options, which shows itself when
// stderr is a terminal.
func newProgress(stderr io.Writer, o options) *progress {
	f, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{progressbar.NewOptions(len(o.traces)*len(o.backends),
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionClearOnFinish(),
	)}
}

// watch runs a job under the bar and clears the bar, to make room for what is
// printed.
func (p *progress) watch(j job) (end outcome) {
	if p.bar == nil {
		return runJob(j)
	}
	p.bar.Describe(j.Backend + " on " + j.label())
	end = runJob(j)
	p.bar.Add(1)
	p.bar.Clear()
	return end
}

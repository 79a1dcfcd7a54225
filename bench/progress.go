package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// The display of a run: a bar on a terminal, a line for each group elsewhere.
//
// Invariant: it writes between cells only, never while one is measured. Cost: a
// line redrawn after a cell.

// progress shows how far a run has come.
type progress struct {
	out io.Writer
	bar *progressbar.ProgressBar // nil where out is no terminal
}

// newProgress returns the display of a run of a number of cells.
func newProgress(out io.Writer, cells int) *progress {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{out: out}
	}
	return &progress{out, progressbar.NewOptions(cells,
		progressbar.OptionSetWriter(f),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	)}
}

// say writes a line that stays, above the bar.
func (p *progress) say(format string, args ...any) {
	if p.bar != nil {
		p.bar.Clear()
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// show displays what is measured now. Without a bar it does nothing, so that a log
// has a line for each group.
func (p *progress) show(what string) {
	if p.bar != nil {
		p.bar.Describe(what)
	}
}

// add counts cells as done, or as not to be done any more.
func (p *progress) add(cells int) {
	if p.bar != nil {
		p.bar.Add(cells)
	}
}

// end takes the bar off the terminal.
func (p *progress) end() {
	if p.bar != nil {
		p.bar.Finish()
	}
}

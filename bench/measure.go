package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Measuring from the command line to the report.
//
// Invariant: the folder of the run and the servers in it are gone at the end,
// after an interrupt too; what was measured until then is not written. Cost: that
// of the cells.

// runMeasure carries out the command line and returns the exit status.
func runMeasure(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	if o.list {
		list(stdout)
		return statusOK
	}
	root, err := findRoot()
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	recorded, err := recordings(root, o.traces)
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	r, err := measure(o, root, recorded, stderr)
	if err == nil {
		err = write(r, o, root, stdout)
	}
	if err != nil {
		return complain(stderr, statusFailed, err)
	}
	if len(r.Failed) > 0 {
		return complain(stderr, statusFailed, fmt.Errorf("cells that failed, as said above and in the report: %d", len(r.Failed)))
	}
	return statusOK
}

// list prints what there is to measure.
func list(w io.Writer) {
	fmt.Fprintln(w, "workloads:")
	for _, l := range workloads {
		fmt.Fprintln(w, " ", l.name)
	}
	fmt.Fprintln(w, "allocators:")
	for _, name := range allPeers() {
		fmt.Fprintln(w, " ", name)
	}
}

// findRoot returns the root of the repository that the working directory is in.
func findRoot() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for folder := here; ; folder = filepath.Dir(folder) {
		_, err := os.Stat(filepath.Join(folder, "bench", "go.mod"))
		if err == nil {
			return folder, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || folder == filepath.Dir(folder) {
			return "", fmt.Errorf("there is no bench/go.mod in %s or above it: run the bench in a clone of the repository", here)
		}
	}
}

// measure builds what takes part, and runs it.
func measure(o options, root string, recorded []recording, stderr io.Writer) (*raw, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	folder, err := runFolder()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	fmt.Fprintln(stderr, "building the allocators")
	b := build(ctx, o, root, folder)
	defer b.stop()
	for _, l := range b.leftOut {
		fmt.Fprintln(stderr, l)
	}
	if slices.ContainsFunc(b.peers, func(p peer) bool { return p.flat && o.onTraces(p.name) }) {
		if err := flatten(recorded, folder); err != nil {
			return nil, err
		}
	}
	r := newRaw(o, root, b)
	groups := plan(o.workloads(), b.peers, recorded, o.rounds)
	shown := newProgress(stderr, left(groups...))
	defer shown.end()
	for _, g := range groups {
		(&runner{r, shown, o.limit}).group(ctx, g)
	}
	if ctx.Err() != nil {
		return nil, errors.New("interrupted: nothing is written")
	}
	return r, nil
}

// runFolder makes a folder that every user may pass through: the servers run as
// one of their own.
func runFolder() (string, error) {
	folder, err := os.MkdirTemp("", "palloc-bench")
	if err != nil {
		return "", err
	}
	return folder, os.Chmod(folder, 0o755)
}

// newRaw returns the record of a run that begins.
func newRaw(o options, root string, b built) *raw {
	r := &raw{Format: rawFormat, When: time.Now().UTC().Truncate(time.Second), Command: o.command,
		Commit: commit(root), Machine: thisMachine(), LeftOut: b.leftOut}
	for _, p := range b.peers {
		if strings.HasPrefix(p.name, "postgres") {
			r.Machine.Postgres = p.version
		} else if p.version != "" {
			r.Peers = append(r.Peers, version{p.name, p.version})
		}
	}
	return r
}

// write writes the report, the plots and the raw figures.
func write(r *raw, o options, root string, stdout io.Writer) error {
	if o.json != "" {
		if err := r.save(o.json); err != nil {
			return err
		}
	}
	var page bytes.Buffer
	if o.out == "" {
		report(&page, r, nil)
		_, err := page.WriteTo(stdout)
		return err
	}
	out := o.out
	if out == defaultOut {
		out = filepath.Join(root, filepath.FromSlash(out))
	}
	plots, err := drawPlots(r, filepath.Join(filepath.Dir(out), "bench"))
	if err != nil {
		return err
	}
	report(&page, r, plots)
	return publish(out, page.String())
}

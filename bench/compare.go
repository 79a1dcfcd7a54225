package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
)

// Comparing two runs: which cells have changed, and whether that is more than
// chance.
//
// Invariant: a change counts where the Mann-Whitney U-test rejects that the
// rounds before and after have one distribution. Cost: none to speak of.

const compareUsage = `bench compare holds a run of the bench against an earlier one, cell by cell, and
fails when a cell of palloc is significantly worse.

  go run ./bench compare [flags] OLD.json NEW.json

`

// runCompare carries out the command line and returns the exit status.
func runCompare(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	threshold := flags.Float64("threshold", 5, "how much worse a cell may be, in percent")
	err := parseOneLine(flags, compareUsage, args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err == nil && flags.NArg() != 2 {
		err = fmt.Errorf("compare wants two files, OLD and NEW, and got %d", flags.NArg())
	}
	var runs [2]*raw
	for i := 0; i < len(runs) && err == nil; i++ {
		runs[i], err = loadRaw(flags.Arg(i))
	}
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	all := changes(runs[0], runs[1])
	if len(all) == 0 {
		return complain(stderr, statusUsage, fmt.Errorf("%s and %s have no cell in common: measure the same workloads and allocators", flags.Arg(0), flags.Arg(1)))
	}
	if n := compare(stdout, all, *threshold); n > 0 {
		return complain(stderr, statusFailed, fmt.Errorf("%d figures of palloc are worse by more than %g %%", n, *threshold))
	}
	return statusOK
}

// change is one figure of one cell in two runs.
type change struct {
	peer, workload, file, figure string
	old, new                     *benchmath.Sample
	test                         benchmath.Comparison
}

// uncompared are figures of the work, not of its cost.
var uncompared = []string{"check", "passes"}

// changes returns what both runs have, in the order of the new one.
func changes(before, after *raw) (all []change) {
	for _, c := range after.Cells {
		b := before.find(c.Peer, c.Workload, c.File)
		if b == nil {
			continue
		}
		for _, f := range c.figures() {
			if old, now := b.values(f), c.values(f); len(old) > 0 && !slices.Contains(uncompared, f) {
				all = append(all, compared(change{peer: c.Peer, workload: c.Workload, file: c.File, figure: f}, old, now))
			}
		}
	}
	return all
}

// compared fills in the result of the test for the two samples.
func compared(c change, old, now []float64) change {
	c.old = benchmath.NewSample(old, &benchmath.DefaultThresholds)
	c.new = benchmath.NewSample(now, &benchmath.DefaultThresholds)
	c.test = benchmath.AssumeNothing.Compare(c.old, c.new)
	return c
}

// ratio returns the new median over the old one.
func (c change) ratio() float64 {
	return quotient(spreadOf(c.new.Values).mid, spreadOf(c.old.Values).mid)
}

// worse reports whether palloc became slower or larger by more than percent, beyond
// chance.
func (c change) worse(percent float64) bool {
	return isOurs(c.peer) && c.test.P < c.test.Alpha && c.ratio() > 1+percent/100
}

// compare prints the changes and returns how many of palloc's are for the worse.
func compare(w io.Writer, all []change, percent float64) (worse int) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "allocator\tworkload\tfigure\told\tnew\tchange\ttest\t")
	for _, c := range all {
		mark := ""
		if c.worse(percent) {
			mark, worse = " worse", worse+1
		}
		old, now := spreadOf(c.old.Values).mid, spreadOf(c.new.Values).mid
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s%s\t%s\t\n", c.peer, c.where(), c.figure,
			number(old), number(now), c.test.FormatDelta(old, now), mark, c.test)
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, peer := range peersOf(all) {
		fmt.Fprintf(w, "%s: geometric mean of new / old %s\n", peer, number(meanChange(all, peer)))
	}
	return worse
}

// where returns the workload and its trace.
func (c change) where() string {
	if c.file == "" {
		return c.workload
	}
	return c.workload + " " + c.file
}

// peersOf returns the peers in the order in which they occur.
func peersOf(all []change) (peers []string) {
	for _, c := range all {
		if !slices.Contains(peers, c.peer) {
			peers = append(peers, c.peer)
		}
	}
	return peers
}

// meanChange returns the geometric mean of a peer's changes, those from or to
// nothing left out.
func meanChange(all []change, peer string) float64 {
	var ratios []float64
	for _, c := range all {
		if c.peer == peer && spreadOf(c.old.Values).mid > 0 && spreadOf(c.new.Values).mid > 0 {
			ratios = append(ratios, c.ratio())
		}
	}
	return geomean(ratios)
}

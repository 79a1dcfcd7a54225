package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The flags of measuring.
//
// Invariant: what they say is checked before anything is built. Cost: none.

// options holds the values of the flags.
type options struct {
	only    *regexp.Regexp // of workloads
	peers   []string
	rounds  int
	limit   time.Duration // of one cell
	traces  string        // the folder of the recordings; empty: the default
	out     string        // where the report goes; empty: standard output
	json    string
	list    bool
	command string // as it was typed
}

const measureUsage = `bench measures palloc against other allocators and writes the report into
docs/BENCHMARKS.md, plots next to it. A run of some workloads or peers only prints
its report instead, unless -out names a file.

  go run ./bench [flags]

`

// defaultOut is where the report of a full run goes, from the root.
const defaultOut = "docs/BENCHMARKS.md"

// parse reads the flags. Its error is one line; flag.ErrHelp means that help was
// asked for and printed.
func parse(args []string, stdout io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only, peers := "", ""
	flags.StringVar(&only, "only", "", "measure the workloads that match this regular expression")
	flags.StringVar(&peers, "peers", "", "measure these allocators, by commas; -list has their names")
	flags.IntVar(&o.rounds, "rounds", 7, "how often each cell is run")
	flags.DurationVar(&o.limit, "limit", 3*time.Minute, "how long one cell may take")
	flags.StringVar(&o.traces, "traces", "", "the folder with the recordings (*"+traceSuffix+") to replay")
	flags.StringVar(&o.out, "out", "", "write the report into this file, between its marks, and plots next to it")
	flags.StringVar(&o.json, "json", "", "write all figures of all rounds into this file, for compare")
	flags.BoolVar(&o.list, "list", false, "list the workloads and the allocators, and measure nothing")
	o.command = strings.Join(append([]string{"go run ./bench"}, args...), " ")
	if err := parseOneLine(flags, measureUsage, args, stdout); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unknown command %q: 'go run ./bench help' lists what there is", flags.Arg(0))
	}
	if o.only, err = regexp.Compile(only); err != nil {
		return o, fmt.Errorf("-only: %w: give a regular expression", err)
	}
	if o.peers, err = chosenPeers(peers); err != nil {
		return o, err
	}
	if o.out == "" && only == "" && peers == "" {
		o.out = defaultOut
	}
	return o, o.check()
}

// check refuses what cannot be meant.
func (o options) check() error {
	switch {
	case o.rounds < 1:
		return fmt.Errorf("-rounds is %d: give at least 1", o.rounds)
	case o.limit <= 0:
		return fmt.Errorf("-limit is %v: give a time above 0", o.limit)
	case len(o.workloads()) == 0:
		return fmt.Errorf("-only %s matches no workload: -list has their names", o.only)
	}
	return nil
}

// workloads returns those to measure.
func (o options) workloads() (chosen []workload) {
	for _, w := range workloads {
		if o.only.MatchString(w.name) {
			chosen = append(chosen, w)
		}
	}
	return chosen
}

// asks reports whether a peer has anything to run.
func (o options) asks(peer string) bool {
	return slices.ContainsFunc(o.workloads(), func(w workload) bool { return w.asks(peer) })
}

// onTraces reports whether a peer has recordings to replay.
func (o options) onTraces(peer string) bool {
	return slices.ContainsFunc(o.workloads(), func(w workload) bool { return w.onTraces() && w.asks(peer) })
}

// chosenPeers returns the names in a list, all when it is empty.
func chosenPeers(list string) (names []string, err error) {
	known := allPeers()
	if list == "" {
		return known, nil
	}
	names = strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("-peers has %q: there are %s", name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

// parseOneLine parses flags, with errors of one line and help on stdout.
func parseOneLine(flags *flag.FlagSet, usage string, args []string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		flags.VisitAll(func(f *flag.Flag) { fmt.Fprintf(stdout, "  -%-10s %s%s\n", f.Name, f.Usage, defaultOf(f)) })
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: -help lists the flags", err)
	}
	return nil
}

// defaultOf returns the text of a flag's default in the help.
func defaultOf(f *flag.Flag) string {
	if f.DefValue == "" || f.DefValue == "false" {
		return ""
	}
	return " (default " + f.DefValue + ")"
}

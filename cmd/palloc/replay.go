package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// The replay command: every trace on every back end, a job each.
//
// Invariant: a job that fails costs one line on standard error and the exit
// status; the traces after it are replayed. Cost: one process at a time.

const replayUsage = `palloc replay replays recorded memory traffic (.mctrace, plain or gzip'd) on
palloc and on Go's heap, and compares. Without a TRACE it replays the recording
it carries: a PostgreSQL backend under pgbench.

  palloc replay [flags] [TRACE ...]

Each trace runs on each back end in a process of its own, on one processor. The first
pass is cold, the median of the others warm: at least as many as -passes says, until
0.3 s have passed. Times are processor time of the whole process, Go's collector
included, divided by the operations replayed; GC CPU is the collector's, by the
runtime's own count. Peak memory is the most that was resident in the
cold pass, above what was resident before it. The floor is the loop of the replay
without an allocator: what all figures have in common.

With -pg18, PostgreSQL 18's own allocator replays beside them, with a floor of its own;
'bench/pg18/build DIR' in a clone makes the program DIR/pg18 for it. Its peak is that of
a pass that writes to every page of every chunk.

`

// options are the flags and arguments.
type options struct {
	passes   int
	verify   bool
	json     bool
	tree     bool   // whole
	pg18     string // the program's path, "" for none
	backends []string
	traces   []string
}

// parse reads the flags. Its error is one line; flag.ErrHelp means that help was
// asked for and printed.
func parse(args []string, stdout io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	names := ""
	flags.IntVar(&o.passes, "passes", 5, "how often each trace is replayed at least, 2 or more")
	flags.BoolVar(&o.verify, "verify", false, "check every chunk instead of measuring")
	flags.BoolVar(&o.json, "json", false, "print one JSON object a line for each trace and back end")
	flags.BoolVar(&o.tree, "tree", false, "print all contexts at the peak, not the largest only")
	flags.StringVar(&names, "backend", "palloc,goheap,floor", "what to replay on, by commas; -verify leaves out the floor unless told")
	flags.StringVar(&o.pg18, "pg18", "", "program that replays on PostgreSQL 18's allocator (none unless told)")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, replayUsage)
		flags.VisitAll(func(f *flag.Flag) {
			fmt.Fprintf(stdout, "  -%-8s %s%s\n", f.Name, f.Usage, defaultText(f))
		})
		return o, err
	case err != nil:
		return o, fmt.Errorf("replay: %w; 'palloc replay -help' lists the flags", err)
	}
	told := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { told[f.Name] = true })
	if o.verify && !told["backend"] {
		names = "palloc,goheap" // the floor keeps no promise
	}
	o.traces, o.backends = flags.Args(), strings.Split(names, ",")
	if err := o.check(); err != nil {
		return o, err
	}
	if told["pg18"] {
		if err := o.addPG18(); err != nil {
			return o, fmt.Errorf("replay: -pg18: %w; 'bench/pg18/build DIR' in a clone makes DIR/pg18", err)
		}
	}
	if len(o.traces) == 0 {
		o.traces = []string{embedded}
	}
	return o, nil
}

// check refuses options that make no sense.
func (o options) check() error {
	if o.passes < 2 {
		return fmt.Errorf("replay: -passes is %d; it takes a cold pass and a warm one, so at least 2", o.passes)
	}
	for _, name := range o.backends {
		if backends[name] == nil {
			return fmt.Errorf("replay: -backend has %q; there are palloc, goheap and floor", name)
		}
	}
	if slices.Contains(o.traces, embedded) {
		return errors.New("replay: a trace has an empty name; leave it out to replay the recording that palloc carries")
	}
	return nil
}

// addPG18 adds the program's back ends, if it runs.
func (o *options) addPG18() (err error) {
	if o.pg18 == "" {
		return errors.New("the path is empty")
	}
	if o.verify {
		return errors.New("-verify cannot check chunks in another program: leave out one of the two")
	}
	if o.pg18, err = filepath.Abs(o.pg18); err == nil { // else a bare name is looked for in $PATH
		err = checkPG18(o.pg18)
	}
	o.backends = append(o.backends, "pg18", pg18Floor)
	return err
}

// defaultText returns what the help says of a flag's default: nothing, if that is empty.
func defaultText(f *flag.Flag) string {
	if f.DefValue == "" {
		return ""
	}
	return fmt.Sprintf(" (default %s)", f.DefValue)
}

// task returns what the options do with each trace.
func (o options) task() task {
	if o.verify {
		return taskVerify
	}
	return taskMeasure
}

// replay runs the command and returns the exit status.
func replay(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err != nil {
		return complain(stderr, statusUsage, err)
	}
	bar := newProgress(stderr, o)
	status := statusOK
	for _, name := range o.traces {
		for _, f := range replayTrace(o, name, bar, stdout) {
			status = max(status, complain(stderr, f.Status, f))
		}
	}
	return status
}

// replayTrace does the jobs of one trace and prints their outcomes: verdicts and JSON
// one by one, else the answer, the contexts and the table, when all are done. A trace
// that cannot be read is not tried on the other back ends.
func replayTrace(o options, name string, bar *progress, stdout io.Writer) (failed []*failure) {
	var results []result
	for _, b := range o.backends {
		j := job{Task: o.task(), Trace: name, Backend: b, PG18: o.pg18, Passes: o.passes}
		end := bar.watch(j)
		switch {
		case end.Failure != nil:
			failed = append(failed, end.Failure)
			if end.Failure.Status == statusUsage {
				return failed
			}
		case o.json:
			printJSON(stdout, end)
		case end.Verdict != nil:
			v := end.Verdict
			fmt.Fprintf(stdout, "%s on %s: verified, %s operations and %s chunks\n", v.Backend, v.Trace, grouped(v.Ops), grouped(v.Allocs))
		default:
			results = append(results, *end.Result)
		}
	}
	if len(results) == 0 {
		return failed
	}
	answer(stdout, results)
	if find(results, "palloc") != nil {
		failed = append(failed, printTree(o, name, stdout)...)
	}
	table(stdout, results)
	return failed
}

// printTree prints the contexts at the peak, as a new process has them.
func printTree(o options, name string, stdout io.Writer) []*failure {
	lines, which := foldedLines, ", the largest (-tree prints all)"
	if o.tree {
		lines, which = 0, ""
	}
	end := runJob(job{Task: taskTree, Trace: name, Backend: "palloc", Lines: lines})
	if end.Failure != nil {
		return []*failure{end.Failure}
	}
	fmt.Fprintf(stdout, "Contexts at the moment of peak memory%s:\n\n%s\n", which, end.Tree)
	return nil
}

// printJSON prints the result or verdict of a job as one line.
func printJSON(stdout io.Writer, end outcome) {
	var line any = end.Result
	if end.Verdict != nil {
		line = end.Verdict
	}
	json.NewEncoder(stdout).Encode(line)
}

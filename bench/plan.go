package main

import "slices"

// The plan: the workloads, what they are measured in, and which peers take part.
//
// Invariant: it agrees with bench/README.md. A peer that does not know a
// workload it is asked to run drops out of it. Cost: none.

// figure is one number that a cell prints.
type figure struct {
	name  string
	label string  // in the report, with its unit
	scale float64 // how many of what the cell prints make one of the unit
}

// family is a set of workloads that run in one group, stand in one section of
// the report and are drawn in one plot.
type family struct{ name, title string }

// tracesFamily runs on recordings.
const tracesFamily = "traces"

// families are all, in the order of the report.
var families = []family{
	{"cached", "A few chunks, over and over"},
	{"million", "A million chunks, then a reset"},
	{"reuse", "Chunks freed one by one"},
	{"call", "A context a call, and growing buffers"},
	{"trees", "Binary trees"},
	{"graph", "A large live graph"},
	{"goroutines", "Many small contexts"},
	{tracesFamily, "Recordings of PostgreSQL backends"},
}

// workload is one row of the contract's table.
type workload struct {
	name    string
	family  string
	threads int
	figures []figure // the first is the one whose ratios the report shows
	peers   []string // that run it; nil: all but "postgres" and "pg18", which only replay
}

var (
	perChunk = []figure{{"ns", "ns a chunk", 1}}
	perStep  = []figure{{"ns", "ns a step", 1}}
	treeCPU  = figure{"ns", "CPU s", 1e9}
	treeWall = figure{"wall", "wall s", 1e9}
	perOp    = []figure{{"ns", "warm, ns an op", 1}, {"cold", "cold, ns an op", 1}}
	million  = []figure{{"ns", "ns a chunk", 1}, {"cold", "first pass", 1}}
	graph    = []figure{{"gc", "a collection, ms", 1e6}, {"share", "% of a processor", 1}, {"tick", "a tick late by, ms", 1e6}}

	replayers = []string{"palloc", "goheap", "postgres", pg18}
)

// workloads are all that there is, in the order in which they are measured.
var workloads = []workload{
	{"cached-64", "cached", 1, perChunk, nil},
	{"cached-64-zeroed", "cached", 1, perChunk, nil},
	{"million-16", "million", 1, million, nil},
	{"million-64", "million", 1, million, nil},
	{"million-256", "million", 1, million, nil},
	{"pair-64", "reuse", 1, []figure{{"ns", "ns a pair", 1}}, nil},
	{"churn", "reuse", 1, perStep, nil},
	{"churn-2", "reuse", 2, append(perStep, figure{"wall", "wall ns a step", 1}), nil},
	{"queue-128", "reuse", 1, perStep, nil},
	{"call", "call", 1, []figure{{"ns", "ns a context", 1}}, nil},
	{"grow-1", "call", 1, []figure{{"ns", "µs a buffer", 1e3}}, nil},
	{"grow-2", "call", 1, []figure{{"ns", "µs a buffer", 1e3}}, nil},
	{"trees-1", "trees", 1, []figure{treeCPU, treeWall}, nil},
	{"trees-2", "trees", 2, []figure{treeWall, treeCPU}, nil},
	{"graph-gc", "graph", 2, graph, []string{"palloc", "goheap"}},
	{"goroutines-10000", "goroutines", 2, []figure{{"ratio", "resident / in use", 1}}, []string{"palloc"}},
	{"trace", tracesFamily, 1, perOp, replayers},
	{"trace-touched", tracesFamily, 1, []figure{{"resident", "resident, KiB", 1 << 10}}, replayers},
	{"trace-floor", tracesFamily, 1, perOp, []string{"palloc", "postgres", pg18}},
}

// onTraces reports whether the workload replays recordings.
func (w workload) onTraces() bool { return w.family == tracesFamily }

// asks reports whether a peer is asked to run the workload.
func (w workload) asks(peer string) bool {
	if w.peers == nil {
		return peer != "postgres" && peer != pg18
	}
	return slices.Contains(w.peers, peer)
}

// workloadOf returns the workload of a name.
func workloadOf(name string) workload {
	return workloads[slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })]
}

// group is what runs interleaved: a round of all its cells, then the next round.
type group struct {
	name      string
	workloads [][]*task // the tasks of each workload
}

// task is a cell to run.
type task struct {
	peer     peer
	workload workload
	trace    recording // empty where the workload takes none
	left     int       // rounds that are still to be run
}

// args returns what the peer is started with.
func (t *task) args() []string {
	switch {
	case t.trace.path == "":
		return []string{t.workload.name}
	case t.peer.flat:
		return []string{t.workload.name, t.trace.flat}
	}
	return []string{t.workload.name, t.trace.path}
}

// plan makes groups of the chosen workloads: one a family, and one a trace, so
// that what the report compares ran within a few seconds.
func plan(chosen []workload, peers []peer, traces []recording, rounds int) (groups []*group) {
	at := map[string]*group{}
	put := func(name string, trace recording, w workload) {
		var tasks []*task
		for _, p := range peers {
			if w.asks(p.name) {
				tasks = append(tasks, &task{p, w, trace, rounds})
			}
		}
		if at[name] == nil {
			at[name] = &group{name: name}
			groups = append(groups, at[name])
		}
		at[name].workloads = append(at[name].workloads, tasks)
	}
	for _, w := range chosen {
		if !w.onTraces() {
			put(w.family, recording{}, w)
			continue
		}
		for _, t := range traces {
			put(t.name(), t, w)
		}
	}
	return groups
}

// left returns how many cells are still to be run.
func left(groups ...*group) (cells int) {
	for _, g := range groups {
		for _, tasks := range g.workloads {
			for _, t := range tasks {
				cells += t.left
			}
		}
	}
	return cells
}

package main

import (
	"strconv"
	"strings"
)

// The aims: how much of a peer's time or memory palloc may take, at most.
//
// Invariant: they are written down as against PostgreSQL 18, and converted for an
// older server in one place. Cost: none.

// place is where a figure comes from.
type place struct{ peer, workload, figure string }

// over is how the figures of several traces are combined.
type over int

const (
	alone over = iota // the workload has no traces
	mean              // the geometric mean of the traces' ratios
	worst             // the trace whose ratio is the greatest
)

// aim is one row of the table: ours divided by theirs must be at most most.
type aim struct {
	ours, theirs place // without a peer in theirs, our figure itself is meant
	most         float64
	over         over
}

// against makes an aim on the same workload and figure of two peers.
func against(workload, figure, ours, theirs string, most float64) aim {
	return aim{place{ours, workload, figure}, place{theirs, workload, figure}, most, alone}
}

// onTraces makes the two aims of a figure on all traces.
func onTraces(workload, figure, theirs string, atMean, atWorst float64) []aim {
	a := against(workload, figure, "palloc", theirs, atMean)
	b := against(workload, figure, "palloc", theirs, atWorst)
	a.over, b.over = mean, worst
	return []aim{a, b}
}

// uncleared makes an aim of a cleared chunk of ours against an uncleared one.
func uncleared(theirs string, most float64) aim {
	return aim{place{"palloc-bump", "cached-64-zeroed", "ns"}, place{theirs, "cached-64", "ns"}, most, alone}
}

// aims returns all of them.
func aims() []aim {
	all := []aim{
		against("cached-64", "ns", "palloc-bump", "postgres-bump", 0.43),
		against("cached-64", "ns", "palloc-bump", "bumpalo", 1.15),
		uncleared("postgres-bump", 0.60),
		uncleared("bumpalo", 1.8),
		against("cached-64", "ns", "palloc-allocset", "postgres-allocset", 0.75),
	}
	for _, million := range []string{"million-16", "million-64", "million-256"} {
		all = append(all,
			against(million, "ns", "palloc-bump", "postgres-allocset", 0.08),
			against(million, "ns", "palloc-bump", "postgres-notrim-allocset", 0.90),
			against(million, "ns", "palloc-bump", "bumpalo", 1.05),
			against(million, "ns", "palloc-bump", "goheap", 0.04),
			against(million, "ns", "palloc-allocset", "postgres-allocset", 0.08),
			against(million, "ns", "palloc-allocset", "postgres-notrim-allocset", 0.90),
		)
	}
	all = append(all,
		against("pair-64", "ns", "palloc-allocset", "postgres-allocset", 0.60),
		against("pair-64", "ns", "palloc-allocset", "mimalloc", 0.50),
		against("churn", "ns", "palloc-allocset", "postgres-allocset", 0.75),
		against("churn", "ns", "palloc-allocset", "mimalloc", 0.68),
		against("churn", "ns", "palloc-allocset", "goheap", 0.08),
		aim{place{"palloc-allocset", "churn-2", "ns"}, place{"palloc-allocset", "churn", "ns"}, 1.05, alone},
		against("queue-128", "ns", "palloc-generation", "postgres-generation", 0.55),
		against("queue-128", "ns", "palloc-slab", "postgres-slab", 0.22),
		against("call", "ns", "palloc-allocset", "postgres-allocset", 0.45),
		against("call", "ns", "palloc-bump", "postgres-allocset", 0.35),
		against("call", "ns", "palloc-bump", "bumpalo", 0.33),
		against("call", "ns", "palloc-bump", "goheap", 0.06),
		against("grow-1", "ns", "palloc-allocset", "postgres-allocset", 1.1),
		against("grow-2", "ns", "palloc-allocset", "postgres-allocset", 0.03),
		against("grow-2", "ns", "palloc-allocset", "mimalloc", 0.43),
		against("trees-1", "ns", "palloc-bump", "bumpalo", 1.20),
		against("trees-1", "ns", "palloc-bump", "postgres-bump", 0.70),
		against("trees-1", "ns", "palloc-bump", "apr", 0.80),
		against("trees-1", "ns", "palloc-bump", "goheap", 0.10),
		against("trees-2", "wall", "palloc-bump", "bumpalo", 1.20),
		against("trees-2", "wall", "palloc-bump", "apr", 0.80),
		against("trees-2", "wall", "palloc-bump", "goheap", 0.10),
		against("graph-gc", "gc", "palloc", "goheap", 0.001),
		against("graph-gc", "share", "palloc", "goheap", 0.10),
		against("graph-gc", "tick", "palloc", "goheap", 0.25),
		aim{ours: place{"palloc", "goroutines-10000", "ratio"}, most: 1.6},
	)
	all = append(all, onTraces("trace", "cold", pg18, 0.78, 1.1)...)
	all = append(all, onTraces("trace", "ns", pg18, 0.68, 1.0)...)
	all = append(all, onTraces("trace-touched", "resident", pg18, 0.90, 1.08)...)
	return append(all,
		aim{place{"palloc", "trace", "ns"}, place{"goheap", "trace", "ns"}, 0.25, mean},
		aim{place{"palloc", "trace-touched", "resident"}, place{"goheap", "trace-touched", "resident"}, 0.60, mean},
	)
}

// bumpOfAllocSet is what PostgreSQL 18's Bump took of the time that PostgreSQL
// 15's AllocSet took. For the trees it is known of 18's own AllocSet only (2.63 s
// and 3.45 s), which is faster than 15's.
var bumpOfAllocSet = map[string]float64{
	"cached-64": 1.54 / 1.9,
	"trees-1":   2.63 / 3.45 * fasterSince15,
}

// fasterSince15 is what PostgreSQL 18's allocator takes of the time of 15's on
// recordings.
const fasterSince15 = 0.92

// converted returns the aim as it stands against a server of the given major
// version, 0 of none. Before 17 there was no Bump, so that AllocSet is the yardstick of Bump,
// and all times were longer; memory was not.
func (a aim) converted(server int) aim {
	switch {
	case server == 0 || server >= 17 || !strings.HasPrefix(a.theirs.peer, "postgres"):
	case a.theirs.peer == "postgres-bump":
		a.most *= bumpOfAllocSet[a.theirs.workload]
		a.theirs.peer = "postgres-allocset"
	case a.theirs.figure != "resident":
		a.most *= fasterSince15
	}
	return a
}

// major returns the major version of a server, 0 of none.
func major(version string) int {
	digits, _, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(digits)
	return n
}

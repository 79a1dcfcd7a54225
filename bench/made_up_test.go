package main

import "time"

// A made-up run, for the tests of what is made of runs: two peers of each sort at
// a workload of each sort, three rounds.

// series are the values of one figure, in the order of the rounds.
type series map[string][]float64

// madeUp returns a run on a server of PostgreSQL 15.
func madeUp() *raw {
	r := &raw{
		Format:  rawFormat,
		When:    time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		Command: "go run ./bench",
		Commit:  "0123456789ab",
		Machine: machine{CPU: "A Processor", Cores: 2, System: "Linux 6", Go: "go1.26", Postgres: "15.20"},
		Peers:   []version{{"mimalloc", "2.0.9"}},
		LeftOut: []leftOut{{"jemalloc", "no <jemalloc/jemalloc.h>: apt-get install libjemalloc-dev"}},
		Failed:  []failure{{"talloc", "grow-2", "", "not done after 3m0s"}},
	}
	r.put("palloc-bump", "cached-64", "", series{"ns": {0.70, 0.72, 0.71}})
	r.put("postgres-allocset", "cached-64", "", series{"ns": {2.0, 2.0, 2.0}})
	r.put("palloc-allocset", "pair-64", "", series{"ns": {2.0, 2.2, 2.1}})
	r.put("postgres-allocset", "pair-64", "", series{"ns": {4.0, 4.0, 4.2}})
	r.put("mimalloc", "pair-64", "", series{"ns": {4.0, 5.0, 3.5}})
	for _, name := range []string{"select", "update"} {
		r.put("palloc", "trace", name, series{"ns": {6, 6, 6}, "cold": {8, 9, 8}})
		r.put("palloc", "trace-floor", name, series{"ns": {2, 2, 2}, "cold": {3, 3, 3}})
		r.put("postgres", "trace", name, series{"ns": {12, 12, 12}, "cold": {16, 16, 16}})
		r.put("pg18", "trace", name, series{"ns": {10, 10, 10}, "cold": {16, 16, 16}})
		r.put("goheap", "trace", name, series{"ns": {48, 48, 48}, "cold": {40, 40, 40}})
	}
	return r
}

// put adds the rounds of a cell.
func (r *raw) put(peer, workload, file string, figures series) {
	for i := range 3 {
		s := sample{i + 1, map[string]float64{}}
		for name, values := range figures {
			s.Figures[name] = values[i]
		}
		r.add(peer, workload, file, s)
	}
}

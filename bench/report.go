package main

import (
	"fmt"
	"io"
	"strings"
)

// The report in Markdown: the aims first, then each workload, then the traces.
//
// Invariant: it is made of a run's raw figures alone, and the same of the same.
// Cost: none to speak of.

// report writes all of it; plots are the names of the pictures by family.
func report(w io.Writer, r *raw, plots map[string]string) {
	fmt.Fprintf(w, "## Against other allocators\n\n")
	circumstances(w, r)
	aimsTable(w, r)
	for _, f := range families {
		tables := familyTables(r, f.name)
		if tables == "" {
			continue
		}
		fmt.Fprintf(w, "### %s\n\n", f.title)
		if plots[f.name] != "" {
			fmt.Fprintf(w, "![%s](%s)\n\n", f.title, plots[f.name])
		}
		io.WriteString(w, tables)
	}
}

// circumstances returns when, where and how the run was measured.
func circumstances(w io.Writer, r *raw) {
	m := r.Machine
	server := "no PostgreSQL"
	if m.Postgres != "" {
		server = "PostgreSQL " + m.Postgres
	}
	fmt.Fprintf(w, "`%s` wrote this on %s, at commit %s: on %s (%d processors), %s, with %s and %s.\n",
		r.Command, r.When.Format("2006-01-02"), r.Commit, m.CPU, m.Cores, m.System, m.Go, server)
	fmt.Fprintf(w, "What a workload does is said in [bench/README.md](../bench/README.md). Each figure is the median of\n"+
		"up to %d interleaved rounds, with the least and the greatest beside it; a cell that took more than %v has\n"+
		"%d rounds at most. Smaller is better everywhere.\n\n", r.most(), slow, slowRounds)
	var names []string
	for _, p := range r.Peers {
		names = append(names, p.Peer+" "+p.Version)
	}
	if len(names) > 0 {
		fmt.Fprintf(w, "Versions: %s.\n\n", strings.Join(names, ", "))
	}
	for _, l := range r.LeftOut {
		fmt.Fprintf(w, "* %s\n", l)
	}
	for _, f := range r.Failed {
		fmt.Fprintf(w, "* failed: %s\n", f)
	}
	if len(r.LeftOut)+len(r.Failed) > 0 {
		fmt.Fprintln(w)
	}
}

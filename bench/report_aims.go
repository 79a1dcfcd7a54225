package main

import (
	"fmt"
	"io"
)

// The table of aims.
//
// Invariant: an aim stands in it when its workload was run, measured or not. Cost:
// none to speak of.

// aimsTable writes the verdict on each aim whose workload was run.
func aimsTable(w io.Writer, r *raw) {
	var rows [][]string
	reached, measured := 0, 0
	for _, a := range aims() {
		if len(r.files(a.ours.workload)) == 0 {
			continue
		}
		v := a.judge(r)
		rows = append(rows, aimRow(v))
		if v.measured.n > 0 {
			measured++
		}
		if v.holds() {
			reached++
		}
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "### The aims\n\nOurs divided by theirs, round by round. %d of %d hold.\n", reached, measured)
	if server := major(r.Machine.Postgres); server > 0 && server < 17 {
		fmt.Fprintf(w, "They are meant against PostgreSQL 18, and tightened here for %d, which is slower.\n", server)
	}
	fmt.Fprintln(w)
	table(w, []string{"workload", "figure", "ours", "theirs", "at most", "measured", "spread", "holds"}, rows)
}

// aimRow returns the row of a verdict.
func aimRow(v verdict) []string {
	workload, theirs := v.ours.workload, v.theirs.peer
	switch {
	case v.over == mean:
		workload += ", geometric mean"
	case v.trace != "":
		workload += ", worst: " + v.trace
	case v.over == worst:
		workload += ", worst"
	}
	if v.theirs.workload != v.ours.workload && theirs != "" {
		theirs += ", " + v.theirs.workload
	}
	row := []string{workload, v.ours.figure, v.ours.peer, theirs, number(v.most)}
	switch {
	case v.measured.n == 0:
		return append(row, "not measured", "", "")
	case v.holds():
		return append(row, number(v.measured.mid), v.measured.between(number), "yes")
	}
	return append(row, "**"+number(v.measured.mid)+"**", v.measured.between(number), "**no**")
}

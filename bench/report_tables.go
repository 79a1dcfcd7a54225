package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The tables of the workloads without traces.
//
// Invariant: the fastest peer comes first. Cost: none to speak of.

// familyTables returns the tables of a family; empty when none of it was run.
func familyTables(r *raw, family string) string {
	var b bytes.Buffer
	for _, w := range workloads {
		if w.family == family && !w.onTraces() && len(r.files(w.name)) > 0 {
			fmt.Fprintf(&b, "`%s`:\n\n", w.name)
			workloadTable(&b, r, w)
		}
	}
	if family == tracesFamily {
		tracesTables(&b, r)
	}
	return b.String()
}

// workloadTable writes a row for each peer, the fastest first.
func workloadTable(w io.Writer, r *raw, load workload) {
	cells := ranked(r, load)
	head := []string{"allocator"}
	for _, f := range load.figures {
		head = append(head, f.label, "spread")
	}
	first := load.figures[0].name
	var ours []*record
	for _, c := range cells {
		if isOurs(c.Peer) {
			ours = append(ours, c)
			head = append(head, c.Peer+" / it")
		}
	}
	var rows [][]string
	for _, c := range cells {
		row := []string{named(c.Peer)}
		for _, f := range load.figures {
			s := byRound(c.series(f.name))
			row = append(row, f.text(s.mid), s.between(f.text))
		}
		for _, o := range ours {
			row = append(row, number(byRound(ratios(o.series(first), c.series(first))).mid))
		}
		rows = append(rows, row)
	}
	table(w, head, rows)
}

// ranked returns the cells of a workload by their first figure.
func ranked(r *raw, load workload) (cells []*record) {
	for _, c := range r.Cells {
		if c.Workload == load.name {
			cells = append(cells, c)
		}
	}
	first := load.figures[0].name
	slices.SortStableFunc(cells, func(a, b *record) int {
		return cmp.Compare(byRound(a.series(first)).mid, byRound(b.series(first)).mid)
	})
	return cells
}

// isOurs reports whether a peer is palloc.
func isOurs(peer string) bool { return peer == "palloc" || strings.HasPrefix(peer, "palloc-") }

// named returns a peer's name, ours in bold.
func named(peer string) string {
	if isOurs(peer) {
		return "**" + peer + "**"
	}
	return peer
}

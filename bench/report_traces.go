package main

import (
	"fmt"
	"io"
)

// The tables of the traces: a row each, and their geometric means.
//
// Invariant: what the replaying loop itself takes, in Go and in C, stands next to
// the times that it is part of. Cost: none to speak of.

// column is a figure of one peer, or the ratio of two, by trace.
type column struct {
	head   string
	figure figure
	ours   place
	theirs place // without a peer: the figure of ours
	brief  bool  // without its spread
}

// plain returns the column of a figure.
func plain(f figure, peer, workload string) column {
	return column{head: peer, figure: f, ours: place{peer, workload, f.name}}
}

// floor returns the column of a figure of the loop of a replay.
func floor(head string, f figure, peer string) column {
	return column{head: head, figure: f, ours: place{peer, "trace-floor", f.name}, brief: true}
}

// divided returns the column of palloc's figure over that of a peer.
func divided(f figure, peer, workload string) column {
	c := plain(figure{scale: 1}, "palloc", workload)
	c.head = "palloc / " + peer
	c.ours.figure, c.theirs = f.name, place{peer, workload, f.name}
	return c
}

// tracesTables writes a table for each figure of the traces.
func tracesTables(w io.Writer, r *raw) {
	for _, load := range []string{"trace", "trace-touched"} {
		names := r.files(load)
		if len(names) == 0 {
			continue
		}
		for _, f := range workloadOf(load).figures {
			columns := []column{plain(f, "palloc", load), plain(f, pg18, load), plain(f, "postgres", load), plain(f, "goheap", load),
				divided(f, pg18, load), divided(f, "postgres", load), divided(f, "goheap", load)}
			if load == "trace" {
				columns = append(columns, floor("Go loop", f, "palloc"), floor("C loop", f, pg18))
			}
			fmt.Fprintf(w, "`%s`, %s:\n\n", load, f.label)
			traceTable(w, r, names, columns)
		}
	}
}

// traceTable writes a row for each trace, and one for the means of the ratios.
func traceTable(w io.Writer, r *raw, names []string, columns []column) {
	head := []string{"trace"}
	last := []string{"geometric mean"}
	for _, c := range columns {
		head = append(head, c.head)
		last = append(last, c.mean(r, names))
	}
	var rows [][]string
	for _, name := range names {
		row := []string{name}
		for _, c := range columns {
			row = append(row, c.cell(r, name))
		}
		rows = append(rows, row)
	}
	table(w, head, append(rows, last))
}

// cell returns the median of the column on one trace, with its spread.
func (c column) cell(r *raw, name string) string {
	s := byRound(aim{ours: c.ours, theirs: c.theirs}.ratio(r, name))
	if s.n == 0 {
		return "-"
	}
	if c.brief {
		return c.figure.text(s.mid)
	}
	return fmt.Sprintf("%s (%s)", c.figure.text(s.mid), s.between(c.figure.text))
}

// mean returns the geometric mean of a column of ratios over the traces.
func (c column) mean(r *raw, names []string) string {
	if c.theirs.peer == "" {
		return ""
	}
	var all []map[int]float64
	for _, name := range names {
		all = append(all, aim{ours: c.ours, theirs: c.theirs}.ratio(r, name))
	}
	s := byRound(geomeans(all))
	if s.n == 0 {
		return "-"
	}
	return fmt.Sprintf("%s (%s)", number(s.mid), s.between(number))
}

package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/gopalloc/palloc"
)

// The tree of contexts, in PostgreSQL's text form, folded to its largest lines.
//
// Invariant: a context that has a line is below one that has a line; the contexts
// without one are summed up in the last but one. Cost: a sort of all contexts.

// foldedLines is how many contexts have a line unless all are asked for.
const foldedLines = 20

// writeTree writes top and the contexts below it, in at most lines lines, or all
// for 0. Contexts that hold most, with those below them, come before others.
func writeTree(w io.Writer, top palloc.Context, lines int) error {
	s := palloc.TakeSnapshot(top)
	if lines == 0 || len(s.Rows) <= lines {
		return s.WriteText(w, math.MaxInt, math.MaxInt)
	}
	shown, rest := largest(s.Rows, lines), palloc.Snapshot{}
	for i := range s.Rows {
		r := &s.Rows[i]
		if !shown[i] {
			rest.Rows = append(rest.Rows, *r)
			continue
		}
		fmt.Fprintf(w, "%*s%s\n", 2*(r.Level-1), "", r)
	}
	folded := palloc.Row{Name: fmt.Sprintf("%d more contexts", len(rest.Rows)), Stats: rest.Sum()}
	all := s.Sum()
	_, err := fmt.Fprintf(w, "%s\nGrand total: %d bytes in %d blocks; %d free (%d chunks); %d used\n",
		&folded, all.Held, all.Blocks, all.Free, all.FreeChunks, all.Used)
	return err
}

// largest returns which n rows hold most, together with the rows below them. A parent
// holds as much as its child at least, and comes first: it is shown where the child is.
func largest(rows []palloc.Row, n int) (shown []bool) {
	held := make([]int64, len(rows)+1) // by ID
	order := make([]int, len(rows))
	for i := len(rows) - 1; i >= 0; i-- {
		r := &rows[i]
		order[i] = i
		held[r.ID] += r.Held
		held[r.Parent] += held[r.ID]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(held[rows[b].ID], held[rows[a].ID]) })
	shown = make([]bool, len(rows))
	for _, i := range order[:n] {
		shown[i] = true
	}
	return shown
}

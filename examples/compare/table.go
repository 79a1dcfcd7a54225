package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// The table: medians, and medians of ratios.
//
// Invariant: a ratio is of two runs of one round. A figure that is unknown, or a ratio to zero, is "-".
//
// Cost: none.

// A row is a program with its runs, of both implementations, in the order of the rounds.
type row struct {
	name  string
	lines [2]int
	runs  [2][]figures
}

// columns are the figures beside the lines: their heads, their values and their digits.
var columns = []struct {
	head   string
	of     func(f figures) float64
	digits int
}{
	{"CPU s", func(f figures) float64 { return f.cpu }, 2},
	{"wall s", func(f figures) float64 { return f.wall }, 2},
	{"peak RSS MB", func(f figures) float64 { return f.resident }, 1},
	{"GC cycles", func(f figures) float64 { return float64(f.cycles) }, 0},
}

// writeTable writes the table in Markdown.
func writeTable(w io.Writer, rows []row) error {
	var b strings.Builder
	b.WriteString("| program | memory | lines |")
	for _, c := range columns {
		b.WriteString(" " + c.head + " |")
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", 1+len(columns)) + "\n")
	for _, r := range rows {
		for i, name := range []string{"palloc", "Go's heap"} {
			fmt.Fprintf(&b, "| %s | %s | %d |", r.name, name, r.lines[i])
			for _, c := range columns {
				b.WriteString(" " + format(median(values(r.runs[i], c.of)), c.digits) + " |")
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "| %s | ratio | **%s** |", r.name, format(float64(r.lines[0])/float64(r.lines[1]), 2))
		for _, c := range columns {
			b.WriteString(" " + ratio(values(r.runs[0], c.of), values(r.runs[1], c.of)) + " |")
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func values(runs []figures, of func(figures) float64) (all []float64) {
	for _, f := range runs {
		all = append(all, of(f))
	}
	return all
}

// median returns the median of values, of which there is one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

func format(v float64, digits int) string {
	if v == 0 && digits > 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

// ratio returns the median of the rounds' ratios, with the least and the greatest.
func ratio(ours, theirs []float64) string {
	var all []float64
	for i := range ours {
		if theirs[i] == 0 {
			return "-"
		}
		all = append(all, ours[i]/theirs[i])
	}
	if slices.Max(all) == 0 {
		return "0"
	}
	return fmt.Sprintf("**%.2f** (%.2f to %.2f)", median(all), slices.Min(all), slices.Max(all))
}

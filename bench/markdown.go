package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Markdown: tables, and numbers as they stand in them.
//
// Invariant: a number has three digits, which is as many as rounds agree on at best.
// Cost: none to speak of.

// table writes a table and the empty line after it.
func table(w io.Writer, head []string, rows [][]string) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat(" --- |", len(head)))
	for _, row := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
	fmt.Fprintln(w)
}

// number returns three digits of a value; all of those before the point.
func number(v float64) string {
	size := math.Abs(v)
	switch {
	case size >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case size >= 0.1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// text returns a value in the figure's unit.
func (f figure) text(v float64) string { return number(v / f.scale) }

// between returns the least and the greatest of a figure.
func (s spread) between(text func(float64) string) string {
	if s.n == 0 {
		return ""
	}
	return text(s.low) + " to " + text(s.high)
}

// oneLine turns line breaks and other control characters into spaces.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' }), " ")
}

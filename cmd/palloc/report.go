package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The report: the figures of a trace, in a sentence and in a table.
//
// Invariant: plain text, no control characters but newlines. Cost: none to speak
// of.

// answer prints what was replayed, and palloc's time against that of Go's heap.
func answer(w io.Writer, results []result) {
	first := results[0]
	fmt.Fprintf(w, "%s: %s operations replayed, %s live at the peak\n", first.Trace, grouped(first.Ops), size(first.LivePeakBytes))
	palloc, goheap, floor := find(results, "palloc"), find(results, "goheap"), find(results, "floor")
	if palloc != nil && goheap != nil {
		fmt.Fprintf(w, "palloc takes %s warm, Go's heap %s: %s", perOpText(palloc.WarmNsPerOp),
			perOpText(goheap.WarmNsPerOp), ratio(palloc.WarmNsPerOp, goheap.WarmNsPerOp))
		if floor != nil {
			fmt.Fprintf(w, "; of each, %s are the replay's own", perOpText(floor.WarmNsPerOp))
		}
		fmt.Fprintln(w)
	}
	if pg18, own := find(results, "pg18"), find(results, pg18Floor); pg18 != nil && own != nil {
		fmt.Fprintf(w, "PostgreSQL 18 takes %s warm; of that, %s are its replay's own\n", perOpText(pg18.WarmNsPerOp), perOpText(own.WarmNsPerOp))
	}
	if first.Clock == "wall" {
		fmt.Fprintln(w, "times are those on the wall: this system does not tell the processor's")
	}
	fmt.Fprintln(w)
}

// table prints the figures of all back ends.
func table(w io.Writer, results []result) {
	row(w, "", "cold", "warm", "GC CPU", "peak resident", "passes")
	for i := range results {
		r := &results[i]
		row(w, r.Backend, perOpText(r.ColdNsPerOp), perOpText(r.WarmNsPerOp), perOpText(r.gcNsPerOp()),
			sizeOrDash(r.PeakRSSBytes), grouped(r.Passes))
	}
	for _, other := range []string{"goheap", "pg18"} {
		if palloc, other := find(results, "palloc"), find(results, other); palloc != nil && other != nil {
			ratioRow(w, palloc, other)
		}
	}
	fmt.Fprintln(w)
}

// gcNsPerOp returns the collector's time for an operation, over all passes.
func (r *result) gcNsPerOp() float64 { return float64(r.GCCPUNs) / float64(max(r.Ops*r.Passes, 1)) }

func row(w io.Writer, name string, cells ...string) {
	fmt.Fprintf(w, "%-14s", name)
	for _, cell := range cells {
		fmt.Fprintf(w, "%15s", cell)
	}
	fmt.Fprintln(w)
}

// ratioRow prints palloc's figures divided by those of another back end.
func ratioRow(w io.Writer, palloc, other *result) {
	resident := "-"
	if palloc.PeakRSSBytes != nil && other.PeakRSSBytes != nil {
		resident = ratio(float64(*palloc.PeakRSSBytes), float64(*other.PeakRSSBytes))
	}
	row(w, "palloc/"+other.Backend,
		ratio(palloc.ColdNsPerOp, other.ColdNsPerOp),
		ratio(palloc.WarmNsPerOp, other.WarmNsPerOp),
		ratio(palloc.gcNsPerOp(), other.gcNsPerOp()),
		resident)
}

// find returns the result of a back end, or nil.
func find(results []result, backend string) *result {
	for i := range results {
		if results[i].Backend == backend {
			return &results[i]
		}
	}
	return nil
}

func perOpText(ns float64) string { return fmt.Sprintf("%.1f ns/op", ns) }

// ratio returns a/b, "-" when b is nothing.
func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2fx", a/b)
}

func sizeOrDash(bytes *int64) string {
	if bytes == nil {
		return "-"
	}
	return size(*bytes)
}

// size returns a number of bytes in KiB or MiB.
func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
}

// grouped returns a number of at least 0 with commas between thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// oneLine turns line breaks and other control characters into spaces.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < ' ' }), " ")
}

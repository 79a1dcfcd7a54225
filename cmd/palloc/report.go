package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The report: the table of a trace.
//
// Invariant: plain text, no control characters but newlines. Cost: none to speak
// of.

// report prints what the back ends made of one trace.
func report(w io.Writer, results []result) {
	first := results[0]
	fmt.Fprintf(w, "%s: %s operations replayed in each of %d passes, %s live at the peak\n\n",
		first.Trace, grouped(first.Ops), first.Passes, size(first.LivePeakBytes))
	if first.Clock == "wall" {
		fmt.Fprint(w, "times are those on the wall: this system does not tell the processor's\n\n")
	}
	row(w, "", "cold", "warm", "peak resident", "GC cycles", "GC CPU")
	for _, r := range results {
		row(w, r.Backend, perOpText(r.ColdNsPerOp), perOpText(r.WarmNsPerOp),
			sizeOrDash(r.PeakRSSBytes), grouped(int(r.GCCycles)), milliseconds(r.GCCPUNs))
	}
	if palloc, goheap := find(results, "palloc"), find(results, "goheap"); palloc != nil && goheap != nil {
		ratioRow(w, palloc, goheap)
	}
	fmt.Fprintln(w)
}

func row(w io.Writer, name string, cells ...string) {
	fmt.Fprintf(w, "%-14s", name)
	for _, cell := range cells {
		fmt.Fprintf(w, "%15s", cell)
	}
	fmt.Fprintln(w)
}

// ratioRow prints palloc's figures divided by those of Go's heap.
func ratioRow(w io.Writer, palloc, goheap *result) {
	resident := "-"
	if palloc.PeakRSSBytes != nil && goheap.PeakRSSBytes != nil {
		resident = ratio(float64(*palloc.PeakRSSBytes), float64(*goheap.PeakRSSBytes))
	}
	row(w, "palloc/goheap",
		ratio(palloc.ColdNsPerOp, goheap.ColdNsPerOp),
		ratio(palloc.WarmNsPerOp, goheap.WarmNsPerOp),
		resident,
		ratio(float64(palloc.GCCycles), float64(goheap.GCCycles)),
		ratio(float64(palloc.GCCPUNs), float64(goheap.GCCPUNs)))
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

func milliseconds(ns int64) string {
	return fmt.Sprintf("%.1f ms", float64(ns)/float64(time.Millisecond))
}

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

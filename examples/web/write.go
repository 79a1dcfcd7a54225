package main

import (
	"bufio"
	"math"
	"strconv"
)

// Writing JSON: what is the same for both trees.
//
// Invariant: what is written is a document by RFC 8259.
//
// Cost: runs of characters that need no escape are copied at once.

// hidden reports whether a member is dropped, by its key.
func hidden(key string) bool { return len(key) > 0 && key[0] == '_' }

// price is the key of the members that are added up.
const price = "price"

// value returns that of a number, which is infinite where it is too large.
func value(number string) float64 {
	f, _ := strconv.ParseFloat(number, 64)
	return f
}

// formatTotal returns a sum as a number; null where it is too large.
func formatTotal(sum float64) string {
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return "null"
	}
	return strconv.FormatFloat(sum, 'f', 2, 64)
}

// quote writes a text in quotes.
func quote(out *bufio.Writer, s string) {
	const digits = "0123456789abcdef"
	out.WriteByte('"')
	begin := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		out.WriteString(s[begin:i])
		begin = i + 1
		if c >= ' ' {
			out.WriteByte('\\')
			out.WriteByte(c)
			continue
		}
		out.WriteString(`\u00`)
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	out.WriteString(s[begin:])
	out.WriteByte('"')
}

// Package report writes the findings of an analyzer, except where a comment silences them.
//
// Invariant: a finding on a line with the comment "//palloc:ok reason" is not written; without
// a reason the comment does nothing.
// Cost: a step for each comment of the package, once for each analyzer.
package report

import (
	"go/token"
	"regexp"
	"strings"

	"golang.org/x/tools/go/analysis"
)

var directive = regexp.MustCompile(`^//palloc:ok\s+\S`)

type line struct {
	file   string
	number int
}

// A Reporter writes findings of one package.
type Reporter struct {
	pass   *analysis.Pass
	silent map[line]bool
	done   map[token.Pos]bool
}

// New returns a Reporter for the package of the pass.
func New(pass *analysis.Pass) *Reporter {
	r := &Reporter{pass, map[line]bool{}, map[token.Pos]bool{}}
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, c := range group.List {
				if directive.MatchString(c.Text) {
					r.silent[r.lineOf(c.Pos())] = true
				}
			}
		}
	}
	return r
}

func (r *Reporter) lineOf(pos token.Pos) line {
	p := r.pass.Fset.Position(pos)
	return line{p.Filename, p.Line}
}

// IsTest reports whether a place is in a file of tests.
func (r *Reporter) IsTest(pos token.Pos) bool {
	return strings.HasSuffix(r.lineOf(pos).file, "_test.go")
}

// Line returns the number of the line at pos, for a message.
func (r *Reporter) Line(pos token.Pos) int { return r.lineOf(pos).number }

// At writes a finding, one for each place.
func (r *Reporter) At(pos token.Pos, format string, args ...any) {
	if !pos.IsValid() || r.done[pos] || r.silent[r.lineOf(pos)] {
		return
	}
	r.done[pos] = true
	r.pass.Reportf(pos, format, args...)
}

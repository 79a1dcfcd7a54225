package palloc_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The fault matrix as a table in docs/SAFETY.md.

var update = flag.Bool("update", false, "write the table of docs/SAFETY.md")

const (
	safety     = "docs/SAFETY.md"
	tableBegin = "<!-- the table of TestFaultMatrix begins -->\n"
	tableEnd   = "<!-- the table of TestFaultMatrix ends -->"
)

// wantTable checks that the document has the table of what was noticed.
func wantTable(t *testing.T, scores []score, answers map[answerKey]verdict) {
	t.Helper()
	text, err := os.ReadFile(safety)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !ok || !ends {
		t.Fatalf("%s has no place for the table", safety)
	}
	now := before + tableBegin + tableOf(scores, answers) + tableEnd + after
	switch {
	case now == string(text):
	case *update:
		if err := os.WriteFile(safety, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is stale: go test -run FaultMatrix -update .%s", safety, difference(string(text), now))
	}
}

// difference returns the lines that two texts do not share.
func difference(was, now string) (text string) {
	old, lines := strings.Split(was, "\n"), strings.Split(now, "\n")
	for _, l := range old {
		if !slices.Contains(lines, l) {
			text += "\n- " + l
		}
	}
	for _, l := range lines {
		if !slices.Contains(old, l) {
			text += "\n+ " + l
		}
	}
	return text
}

// tableOf returns a row for each misuse: rows of the matrix and seeded bugs that are the same are one.
func tableOf(scores []score, answers map[answerKey]verdict) string {
	var text strings.Builder
	fmt.Fprintf(&text, "| misuse | checked | noticed by | ordinary build |\n| --- | --- | --- | --- |\n")
	told := map[string]bool{}
	for i := range misuses {
		if told[misuses[i].what] {
			continue
		}
		told[misuses[i].what] = true
		var sum score
		for k := i; k < len(misuses); k++ {
			if misuses[k].what == misuses[i].what {
				sum.caught, sum.cells = sum.caught+scores[k].caught, sum.cells+scores[k].cells
			}
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", misuses[i].what, sum.text(), misuses[i].want.by, answersOf(i, answers))
	}
	return text.String()
}

func (s score) text() string {
	return fmt.Sprintf("%d of %d", s.caught, s.cells)
}

// answersOf returns the answers of an ordinary build to a misuse, with the kinds where they differ.
func answersOf(misuse int, answers map[answerKey]verdict) string {
	if misuses[misuse].want.by == "owner" {
		return string(asRule) // the scheduler decides: TestFaultMatrix logs how often
	}
	kinds := map[verdict][]string{}
	for _, c := range misuses[misuse].cells() {
		if a, ok := answers[answerKey{misuse, c.letter, c.size}]; ok {
			kinds[a] = append(kinds[a], kindNames[c.letter])
		}
	}
	var list []string
	for _, a := range []verdict{always, later, atCheck, byChance, ifAsked, never, harmless} {
		switch {
		case kinds[a] != nil && len(kinds) == 1:
			list = append(list, string(a))
		case kinds[a] != nil:
			list = append(list, string(a)+": "+strings.Join(kinds[a], ", "))
		}
	}
	return strings.Join(list, "; ")
}

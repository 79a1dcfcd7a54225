package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestBadCommandLinesAreOneLine(t *testing.T) {
	for _, line := range []string{
		"nonsense", "-nonsense", "-rounds 0", "-rounds many", "-limit -1s", "-only (", "-only nonsense",
		"-peers nonsense", "-traces testdata -only trace", "compare", "compare one", "compare no.json no.json",
		"compare -threshold x a b", "compare testdata/report.md testdata/report.md",
	} {
		var out, said bytes.Buffer
		status := run(strings.Fields(line), &out, &said)
		if status != statusUsage || out.Len() > 0 {
			t.Errorf("%s: status %d, printed %q", line, status, out.String())
		}
		if text := said.String(); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "bench: ") {
			t.Errorf("%s: said %q", line, text)
		}
	}
}

func TestHelpAndListPrint(t *testing.T) {
	for line, word := range map[string]string{
		"-help": "-rounds", "help": "compare", "compare -help": "-threshold", "-list": "postgres-allocset",
	} {
		var out, said bytes.Buffer
		if status := run(strings.Fields(line), &out, &said); status != statusOK || said.Len() > 0 {
			t.Errorf("%s: status %d, said %q", line, status, said.String())
		}
		if !strings.Contains(out.String(), word) {
			t.Errorf("%s: no %q in\n%s", line, word, out.String())
		}
	}
}

func TestOnlyAFullRunWritesTheDefaultReport(t *testing.T) {
	for line, want := range map[string]string{
		"": defaultOut, "-rounds 3": defaultOut, "-only churn": "", "-peers palloc": "", "-only churn -out x.md": "x.md",
	} {
		o, err := parse(strings.Fields(line), nil)
		if err != nil || o.out != want {
			t.Errorf("%q: %v, the report goes to %q, want %q", line, err, o.out, want)
		}
	}
}

package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReport(t *testing.T) {
	var got bytes.Buffer
	report(&got, madeUp(), map[string]string{"cached": "bench/cached.svg"})
	golden := filepath.Join("testdata", "report.md")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the report is\n%s\nand %s has\n%s", got.String(), golden, want)
	}
}

func TestNumberHasThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.00123: "0.00123", 0.5: "0.500", 1.237: "1.24", 21.37: "21.4", 338.4: "338", 45001: "45001",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}

func TestMergedKeepsWhatIsAround(t *testing.T) {
	const bare = "# Title\n\nBy hand.\n"
	once, err := merged(bare, "one\n")
	if err != nil || !strings.HasPrefix(once, bare) {
		t.Fatalf("merged: %v, %q", err, once)
	}
	twice, err := merged(once+"\nMore by hand.\n", "two\n")
	if want := strings.Replace(once, "one", "two", 1) + "\nMore by hand.\n"; err != nil || twice != want {
		t.Errorf("merged: %v, %q, want %q", err, twice, want)
	}
	for _, page := range []string{beginMark, endMark, endMark + beginMark} {
		if _, err := merged(page, ""); err == nil {
			t.Errorf("a page %q was taken", page)
		}
	}
}

func TestPlotsAreSmall(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "bench")
	names, err := drawPlots(madeUp(), folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 3 || names["cached"] != "bench/cached.svg" {
		t.Errorf("plots are %v", names)
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(folder, "..", name))
		if err != nil || len(text) > 100<<10 || !strings.HasSuffix(strings.TrimSpace(string(text)), "</svg>") {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
	}
}

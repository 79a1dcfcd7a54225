package main_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Replays that go well: the table, the tree, the JSON lines and the verdicts.

// What the embedded recording holds.
const (
	embeddedOps   = 449780
	embeddedBytes = 762425
)

func TestReplayAnswersFirstAndPrintsTheTableLast(t *testing.T) {
	o := palloc(t, "replay", "-passes", "2")
	o.wantClean(t)
	lines := o.lines()
	if lines[0] != "pgbench_tpcb: 449,780 operations replayed, 744.6 KiB live at the peak" {
		t.Errorf("the heading is %q", lines[0])
	}
	if !regexp.MustCompile(`^palloc takes [0-9.]+ ns/op warm, Go's heap [0-9.]+ ns/op: [0-9.]+x; of each, [0-9.]+ ns/op are the replay's own$`).MatchString(lines[1]) {
		t.Errorf("the answer is %q", lines[1])
	}
	const screen = 36
	if len(lines) > screen {
		t.Errorf("%d lines, want at most %d", len(lines), screen)
	}
	wantTable(t, lines[len(lines)-6:len(lines)-1])
	if got, want := strings.Count(o.stdout, " total in "), 20+1; got != want {
		t.Errorf("%d lines of contexts, want %d:\n%s", got, want, o.stdout)
	}
	if !regexp.MustCompile(`(?m)^\d+ more contexts: \d+ total in \d+ blocks`).MatchString(o.stdout) {
		t.Errorf("nothing sums up the other contexts in\n%s", o.stdout)
	}
}

// wantTable wants the head, a row of each back end, and the ratios.
func wantTable(t *testing.T, lines []string) {
	t.Helper()
	const row = ` +([0-9.]+) ns/op +([0-9.]+) ns/op +[0-9.]+ ns/op +(-|[0-9.]+ [KM]iB) +[0-9,]+$`
	for i, want := range []string{
		`^ +cold +warm +GC CPU +peak resident +passes$`,
		`^palloc` + row, `^goheap` + row, `^floor` + row,
		`^palloc/goheap +[0-9.]+x +[0-9.]+x `,
	} {
		found := regexp.MustCompile(want).FindStringSubmatch(lines[i])
		if found == nil {
			t.Errorf("line %d of the table is %q, want %s", i, lines[i], want)
			continue
		}
		for _, figure := range found[min(1, len(found)-1):min(3, len(found))] {
			if ns, err := strconv.ParseFloat(figure, 64); len(found) > 1 && (err != nil || ns <= 0) {
				t.Errorf("%q takes %q ns an operation, want more than 0", lines[i], figure)
			}
		}
	}
}

func TestReplayPrintsTheWholeTree(t *testing.T) {
	o := palloc(t, "replay", "-passes", "2", "-backend", "palloc", "-tree")
	o.wantClean(t)
	wantTree(t, o.stdout)
	if got, want := strings.Count(o.stdout, " total in "), 119; got != want {
		t.Errorf("%d lines of contexts, want %d", got, want)
	}
}

// wantTree wants the contexts of the recording in PostgreSQL's text format.
func wantTree(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{
		`(?m)^replay: \d+ total in \d+ blocks; \d+ free \(\d+ chunks\); \d+ used$`,
		`(?m)^  TopMemoryContext: \d+ total in \d+ blocks`,
		`(?m)^    CacheMemoryContext: \d+ total in \d+ blocks`,
		`(?m)^      index info: .*: pgbench_accounts_pkey$`,
		`(?m)^Grand total: \d+ bytes in \d+ blocks; \d+ free \(\d+ chunks\); \d+ used$`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("nothing matches %s in\n%s", want, text)
		}
	}
}

func TestReplayJSON(t *testing.T) {
	o := palloc(t, "replay", "-json", "-passes", "3")
	o.wantClean(t)
	if len(o.lines()) != 3 {
		t.Fatalf("%d lines, want one for each back end:\n%s", len(o.lines()), o.stdout)
	}
	for i, backend := range []string{"palloc", "goheap", "floor"} {
		wantResult(t, o.lines()[i], backend)
	}
}

// wantResult wants a line to be the result of a back end on the embedded
// recording.
func wantResult(t *testing.T, line, backend string) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatalf("%q is no JSON object: %v", line, err)
	}
	for key, want := range map[string]any{
		"trace": "pgbench_tpcb", "backend": backend,
		"ops": float64(embeddedOps), "live_peak_bytes": float64(embeddedBytes),
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v in %s", key, got[key], want, line)
		}
	}
	for _, key := range []string{"cold_ns_per_op", "warm_ns_per_op"} {
		if ns, ok := got[key].(float64); !ok || ns <= 0 {
			t.Errorf("%s is %v, want more than 0 in %s", key, got[key], line)
		}
	}
	if passes, ok := got["passes"].(float64); !ok || passes < 3 {
		t.Errorf("passes is %v, want at least 3 in %s", got["passes"], line)
	}
	for _, key := range []string{"gc_cycles", "gc_cpu_ns"} {
		if n, ok := got[key].(float64); !ok || n < 0 {
			t.Errorf("%s is %v, want a number in %s", key, got[key], line)
		}
	}
	resident, known := got["peak_rss_bytes"]
	if n, ok := resident.(float64); !known || resident != nil && (!ok || n < 0) {
		t.Errorf("peak_rss_bytes is %v, want a number or null in %s", resident, line)
	}
	if cycles, _ := got["gc_cycles"].(float64); backend == "goheap" && cycles == 0 {
		t.Errorf("hundreds of megabytes on Go's heap took no collection: %s", line)
	}
}

func TestReplayOneBackendHasNoRatio(t *testing.T) {
	o := palloc(t, "replay", "-passes", "2", "-backend", "floor")
	o.wantClean(t)
	if strings.Contains(o.stdout, "palloc/goheap") || strings.Contains(o.stdout, "Contexts at") {
		t.Errorf("the floor has neither ratio nor contexts, but the output is\n%s", o.stdout)
	}
}

func TestVerify(t *testing.T) {
	o := palloc(t, "replay", "-verify")
	o.wantClean(t)
	if want := []string{
		"palloc on pgbench_tpcb: verified, 449,780 operations and 366,232 chunks",
		"goheap on pgbench_tpcb: verified, 449,780 operations and 366,232 chunks",
	}; !slices.Equal(o.lines(), want) {
		t.Errorf("the verdicts are %q, want %q", o.lines(), want)
	}
}

func TestVerifyJSON(t *testing.T) {
	o := palloc(t, "replay", "-verify", "-json", "-backend", "goheap")
	o.wantClean(t)
	if want := `{"trace":"pgbench_tpcb","backend":"goheap","ops":449780,"allocs":366232,"verified":true}` + "\n"; o.stdout != want {
		t.Errorf("the verdict is %q, want %q", o.stdout, want)
	}
}

func TestVerifyRecordings(t *testing.T) {
	names, err := filepath.Glob("../../../shared/traces/*.mctrace.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("no recordings beside the repository, in ../shared/traces")
	}
	o := palloc(t, append([]string{"replay", "-verify"}, names...)...)
	o.wantClean(t)
	if got, want := strings.Count(o.stdout, ": verified, "), 2*len(names); got != want {
		t.Errorf("%d verdicts, want %d:\n%s", got, want, o.stdout)
	}
}

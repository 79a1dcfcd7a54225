package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Cells for the tests of running them: this test program, started again.

// asCell is set for a process that runs a cell.
const asCell = "PALLOC_BENCH_TEST_CELL"

func TestMain(m *testing.M) {
	if os.Getenv(asCell) != "" {
		os.Exit(testCell(os.Args[1], os.Args[2]))
	}
	os.Exit(m.Run())
}

// testCell behaves as its name says.
func testCell(name, workload string) int {
	switch name {
	case "good":
		fmt.Println(`{"ns":1.5,"check":7}`)
	case "other":
		fmt.Println(`{"ns":1.5,"check":8}`)
	case "counting":
		fmt.Printf("{\"ns\":%d}\n", runtime.NumCPU())
	case "unknown":
		return exitUnknown
	case "broken":
		fmt.Fprintln(os.Stderr, "a first line\nthe reason")
		return 1
	case "chatty":
		fmt.Println("{\"ns\":1}\n{\"ns\":2}")
	case "endless":
		time.Sleep(time.Hour)
	}
	return 0
}

// groupOf runs a group of test cells on one workload and returns its result.
func groupOf(t *testing.T, rounds int, names ...string) *raw {
	t.Helper()
	if _, err := exec.LookPath(os.Args[0]); err != nil || runtime.GOARCH == "wasm" {
		t.Skip("cannot start the own program")
	}
	t.Setenv(asCell, "1")
	var peers []peer
	for _, name := range names {
		peers = append(peers, peer{name: name, command: []string{os.Args[0], name}})
	}
	r, shown := &raw{}, newProgress(&bytes.Buffer{}, 1)
	for _, g := range plan([]workload{workloadOf("churn")}, peers, nil, rounds) {
		(&runner{r, shown, time.Second}).group(context.Background(), g)
	}
	return r
}

func TestRoundsAreInterleavedAndRecorded(t *testing.T) {
	r := groupOf(t, 3, "good", "unknown")
	if len(r.Failed) != 0 || len(r.Cells) != 1 {
		t.Fatalf("failed %v, %d cells", r.Failed, len(r.Cells))
	}
	if got := r.find("good", "churn", "").series("ns"); len(got) != 3 || got[1] != 1.5 || got[3] != 1.5 {
		t.Errorf("rounds are %v", got)
	}
}

func TestFailuresAreOneLineAndSaidOnce(t *testing.T) {
	for name, want := range map[string]string{
		"broken": "the reason", "chatty": "one line", "silent": "one JSON object", "endless": "not done after 1s",
	} {
		r := groupOf(t, 3, name)
		if len(r.Failed) != 1 || !strings.Contains(r.Failed[0].Why, want) || strings.Contains(r.Failed[0].Why, "\n") {
			t.Errorf("%s: %v, want %q", name, r.Failed, want)
		}
	}
}

func TestACellThatDidOtherWorkFails(t *testing.T) {
	r := groupOf(t, 1, "good", "other")
	if len(r.Failed) != 1 || !strings.Contains(r.Failed[0].Why, "same work") {
		t.Errorf("failed: %v", r.Failed)
	}
}

func TestACellKeepsToItsProcessors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("cells are pinned on Linux only")
	}
	own := runtime.NumCPU()
	r := groupOf(t, 1, "counting")
	if got := r.find("counting", "churn", "").series("ns")[1]; got != 1 {
		t.Errorf("the cell had %v processors", got)
	}
	if runtime.NumCPU() != own {
		t.Errorf("the bench keeps to %d processors, it had %d", runtime.NumCPU(), own)
	}
}

package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// runOf writes a run of one cell of a peer, seven rounds around a figure, and
// returns its file.
func runOf(t *testing.T, peer string, around float64) string {
	t.Helper()
	r := &raw{Format: rawFormat}
	for i := range 7 {
		r.add(peer, "churn", "", sample{i + 1, map[string]float64{"ns": around + 0.1*float64(i), "check": around}})
	}
	name := filepath.Join(t.TempDir(), "run.json")
	if err := r.save(name); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCompareFailsWhereWeBecameWorse(t *testing.T) {
	for _, c := range []struct {
		peer     string
		old, new float64
		flags    []string
		status   int
		says     string
	}{
		{"palloc-allocset", 10, 12, nil, statusFailed, "worse"},
		{"palloc-allocset", 10, 12, []string{"-threshold", "30"}, statusOK, "+19.42%"},
		{"palloc-allocset", 10, 10.3, nil, statusOK, "+2.91%"},
		{"palloc-allocset", 10, 10.05, nil, statusOK, "~"},
		{"palloc-allocset", 12, 10, nil, statusOK, "-16.26%"},
		{"mimalloc", 10, 12, nil, statusOK, "+19.42%"},
	} {
		var out, said bytes.Buffer
		args := append(append([]string{"compare"}, c.flags...), runOf(t, c.peer, c.old), runOf(t, c.peer, c.new))
		status := run(args, &out, &said)
		if status != c.status || !strings.Contains(out.String(), c.says) || strings.Contains(out.String(), "check") {
			t.Errorf("%+v: status %d, %s%s", c, status, out.String(), said.String())
		}
		if !strings.Contains(out.String(), c.peer+": geometric mean of new / old") {
			t.Errorf("%+v: no mean in\n%s", c, out.String())
		}
	}
}

func TestCompareWantsCellsInCommon(t *testing.T) {
	var out, said bytes.Buffer
	status := run([]string{"compare", runOf(t, "palloc-slab", 1), runOf(t, "mimalloc", 1)}, &out, &said)
	if status != statusUsage || !strings.Contains(said.String(), "no cell in common") {
		t.Errorf("status %d, said %q", status, said.String())
	}
}

package cell_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopalloc/palloc/bench/cell"
)

// fills, frees and sizes are workloads by what an allocator must be able to do.
const (
	fills  = "cached-64 cached-64-zeroed million-16 million-64 million-256"
	frees  = "pair-64 queue-128"
	sizes  = "churn churn-2 grow-1 grow-2"
	trees  = "trees-1 trees-2"
	traces = "trace trace-touched"

	counted = "passes-2 passes-4 passes-floor-2 passes-floor-4"
)

// have are the workloads that each peer must know.
var have = map[string][]string{
	"palloc":            {traces, counted, "trace-floor goroutines-10000 graph-gc"},
	"palloc-allocset":   {fills, frees, sizes, trees, "call"},
	"palloc-bump":       {fills, trees, "call"},
	"palloc-slab":       {fills, frees},
	"palloc-generation": {fills, frees, sizes},
	"goheap":            {fills, frees, sizes, trees, traces, "call graph-gc"},
	"syncpool":          {"pair-64 call"},
	"arenas":            {fills, trees, "call"},
	"modernc":           {fills, frees, sizes, trees, "call"},
	"ristretto":         {fills, trees, "call"},
	"arrow":             {frees, sizes, "call"},
}

// absent are peers that not every build has.
var absent = []string{"arenas", "modernc", "ristretto"}

func TestEveryPeerKnowsItsWorkloads(t *testing.T) {
	for peer, lists := range have {
		want := slices.Sorted(strings.FieldsSeq(strings.Join(lists, " ")))
		got := cell.Workloads(peer)
		if len(got) == 0 && slices.Contains(absent, peer) {
			continue
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, not %v", peer, got, want)
		}
	}
	for _, peer := range cell.Peers() {
		if have[peer] == nil {
			t.Errorf("%s is unknown to this test", peer)
		}
	}
}

func TestEveryCellHasFigures(t *testing.T) {
	defer cell.Shorten()()
	const file = "../../cmd/palloc/recording/pgbench_tpcb.mctrace.gz"
	for _, peer := range cell.Peers() {
		for _, workload := range cell.Workloads(peer) {
			t.Run(peer+"/"+workload, func(t *testing.T) { run(t, peer, workload, file) })
		}
	}
}

func run(t *testing.T, peer, workload, file string) {
	if linuxOnly := workload == "trace-touched" || workload == "goroutines-10000"; linuxOnly && runtime.GOOS != "linux" {
		t.Skip("resident memory is measured on Linux only")
	}
	figures, err := cell.Run(peer, workload, file)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name, f := range figures {
		names = append(names, name)
		mayBeNone := name == "share" || name == "resident" || name == "ratio"
		if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 || f == 0 && !mayBeNone {
			t.Errorf("%s is %v", name, f)
		}
	}
	slices.Sort(names)
	if want := figuresOf(workload); !slices.Equal(names, want) {
		t.Errorf("the figures are %v, not %v", names, want)
	}
	if strings.HasPrefix(workload, "trees-") && figures["check"] != nodes(cell.Depth()) {
		t.Errorf("the trees have %v nodes, not %v", figures["check"], nodes(cell.Depth()))
	}
}

// figuresOf returns the names of a workload's figures, in order.
func figuresOf(workload string) []string {
	switch name, _, _ := strings.Cut(workload, "-"); {
	case name == "passes":
		return []string{"ops", "passes"}
	case workload == "trace-touched":
		return []string{"resident"}
	case name == "trace":
		return []string{"cold", "ns", "passes"}
	case name == "million":
		return []string{"cold", "ns"}
	case name == "trees":
		return []string{"check", "ns", "wall"}
	case name == "goroutines":
		return []string{"ratio"}
	case name == "graph":
		return []string{"gc", "share", "tick"}
	case workload == "churn-2":
		return []string{"ns", "wall"}
	}
	return []string{"ns"}
}

// nodes returns the number of nodes of all the game's trees: 2^(d+1)-1 in one of depth d.
func nodes(depth int) float64 {
	sum := 1<<(depth+2) - 1 + 1<<(depth+1) - 1
	for d := 4; d <= depth; d += 4 {
		sum += 1 << (depth - d + 4) * (1<<(d+1) - 1)
	}
	return float64(sum)
}

// The whole game's check, as the cells in other languages print it.
func TestTheGameHasSoManyNodes(t *testing.T) {
	if got := nodes(21); got != 345890270 {
		t.Errorf("%.0f", got)
	}
}

func TestWhatIsUnknownIsRefused(t *testing.T) {
	for _, workload := range []string{"", "no-such", "trace"} {
		if f, err := cell.Run("syncpool", workload, ""); !errors.Is(err, cell.ErrUnknown) || f != nil {
			t.Errorf("%q: %v, %v", workload, f, err)
		}
	}
	_, err := cell.Run("no-such", "pair-64", "")
	if err == nil || errors.Is(err, cell.ErrUnknown) || !strings.Contains(err.Error(), `"no-such"; there are `) {
		t.Errorf("a peer that is none: %v", err)
	}
	_, err = cell.Run("palloc", "trace", "")
	if err == nil || !strings.Contains(err.Error(), "give its path") {
		t.Errorf("a trace without a file: %v", err)
	}
	if _, err = cell.Run("palloc", "trace", filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a trace that is not there: %v", err)
	}
}

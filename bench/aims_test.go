package main

import (
	"math"
	"slices"
	"testing"
)

func TestAimsConvertForOldServers(t *testing.T) {
	for _, c := range []struct {
		aim    aim
		server int
		theirs string
		most   float64
	}{
		{against("pair-64", "ns", "palloc-allocset", "postgres-allocset", 0.60), 15, "postgres-allocset", 0.60 * 0.92},
		{against("pair-64", "ns", "palloc-allocset", "postgres-allocset", 0.60), 18, "postgres-allocset", 0.60},
		{against("pair-64", "ns", "palloc-allocset", "mimalloc", 0.50), 15, "mimalloc", 0.50},
		{against("trace-touched", "resident", "palloc", "postgres", 0.88), 15, "postgres", 0.88},
		{against("cached-64", "ns", "palloc-bump", "postgres-bump", 0.43), 16, "postgres-allocset", 0.43 * 1.54 / 1.9},
		{against("cached-64", "ns", "palloc-bump", "postgres-bump", 0.43), 17, "postgres-bump", 0.43},
		{uncleared("postgres-bump", 0.60), 15, "postgres-allocset", 0.60 * 1.54 / 1.9},
		{against("trees-1", "ns", "palloc-bump", "postgres-bump", 0.70), 15, "postgres-allocset", 0.70 * 2.63 / 3.45 * 0.92},
	} {
		got := c.aim.converted(c.server)
		if got.theirs.peer != c.theirs || math.Abs(got.most-c.most) > 1e-12 {
			t.Errorf("%v against %d: %s at most %v, want %s at most %v", c.aim, c.server, got.theirs.peer, got.most, c.theirs, c.most)
		}
	}
}

func TestEveryBumpAimHasAYardstickInOldServers(t *testing.T) {
	for _, a := range aims() {
		if a.theirs.peer == "postgres-bump" && bumpOfAllocSet[a.theirs.workload] == 0 {
			t.Errorf("%v has no factor for servers without Bump", a)
		}
	}
}

func TestAimsNameWhatIsMeasured(t *testing.T) {
	peers := allPeers()
	for _, a := range aims() {
		for _, p := range []place{a.ours, a.theirs} {
			if p == (place{}) {
				continue
			}
			if !slices.Contains(peers, p.peer) {
				t.Errorf("%v: there is no peer %s", a, p.peer)
			}
			i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == p.workload })
			if i < 0 || !workloads[i].asks(p.peer) {
				t.Errorf("%v: %s is not asked to run %s", a, p.peer, p.workload)
			} else if !slices.ContainsFunc(workloads[i].figures, func(f figure) bool { return f.name == p.figure }) {
				t.Errorf("%v: %s has no figure %s", a, p.workload, p.figure)
			}
		}
	}
}

func TestJudgeTakesRatiosWithinARound(t *testing.T) {
	v := against("pair-64", "ns", "palloc-allocset", "mimalloc", 0.50).judge(madeUp())
	s := v.measured
	if s.mid != 0.5 || math.Abs(s.low-0.44) > 1e-12 || s.high != 0.6 || s.n != 3 || !v.holds() {
		t.Errorf("measured %v, holds %v", v.measured, v.holds())
	}
}

func TestJudgeNamesTheWorstTrace(t *testing.T) {
	r := madeUp()
	r.put("palloc", "trace", "bad", series{"ns": {13, 13, 13}})
	r.put("postgres", "trace", "bad", series{"ns": {10, 10, 10}})
	r.put("palloc", "trace", "lonely", series{"ns": {13, 13, 13}})
	v := onTraces("trace", "ns", "postgres", 0.70, 1.0)[1].judge(r)
	if v.trace != "bad" || v.measured.mid != 1.3 || v.holds() {
		t.Errorf("worst is %s with %v, holds %v", v.trace, v.measured, v.holds())
	}
}

func TestWhatWasNotMeasuredDoesNotHold(t *testing.T) {
	unmeasured := append(onTraces("trace-touched", "resident", "postgres", 0.7, 1),
		against("churn", "ns", "palloc-allocset", "mimalloc", 0.68))
	for _, a := range unmeasured {
		if v := a.judge(madeUp()); v.measured.n != 0 || v.holds() {
			t.Errorf("measured %v, holds %v", v.measured, v.holds())
		}
	}
}

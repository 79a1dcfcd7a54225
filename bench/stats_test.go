package main

import (
	"math"
	"testing"
)

func TestSpreadOf(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3, 1}},
		{[]float64{3, 1}, spread{2, 1, 3, 2}},
		{[]float64{9, 1, 5}, spread{5, 1, 9, 3}},
		{[]float64{4, 1, 9, 2}, spread{3, 1, 9, 4}},
	} {
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("spreadOf(%v) = %v, want %v", c.values, got, c.want)
		}
	}
	if s := spreadOf(nil); s.n != 0 || !math.IsNaN(s.mid) {
		t.Errorf("the spread of nothing is %v", s)
	}
}

func TestRatiosAreOfRoundsThatBothHave(t *testing.T) {
	got := ratios(map[int]float64{1: 2, 2: 3, 3: 0}, map[int]float64{1: 4, 3: 0, 4: 1})
	if len(got) != 2 || got[1] != 0.5 || got[3] != 1 {
		t.Errorf("ratios are %v", got)
	}
}

func TestGeomeansNeedEverySeries(t *testing.T) {
	got := geomeans([]map[int]float64{{1: 2, 2: 4}, {1: 8}})
	if len(got) != 1 || math.Abs(got[1]-4) > 1e-12 {
		t.Errorf("geometric means are %v", got)
	}
	if got := geomeans(nil); len(got) != 0 {
		t.Errorf("the means of nothing are %v", got)
	}
}

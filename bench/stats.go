package main

import (
	"math"
	"slices"
)

// The arithmetic of measuring: medians, spreads, ratios by round.
//
// Invariant: a ratio compares two cells of one round only, which ran close to each
// other; what the machine did between rounds is in neither. Cost: none to speak
// of.

// spread is the median and the range of one figure over several rounds.
type spread struct {
	mid, low, high float64 // median, least, greatest
	n              int     // how many rounds; 0: it was not measured
}

// spreadOf returns the spread of values, which it leaves as they are.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{mid: math.NaN(), low: math.NaN(), high: math.NaN()}
	}
	v := slices.Sorted(slices.Values(values))
	half := len(v) / 2
	mid := v[half]
	if len(v)%2 == 0 {
		mid = (v[half-1] + v[half]) / 2
	}
	return spread{mid, v[0], v[len(v)-1], len(v)}
}

// ratios returns a/b for each round that both have, by round.
func ratios(a, b map[int]float64) map[int]float64 {
	quotients := map[int]float64{}
	for round, x := range a {
		if y, both := b[round]; both {
			quotients[round] = quotient(x, y)
		}
	}
	return quotients
}

// quotient returns a/b; nothing over nothing is no difference.
func quotient(a, b float64) float64 {
	if a == b {
		return 1
	}
	return a / b
}

// geomeans returns, for each round that all series have, the geometric mean of
// what they have there.
func geomeans(series []map[int]float64) map[int]float64 {
	means := map[int]float64{}
	if len(series) == 0 {
		return means
	}
	for round := range series[0] {
		var values []float64
		for _, s := range series {
			if v, has := s[round]; has {
				values = append(values, v)
			}
		}
		if len(values) == len(series) {
			means[round] = geomean(values)
		}
	}
	return means
}

// geomean returns the geometric mean of values above 0.
func geomean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(values)))
}

// byRound returns the spread of a series.
func byRound(series map[int]float64) spread {
	values := make([]float64, 0, len(series))
	for _, v := range series {
		values = append(values, v)
	}
	return spreadOf(values)
}

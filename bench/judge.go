package main

// Judging: a run is compared with the aims.
//
// Invariant: what was not measured is neither reached nor missed. Cost: none to
// speak of.

// verdict is the result of a run for an aim.
type verdict struct {
	aim
	measured spread // of the ratio; n is 0 when one of the two was not measured
	trace    string // the worst one, where the aim is on the worst
}

// holds reports whether the aim was reached.
func (v verdict) holds() bool { return v.measured.n > 0 && v.measured.mid <= v.most }

// judge compares a run with an aim.
func (a aim) judge(r *raw) verdict {
	v := verdict{aim: a.converted(major(r.Machine.Postgres))}
	if a.over == alone {
		v.measured = byRound(v.ratio(r, ""))
		return v
	}
	var all []map[int]float64
	for _, f := range r.files(a.ours.workload) {
		ratio := v.ratio(r, f)
		all = append(all, ratio)
		if s := byRound(ratio); a.over == worst && s.n > 0 && (v.trace == "" || s.mid > v.measured.mid) {
			v.measured, v.trace = s, f
		}
	}
	if a.over == mean {
		v.measured = byRound(geomeans(all))
	}
	return v
}

// ratio returns ours over theirs on one trace, by round.
func (a aim) ratio(r *raw, file string) map[int]float64 {
	ours := r.find(a.ours.peer, a.ours.workload, file).series(a.ours.figure)
	if a.theirs.peer == "" {
		return ours
	}
	return ratios(ours, r.find(a.theirs.peer, a.theirs.workload, file).series(a.theirs.figure))
}

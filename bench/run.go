package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The run: all cells of all groups, round by round.
//
// Invariant: one cell runs at a time. In each round every peer has its turn, and
// the turns move on by one from round to round, so that no peer always comes
// first. Cost: the cells'.

const (
	slow       = 8 * time.Second // a cell whose first run took longer
	slowRounds = 3               // is run so often in all
)

// runner runs cells and records what they print.
type runner struct {
	raw   *raw
	shown *progress
	limit time.Duration // of one cell
}

// group runs a group to its end, or until ctx is done.
func (r *runner) group(ctx context.Context, g *group) {
	begin, cells := time.Now(), left(g)
	if cells == 0 {
		return
	}
	for round := 1; left(g) > 0 && ctx.Err() == nil; round++ {
		for _, tasks := range g.workloads {
			r.round(ctx, tasks, round)
		}
	}
	r.shown.say("%s: measured in %v", g.name, time.Since(begin).Round(time.Second))
}

// round runs each task that has rounds left once.
func (r *runner) round(ctx context.Context, tasks []*task, round int) {
	for i := range tasks {
		if t := tasks[(i+round)%len(tasks)]; t.left > 0 && ctx.Err() == nil {
			r.cell(ctx, t, round)
		}
	}
}

// cell runs one cell once.
func (r *runner) cell(ctx context.Context, t *task, round int) {
	r.shown.show(fmt.Sprint(t.peer.name, " ", t.workload.name, " ", t.trace.name()))
	begin, before := time.Now(), t.left
	figures, err := t.peer.run(ctx, r.limit, t.workload.threads, t.args()...)
	if err == nil {
		err = r.agrees(t, figures)
	}
	t.left--
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errUnknown):
		t.left = 0
	case err != nil:
		t.left = 0
		r.fail(t, err)
	default:
		r.raw.add(t.peer.name, t.workload.name, t.trace.name(), sample{round, figures})
		if round == 1 && time.Since(begin) > slow {
			t.left = min(t.left, slowRounds-1)
		}
	}
	r.shown.add(before - t.left)
}

// agrees returns an error when the cell did other work than those before it.
func (r *runner) agrees(t *task, figures map[string]float64) error {
	for _, c := range r.raw.Cells {
		if c.Workload == t.workload.name && c.File == t.trace.name() {
			if want, got := c.Rounds[0].Figures["check"], figures["check"]; want != got {
				return fmt.Errorf("its check is %.0f, that of %s is %.0f: they did not do the same work", got, c.Peer, want)
			}
		}
	}
	return nil
}

// fail records a cell that failed.
func (r *runner) fail(t *task, err error) {
	f := failure{t.peer.name, t.workload.name, t.trace.name(), oneLine(err.Error())}
	r.raw.Failed = append(r.raw.Failed, f)
	r.shown.say("%s", f)
}

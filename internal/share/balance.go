package share

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The balance between Go's memory and that of contexts.
//
// Invariant: Go's limit and the grant of contexts are together no more than room, except
// where one of the two cannot do with less: Go with its floor, contexts with what they
// have. Go's limit falls before the grant rises.
//
// Cost: reading Go's figures, some microseconds.

const (
	raiseDelay = 100 * time.Millisecond // from the last time Go's limit fell to its rise, unless Go needs more
	trimGap    = time.Second            // between two trims
)

// sides is what the two have, in bytes.
type sides struct {
	ours     int64 // resident for contexts, outside Go's memory
	retained int64 // of it, free pages
	fixed    int64 // of it, without a grant
	held     int64 // what Go's limit counts
	floor    int64 // with less, Go would only collect
	wants    int64 // what Go gets before the page heap retains anything
}

func (m sides) sum() int64 { return m.ours + m.held }

// metricNames are Go's figures, in the order of measure.
var metricNames = []string{
	"/memory/classes/total:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/heap/objects:bytes",
	"/memory/classes/heap/free:bytes",
	"/gc/heap/live:bytes",
	"/gc/gogc:percent",
}

// measure reads what the two have.
func (s *share) measure() (m sides) {
	if osmem.Current().DiscardFrees() { // else contexts are part of Go's heap
		f := s.heap.Figures()
		m.ours, m.retained, m.fixed = f.Resident, f.Retained, f.Fixed
	}
	samples := make([]metrics.Sample, len(metricNames))
	for i, name := range metricNames {
		samples[i].Name = name
	}
	metrics.Read(samples)
	figure := func(i int) int64 { return int64(min(samples[i].Value.Uint64(), math.MaxInt64)) }
	m.held = figure(0) - figure(1)
	live, percent := figure(4), figure(5)
	base := m.held - figure(2) - figure(3) + live // stacks, fragments of the heap, and what Go cannot do without
	const minHeadroom = 4 << 20
	m.floor = base + max(live/8, minHeadroom)
	m.wants = max(m.floor, base+live/100*min(percent, 50))
	return m
}

// left returns what contexts leave Go: room, less what they have, less their next step,
// less up to 4 steps while the page heap retains as much. The last makes Go begin the
// collection that releases retained pages while there is still headroom for Go's
// allocations until its end.
func (s *share) left(m sides) int64 { return s.room - m.ours - s.step - min(m.retained, 4*s.step) }

// balance gives each side what there is for it.
func (s *share) balance() {
	m := s.measure()
	need := m.wants
	if m.ours > s.granted {
		need = max(need, m.held)
	}
	if lack := need - s.left(m); lack > m.retained && time.Since(s.trimmed) > trimGap {
		s.trimmed = time.Now()
		s.heap.Trim()
		m = s.measure()
	} else if lack > 0 {
		m = s.giveBack(m, lack)
	}
	if m.ours > s.granted {
		s.takeFromGo(m)
		return
	}
	s.follow(m)
}

// follow sets Go's limit to what contexts leave, while they stay within their grant.
func (s *share) follow(m sides) {
	if lack := m.wants - s.left(m); lack > 0 {
		m = s.giveBack(m, lack)
	}
	limit := max(s.left(m), m.floor)
	rises := limit > s.limit && m.wants > s.limit || limit >= s.limit+s.step && time.Since(s.lowered) > raiseDelay
	if rises || limit < s.limit-s.step {
		s.set(limit)
	}
	s.grant(m)
}

// giveBack gives free pages back to the system, as much as is needed and a step more, or
// all. It returns what the two have then.
func (s *share) giveBack(m sides, need int64) sides {
	if m.retained == 0 {
		return m
	}
	block.TrimTo(uintptr(max(0, m.retained-need-s.step)))
	return s.measure()
}

// takeFromGo lowers Go's limit by what contexts have grown beyond their grant. Where Go
// has more than is left for it, its garbage goes back to the system, and Go and contexts
// share evenly what is free then, so that the next such collection is far. Contexts are
// granted a step more than they have in any case, so that not every block waits.
func (s *share) takeFromGo(m sides) {
	s.lowered = time.Now()
	s.set(max(s.left(m), m.floor))
	if m.held > s.left(m) && time.Since(s.forced) >= s.forceGap {
		m = s.collect(m)
		ahead := min(max((s.room-m.sum())/2, s.step), s.room/4)
		s.set(max(s.room-m.ours-ahead, m.floor))
	}
	s.granted = max(s.granted, m.ours+s.step)
	s.grant(m)
}

// collect makes Go give back all it can. Where that is little, the next time is put off
// for 4 times as long as it took.
func (s *share) collect(m sides) sides {
	begin := time.Now()
	debug.FreeOSMemory()
	after := s.measure()
	s.forced = time.Now()
	s.forceGap = 0
	if m.held-after.held < s.step/2 {
		s.forceGap = 4 * s.forced.Sub(begin)
	}
	return after
}

// set sets Go's limit, and leaves the rest for contexts.
func (s *share) set(limit int64) {
	if limit != s.limit {
		s.limit = limit
		debug.SetMemoryLimit(limit)
	}
	s.granted = s.room - limit
}

// grant tells the page heap when to ask again.
func (s *share) grant(m sides) {
	block.SetThresholds(uintptr(max(0, s.granted-m.fixed)), uintptr(m.retained+s.step))
}

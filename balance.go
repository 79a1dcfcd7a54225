package palloc

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The balance between Go's memory and that of contexts.
//
// Invariant: Go's limit and what contexts may have resident without asking are
// together no more than room, but where one of the two cannot do with less: Go with
// its floor, contexts with what they have. Go is given less before contexts get more.
//
// Cost: reading Go's figures, some microseconds.

// share is a total that Go and contexts have together. The lock guards the rest of it.
type share struct {
	total int64
	room  int64 // of it, for what is counted
	step  int64 // what contexts get at a time

	before    int64 // Go's limit as it was
	quit      chan struct{}
	done      chan struct{}
	collected chan struct{} // a collection of Go has ended

	mu      sync.Mutex
	ended   bool
	limit   int64 // Go's limit as it was set last
	granted int64 // bytes of ours that need no balance

	lowered  time.Time // when Go's limit was last
	trimmed  time.Time // when contexts' spare blocks were last sold
	forced   time.Time // when a forced collection last ended
	patience time.Duration
}

// calm is how long after it was lowered Go's limit may rise though Go does not want
// it to, and how long spare blocks are left alone after they were sold.
const (
	calm  = 100 * time.Millisecond
	spare = time.Second
)

func newShare(total int64) *share {
	const mostSlack, leastStep, mostStep = 128 << 20, 1 << 20, 64 << 20
	return &share{
		total: total,
		room:  total - min(total/16, mostSlack),
		step:  min(max(total/32, leastStep), mostStep),
		quit:  make(chan struct{}), done: make(chan struct{}), collected: make(chan struct{}, 1),
	}
}

// sides is what the two have, in bytes.
type sides struct {
	ours     int64 // resident for contexts, outside Go's memory
	retained int64 // of it, unused
	accounts int64 // of it, not for sale
	held     int64 // what Go's limit counts
	floor    int64 // below which Go would do nothing but collect
	wants    int64 // what Go gets before contexts keep anything unused
}

func (m sides) sum() int64 { return m.ours + m.held }

// Go's figures, in the order of measure.
var figures = []string{
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
		w := Warehouse()
		m.ours, m.retained, m.accounts = w.Resident(), w.Retained, w.Accounts
	}
	samples := make([]metrics.Sample, len(figures))
	for i, name := range figures {
		samples[i].Name = name
	}
	metrics.Read(samples)
	figure := func(i int) int64 { return int64(min(samples[i].Value.Uint64(), math.MaxInt64)) }
	m.held = figure(0) - figure(1)
	live, percent := figure(4), figure(5)
	fixed := m.held - figure(2) - figure(3) + live // stacks, fragments of the heap, and what is not to be had
	const least = 4 << 20
	m.floor = fixed + max(live/8, least)
	m.wants = max(m.floor, fixed+live/100*min(percent, 50))
	return m
}

// left is what contexts leave Go, the next step of theirs taken off, and a few more as
// long as they have something unused: the collection at whose end that is given back
// has then begun while there still is room for what Go buys meanwhile.
func (s *share) left(m sides) int64 { return s.room - m.ours - s.step - min(m.retained, 4*s.step) }

// balance gives each what there is for it.
func (s *share) balance() {
	m := s.measure()
	need := m.wants
	if m.ours > s.granted {
		need = max(need, m.held)
	}
	if lack := need - s.left(m); lack > m.retained && time.Since(s.trimmed) > spare {
		s.trimmed = time.Now()
		Trim()
		m = s.measure()
	} else if lack > 0 {
		m = s.giveBack(m, lack)
	}
	if m.ours > s.granted {
		s.lower(m)
		return
	}
	s.settle(m)
}

// settle is the balance of contexts that stay within what they were granted.
func (s *share) settle(m sides) {
	if lack := m.wants - s.left(m); lack > 0 {
		m = s.giveBack(m, lack)
	}
	limit := max(s.left(m), m.floor)
	rises := limit > s.limit && m.wants > s.limit || limit >= s.limit+s.step && time.Since(s.lowered) > calm
	if rises || limit < s.limit-s.step {
		s.set(limit)
	}
	s.grant(m)
}

// giveBack gives as much unused memory of the warehouse to the system as is needed and
// a step more, or all of it, and answers what the two have then.
func (s *share) giveBack(m sides, need int64) sides {
	if m.retained == 0 {
		return m
	}
	block.TrimTo(uintptr(max(0, m.retained-need-s.step)))
	return s.measure()
}

// lower takes from Go what contexts have grown by. Where Go has more than is left for
// it, its garbage goes to the system, and Go and contexts share evenly what is free
// then, so that the next such collection is far. Contexts get a step more than they
// have in any case, so that they do not ask for each block.
func (s *share) lower(m sides) {
	s.lowered = time.Now()
	s.set(max(s.left(m), m.floor))
	if m.held > s.left(m) && time.Since(s.forced) >= s.patience {
		m = s.collect(m)
		ahead := min(max((s.room-m.sum())/2, s.step), s.room/4)
		s.set(max(s.room-m.ours-ahead, m.floor))
	}
	s.granted = max(s.granted, m.ours+s.step)
	s.grant(m)
}

// collect has Go give back all it can. When that was little, the next time is put off
// for 4 times as long as it took.
func (s *share) collect(m sides) sides {
	begin := time.Now()
	debug.FreeOSMemory()
	after := s.measure()
	s.forced = time.Now()
	s.patience = 0
	if m.held-after.held < s.step/2 {
		s.patience = 4 * s.forced.Sub(begin)
	}
	return after
}

// set sets Go's limit, and lets contexts have the rest.
func (s *share) set(limit int64) {
	if limit != s.limit {
		s.limit = limit
		debug.SetMemoryLimit(limit)
	}
	s.granted = s.room - limit
}

// grant says when the warehouse is to ask again.
func (s *share) grant(m sides) {

	block.SetThresholds(uintptr(max(0, s.granted-m.accounts)), uintptr(m.retained+s.step))

}

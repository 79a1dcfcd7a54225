package palloc_test

import (
	"flag"
	"io"
	"math/bits"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// How long goroutines wait while another one runs a large operation: in creations and
// deletions, which take the tree's lock, and when new contexts acquire their first block.
// For comparison, how long they wait next to a goroutine that only counts, which shows the
// share of the machine and of Go's scheduler.
//
//	go test -run '^$' -bench Stalls -benchtime 3x . -args -contexts 1000000 -chunks 4000000

var (
	stallContexts = flag.Int("contexts", 20_000, "of BenchmarkStalls: how many contexts there are")
	stallChunks   = flag.Int("chunks", 100_000, "of BenchmarkStalls: how many freed chunks there are")
)

// A crowdedPlace is the tree for the large operations.
type crowdedPlace struct {
	top, mc palloc.Context // above the many contexts
	other   palloc.Context // with a budget of its own
	cache   palloc.Context // with the freed chunks
}

func newCrowdedPlace(b *testing.B) (p crowdedPlace) {
	p.top = newRoot(b)
	p.other = palloc.NewAllocSet(p.top, "other")
	p.other.SetLimit(1 << 50)
	p.mc = palloc.NewAllocSet(p.top, "crowd")
	at := p.mc
	for i := range *stallContexts {
		c := palloc.NewAllocSet(at, "c")
		if i%10 == 0 {
			c.Alloc(64)
		}
		if i%1000 == 0 {
			at = c
		}
	}
	p.cache = palloc.NewAllocSet(p.top, "cache")
	chunks := make([]unsafe.Pointer, *stallChunks)
	for i := range chunks {
		chunks[i] = p.cache.Alloc(56)
	}
	rand.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
	for _, c := range chunks {
		palloc.FreePointer(c)
	}
	return p
}

var large = []struct {
	name string
	do   func(p *crowdedPlace)
}{
	{"Stats", func(p *crowdedPlace) { p.cache.Stats() }},
	{"IsEmpty", func(p *crowdedPlace) { p.cache.IsEmpty() }},
	{"WriteStats", func(p *crowdedPlace) { _ = p.top.WriteStats(io.Discard) }},
	{"TakeSnapshot", func(p *crowdedPlace) { palloc.TakeSnapshot(p.top) }},
	{"TreeHeld", func(p *crowdedPlace) { p.top.TreeHeld() }},
	{"Leaks", func(p *crowdedPlace) { palloc.Leaks(p.top, 0) }},
	{"RecordCreations", func(p *crowdedPlace) { palloc.RecordCreations()() }},
	{"Trim", func(p *crowdedPlace) { palloc.Trim() }},
	{"Check", func(p *crowdedPlace) { _ = p.mc.Check() }},
	{"SetParent", func(p *crowdedPlace) { p.mc.SetParent(p.other) }},
	{"SetLimit", func(p *crowdedPlace) { p.mc.SetLimit(1 << 50) }},
	{"Refusal", func(p *crowdedPlace) {
		p.top.SetLimit(1)
		_, _ = p.mc.TryAlloc(1 << 20)
	}},
	{"ResetChildren", func(p *crowdedPlace) { p.mc.ResetChildren() }},
	{"Delete", func(p *crowdedPlace) { p.mc.Delete() }},
}

// A waiting is a histogram of durations, in steps of a sixteenth.
type waiting struct {
	counts [64 * 16]int
	n      int
	most   time.Duration
}

func (w *waiting) add(d time.Duration) {
	e := max(bits.Len64(uint64(d))-5, 0) // d>>e is below 32, and at least 16 unless e is 0
	w.counts[e*16+int(d>>e)]++
	w.n++
	w.most = max(w.most, d)
}

// worst returns the 99.9th percentile and the maximum, in microseconds.
func (w *waiting) worst() (p999, most float64) {
	left := w.n / 1000
	for i := len(w.counts) - 1; i >= 0; i-- {
		if left -= w.counts[i]; left < 0 {
			e := max(i/16-1, 0)
			return float64((i-e*16)<<e) / 1000, float64(w.most) / 1000
		}
	}
	return 0, 0
}

// while measures the operations of another goroutine while f runs.
func (w *waiting) while(f func()) {
	var over atomic.Bool
	done := make(chan bool)
	go func() {
		defer close(done)
		for !over.Load() {
			begin := time.Now()
			mc := palloc.NewSlab(palloc.Top(), "request", 64)
			created := time.Now()
			mc.Alloc(64)
			acquired := time.Now()
			mc.Delete()
			w.add(created.Sub(begin))
			w.add(acquired.Sub(created))
			w.add(time.Since(acquired))
		}
	}()
	f()
	over.Store(true)
	<-done
}

var spun atomic.Uint64

// spin counts for the given time.
func spin(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		n := uint64(0)
		for i := range uint64(1000) {
			n += i ^ n
		}
		spun.Add(n & 1)
	}
}

// BenchmarkStalls runs each large operation once a round.
func BenchmarkStalls(b *testing.B) {
	for _, op := range large {
		b.Run(op.name, func(b *testing.B) {
			var during, beside waiting
			for range b.N {
				b.StopTimer()
				p := newCrowdedPlace(b)
				b.StartTimer()
				begin := time.Now()
				during.while(func() { op.do(&p) })
				took := time.Since(begin)
				b.StopTimer()
				beside.while(func() { spin(took) })
				p.top.Delete()
				b.StartTimer()
			}
			p999, most := during.worst()
			control, mostBeside := beside.worst()
			b.ReportMetric(p999, "p99.9-µs")
			b.ReportMetric(most, "max-µs")
			b.ReportMetric(control, "control-p99.9-µs")
			b.ReportMetric(mostBeside, "control-max-µs")
		})
	}
}

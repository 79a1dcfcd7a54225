package block_test

import (
	"flag"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// How long an Acquire and a Release take while another goroutine returns memory to the
// system. For a peak of 4 GiB:
//
//	go test -run '^$' -bench Stall -benchtime 1x ./internal/block -args -pieces 524288
var peakPieces = flag.Int("pieces", 1<<14, "pieces of 8 KiB that BenchmarkStall acquires, of which it then releases 7 of 8")

// BenchmarkStall reports the 99.9th percentile and the maximum of such pairs, in
// microseconds. "nothing" is the control, the same load while no memory is returned.
func BenchmarkStall(b *testing.B) {
	skipUnlessDiscardFrees(b)
	for _, c := range []struct {
		name string
		do   func()
	}{
		{"nothing", func() { time.Sleep(time.Second) }},
		{"Trim", func() { block.Trim() }},
		{"SetRetention", func() { block.SetRetention(0) }},
		{"period", awaitPeriods},
	} {
		b.Run(c.name, func(b *testing.B) {
			var pairs []time.Duration
			for b.Loop() {
				held := peak(b, *peakPieces)
				pairs = append(pairs, acquireWhile(b, c.do)...)
				block.SetRetention(block.MaxRetention)
				releaseAll(held)
				block.Trim()
			}
			slices.Sort(pairs)
			micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
			b.ReportMetric(micros(pairs[len(pairs)-1-len(pairs)/1000]), "p99.9-us")
			b.ReportMetric(micros(pairs[len(pairs)-1]), "max-us")
			b.ReportMetric(float64(len(pairs))/float64(b.N), "pairs/op")
		})
	}
}

// peak acquires n pieces, releases 7 of 8 and returns the others.
func peak(b *testing.B, n int) (held []run) {
	var free []run
	for i := range n {
		addr, size, err := block.Acquire(8 << 10)
		if err != nil {
			b.Fatal(err)
		}
		bytes := osmem.Bytes(addr, size)
		bytes[0], bytes[size-1] = 1, 1
		if i%8 == 0 {
			held = append(held, run{addr, size})
		} else {
			free = append(free, run{addr, size})
		}
	}
	releaseAll(free)
	return held
}

// acquireWhile acquires and releases a block again and again while do runs in another
// goroutine, and returns how long each pair took.
func acquireWhile(b *testing.B, do func()) (pairs []time.Duration) {
	var done atomic.Bool
	go func() { do(); done.Store(true) }()
	pairs = make([]time.Duration, 0, 1<<24)
	for !done.Load() && len(pairs) < cap(pairs) {
		begin := time.Now()
		addr, size, err := block.Acquire(20 << 10)
		if err != nil {
			b.Error(err)
			return pairs
		}
		block.Release(addr, size)
		pairs = append(pairs, time.Since(begin))
	}
	return pairs
}

// awaitPeriods waits until memory was returned to the system because periods have ended.
func awaitPeriods() {
	for range 2000 {
		if s := block.ReadStats(); s.Retained <= (max(64<<20, s.InUse)+1<<20)*17/16 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

package block_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// TestWhoBalancesIsAskedBeyondTheGrant, once for each purchase beyond it, and may use
// the warehouse meanwhile.
func TestWhoBalancesIsAskedBeyondTheGrant(t *testing.T) {
	defer block.OnExcess(nil, nil)
	block.Trim()
	fill := exhaust(t, 1<<20) // what a maker that gives nothing back has retained
	defer sellAll(fill)
	grown, piled := 0, 0
	block.OnExcess(func() { grown++; block.ReadStats() }, func() { piled++; block.ReadStats() })
	s := block.ReadStats()
	block.SetThresholds(s.InUse+s.Retained+8<<20, s.Retained+4<<20)
	var held []run
	buy := func(size uintptr) {
		t.Helper()
		addr, got, err := block.Acquire(size)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, run{addr, got})
	}
	for range 8 {
		buy(1 << 20)
	}
	if grown != 0 {
		t.Errorf("asked %d times for 8 MiB, which were granted", grown)
	}
	buy(1 << 20)
	if grown != 1 {
		t.Errorf("asked %d times for a purchase beyond the grant", grown)
	}
	addr, size, room, err := block.AcquireGrowable(1<<10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	size = block.Grow(addr, size, room, 100<<10)
	if grown != 3 {
		t.Errorf("asked %d times for three purchases beyond the grant, one of them a widening", grown)
	}
	block.ReleaseGrowable(addr, size, room)
	sellAll(held[:3])
	if piled != 0 {
		t.Errorf("asked %d times for some 3 MiB sold back, which may be kept", piled)
	}
	sellAll(held[3:])
	if piled == 0 || piled > 6 {
		t.Errorf("asked %d times while up to 9 MiB were sold back and 4 may be kept", piled)
	}
	block.OnExcess(nil, nil)
	was := grown + piled
	buySell(t, 9<<20, 1)
	if grown+piled != was {
		t.Error("asked after nobody balances any more")
	}
}

func TestWhoWaitsForTradeIsToldOnce(t *testing.T) {
	resumed := make(chan struct{}, 1)
	buySell(t, 1<<20, 1)
	block.TrimAndNotify(resumed)
	if s := block.ReadStats(); osmem.Current().DiscardFrees() && s.Retained > 256<<10 {
		t.Errorf("%d bytes are retained by who waits for trade", s.Retained)
	}
	if len(resumed) != 0 {
		t.Error("told before there was trade")
	}
	seen := block.Operations()
	buySell(t, 1<<10, 3)
	if n := block.Operations() - seen; n != 6 || len(resumed) != 1 {
		t.Errorf("%d trades, told %d times; want 6 and 1", n, len(resumed))
	}
	<-resumed
	buySell(t, 1<<10, 1)
	if len(resumed) != 0 {
		t.Error("told a second time")
	}
	block.TrimAndNotify(resumed)
	block.TrimAndNotify(nil)
	buySell(t, 1<<10, 1)
	if len(resumed) != 0 {
		t.Error("told after the wait was over")
	}
}

func TestALimitLowersWhatIsRetained(t *testing.T) {
	if !osmem.Current().DiscardFrees() {
		t.Skip("this maker of memory gives nothing back to the system")
	}
	defer block.SetRetention(block.MaxRetention)
	block.Trim()
	const slack = 64 << 10
	buySell(t, 1<<20, 20)
	if s := block.ReadStats(); s.Retained < 20<<20 {
		t.Fatalf("%d bytes are retained of 20 MiB, without a limit", s.Retained)
	}
	block.SetRetention(6 << 20)
	if s := block.ReadStats(); s.Retained > 6<<20+slack {
		t.Errorf("%d bytes are retained after the limit was set to 6 MiB", s.Retained)
	}
	block.SetRetention(0)
	for _, size := range []uintptr{4 << 10, 8 << 10, 12 << 10, 100 << 10, 3 << 20, 20 << 20} {
		buySell(t, size, 5)
		if s := block.ReadStats(); s.Retained > slack {
			t.Errorf("%d bytes are retained after blocks of %d were sold back and nothing may be", s.Retained, size)
		}
	}
	block.SetRetention(block.MaxRetention)
	buySell(t, 1<<20, 20)
	if s := block.ReadStats(); s.Retained < 20<<20 {
		t.Errorf("%d bytes are retained of 20 MiB after the limit was taken away", s.Retained)
	}
}

func TestTrimStopsWhereItIsTold(t *testing.T) {
	if !osmem.Current().DiscardFrees() {
		t.Skip("this maker of memory gives nothing back to the system")
	}
	block.Trim()
	buySell(t, 256<<10, 80)
	given := block.TrimTo(8 << 20)
	if s := block.ReadStats(); s.Retained > 8<<20 || s.Retained < 7<<20 || given < 11<<20 {
		t.Errorf("%d bytes are retained where 8 MiB are to be kept, and %d went back", s.Retained, given)
	}
}

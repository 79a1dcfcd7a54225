package block_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// TestOnExcessIsCalledBeyondTheThresholds: once for each block beyond them, and the
// functions may use the page heap.
func TestOnExcessIsCalledBeyondTheThresholds(t *testing.T) {
	defer block.OnExcess(nil, nil)
	block.Trim()
	defer releaseAll(exhaust(t, 1<<20)) // what a source that returns nothing has retained
	resident, retained := 0, 0
	block.OnExcess(func() { resident++; block.ReadStats() }, func() { retained++; block.ReadStats() })
	s := block.ReadStats()
	block.SetThresholds(s.InUse+s.Retained+8<<20, s.Retained+4<<20)
	var held []run
	acquire := func(size uintptr) {
		t.Helper()
		addr, got, err := block.Acquire(size)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, run{addr, got})
	}
	for range 8 {
		acquire(1 << 20)
	}
	if resident != 0 {
		t.Errorf("called %d times for 8 MiB below the threshold", resident)
	}
	acquire(1 << 20)
	if resident != 1 {
		t.Errorf("called %d times for one block beyond the threshold", resident)
	}
	addr, size, capacity, err := block.AcquireGrowable(1<<10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	size = block.Grow(addr, size, capacity, 100<<10)
	if resident != 3 {
		t.Errorf("called %d times for two blocks and a Grow beyond the threshold", resident)
	}
	block.ReleaseGrowable(addr, size, capacity)
	releaseAll(held[:3])
	if retained != 0 {
		t.Errorf("called %d times for some 3 MiB released, which may be retained", retained)
	}
	releaseAll(held[3:])
	if retained == 0 || retained > 6 {
		t.Errorf("called %d times while up to 9 MiB were released and 4 may be retained", retained)
	}
	block.OnExcess(nil, nil)
	was := resident + retained
	acquireRelease(t, 9<<20, 1)
	if resident+retained != was {
		t.Error("called after OnExcess(nil, nil)")
	}
}

func TestTrimAndNotifyNotifiesOnce(t *testing.T) {
	resumed := make(chan struct{}, 1)
	acquireRelease(t, 1<<20, 1)
	block.TrimAndNotify(resumed)
	if s := block.ReadStats(); osmem.Current().DiscardFrees() && s.Retained > 256<<10 {
		t.Errorf("%d bytes are retained after TrimAndNotify", s.Retained)
	}
	if len(resumed) != 0 {
		t.Error("notified before there was an operation")
	}
	seen := block.Operations()
	acquireRelease(t, 1<<10, 3)
	if n := block.Operations() - seen; n != 6 || len(resumed) != 1 {
		t.Errorf("%d operations, %d notifications; want 6 and 1", n, len(resumed))
	}
	<-resumed
	acquireRelease(t, 1<<10, 1)
	if len(resumed) != 0 {
		t.Error("notified a second time")
	}
	block.TrimAndNotify(resumed)
	block.TrimAndNotify(nil)
	acquireRelease(t, 1<<10, 1)
	if len(resumed) != 0 {
		t.Error("notified after TrimAndNotify(nil)")
	}
}

func TestSetRetentionLowersTheBound(t *testing.T) {
	skipUnlessDiscardFrees(t)
	defer block.SetRetention(block.MaxRetention)
	block.Trim()
	const slack = 64 << 10
	acquireRelease(t, 1<<20, 20)
	if s := block.ReadStats(); s.Retained < 20<<20 {
		t.Fatalf("%d bytes are retained of 20 MiB, without a limit", s.Retained)
	}
	block.SetRetention(6 << 20)
	if s := block.ReadStats(); s.Retained > 6<<20+slack {
		t.Errorf("%d bytes are retained after the limit was set to 6 MiB", s.Retained)
	}
	block.SetRetention(0)
	for _, size := range []uintptr{4 << 10, 8 << 10, 12 << 10, 100 << 10, 3 << 20, 20 << 20} {
		acquireRelease(t, size, 5)
		if s := block.ReadStats(); s.Retained > slack {
			t.Errorf("%d bytes are retained after blocks of %d bytes were released and none may be", s.Retained, size)
		}
	}
	block.SetRetention(block.MaxRetention)
	acquireRelease(t, 1<<20, 20)
	if s := block.ReadStats(); s.Retained < 20<<20 {
		t.Errorf("%d bytes are retained of 20 MiB after the limit was removed", s.Retained)
	}
}

func TestTrimToStopsAtItsLimit(t *testing.T) {
	skipUnlessDiscardFrees(t)
	block.Trim()
	acquireRelease(t, 256<<10, 80)
	returned := block.TrimTo(8 << 20)
	if s := block.ReadStats(); s.Retained > 8<<20 || s.Retained < 7<<20 || returned < 11<<20 {
		t.Errorf("%d bytes are retained after TrimTo 8 MiB, which returned %d", s.Retained, returned)
	}
}

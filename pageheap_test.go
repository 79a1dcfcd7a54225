package palloc_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// The page heap: its statistics, the memory it retains, and when it releases memory.

// returning skips the test where released memory stays resident.
func returning(t *testing.T) {
	t.Helper()
	if onGoHeap() {
		t.Skip("contexts lie on Go's heap here: nothing goes back to the system")
	}
}

// onGoHeap reports whether contexts have their memory from Go's heap: Trim then releases
// nothing.
func onGoHeap() bool {
	mc := palloc.NewAllocSet(palloc.Top(), "probe")
	mc.Alloc(4 << 20)
	mc.Delete()
	return palloc.Trim() == 0
}

const piled = 32 << 20

// pile creates a context that holds piled bytes in blocks of 1 MiB, and deletes it.
func pile(t *testing.T) {
	t.Helper()
	mc := palloc.NewAllocSet(newRoot(t), "pile")
	for range piled >> 20 {
		mc.Alloc(1<<20 - 64)
	}
	mc.Delete()
}

func TestThePageHeapKnowsWhereItsBytesAre(t *testing.T) {
	returning(t)
	mc := newRoot(t)
	palloc.Trim()
	before := palloc.PageHeap()
	c := palloc.NewAllocSet(mc, "c")
	for range piled >> 20 {
		c.Alloc(1<<20 - 64)
	}
	full := palloc.PageHeap()
	if more := full.Held - before.Held; more != c.Held() {
		t.Errorf("%d bytes more are in use, and the context holds %d", more, c.Held())
	}
	c.Delete()
	empty := palloc.PageHeap()
	if empty.Held > before.Held+8<<10 || empty.Retained < piled {
		t.Errorf("after the deletion of a context of %d bytes: %+v, and before it was filled: %+v", piled, empty, before)
	}
	if empty.MaxResident() > full.MaxResident()+full.MaxResident()/16 {
		t.Errorf("%d bytes are resident after the deletion, and %d before it", empty.MaxResident(), full.MaxResident())
	}
	palloc.Trim()
	trimmed := palloc.PageHeap()
	if trimmed.Retained > 256<<10 {
		t.Errorf("%d bytes are retained after Trim", trimmed.Retained)
	}
	for _, s := range []palloc.PageHeapStats{before, full, empty, trimmed} {
		if s.Committed > s.Reserved || s.Held+s.Retained > s.Committed || s.Metadata <= 0 {
			t.Errorf("the accounts contradict each other: %+v", s)
		}
	}
}

func TestThePageHeapRetainsNoMoreThanItMay(t *testing.T) {
	returning(t)
	defer palloc.SetRetention(palloc.DefaultRetention)
	const slack = 256 << 10 // for partly used pages
	for _, most := range []int64{0, 8 << 20, palloc.DefaultRetention} {
		palloc.SetRetention(most)
		palloc.Trim()
		pile(t)
		kept := palloc.PageHeap().Retained
		if kept > min(most, 1<<40)+slack {
			t.Errorf("%d bytes are retained where %d may", kept, most)
		}
		if kept < min(most, piled)-4<<20 {
			t.Errorf("only %d bytes are retained where %d may", kept, most)
		}
	}
	palloc.SetRetention(4 << 20)
	if kept := palloc.PageHeap().Retained; kept > 4<<20+slack {
		t.Errorf("%d bytes are retained after the retention was lowered to %d", kept, 4<<20)
	}
}

// TestARetentionOfNothingKeepsNoSmallBlocks frees small blocks, which the page heap does not
// release one by one.
func TestARetentionOfNothingKeepsNoSmallBlocks(t *testing.T) {
	returning(t)
	defer palloc.SetRetention(palloc.DefaultRetention)
	palloc.SetRetention(0)
	palloc.Trim()
	before := palloc.PageHeap().Retained
	c := palloc.NewGeneration(newRoot(t), "c", palloc.BlockSizes(8<<10, 8<<10))
	for range 1000 {
		c.Alloc(2000)
	}
	c.Delete()
	if more := palloc.PageHeap().Retained - before; more > 64<<10 {
		t.Errorf("%d bytes of small blocks are retained where nothing may", more)
	}
}

func TestARetentionIsNotNegative(t *testing.T) {
	wantFault(t, func() { palloc.SetRetention(-1) }, "SetRetention", "", "at least 0")
}

// eventually waits until a goroutine of the library has made a condition true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 2000 {
		if so() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("timed out: %s", what)
}

func retainsLittle() bool { return palloc.PageHeap().Retained < piled/4 }

func TestWhatIsUnusedGoesBackAfterAWhile(t *testing.T) {
	returning(t)
	goroutines := runtime.NumGoroutine()
	for range 3 {
		stop := palloc.TrimWhenIdle(20 * time.Millisecond)
		for range 3 {
			pile(t)
			eventually(t, "unused memory goes back", retainsLittle)
		}
		stop()
		stop()
	}
	eventually(t, "the goroutine is gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	pile(t)
	time.Sleep(100 * time.Millisecond) // a goroutine left running would trim now
	if retainsLittle() {
		t.Error("memory goes back though TrimWhenIdle was stopped")
	}
}

// TestUsePutsTheTrimOff checks that unused memory stays while other blocks are acquired and
// released.
func TestUsePutsTheTrimOff(t *testing.T) {
	returning(t)
	mc := palloc.NewAllocSet(newRoot(t), "c")
	pile(t)
	stop := palloc.TrimWhenIdle(10 * time.Second)
	defer stop()
	for range 100 {
		palloc.FreePointer(mc.Alloc(64 << 10))
		time.Sleep(time.Millisecond)
	}
	if retainsLittle() {
		t.Error("memory is released while blocks are acquired and released")
	}
}

func TestTrimWhenIdleIsStartedOnce(t *testing.T) {
	stop := palloc.TrimWhenIdle(time.Hour)
	wantFault(t, func() { palloc.TrimWhenIdle(time.Hour) }, "TrimWhenIdle", "", "in force already")
	stop()
	palloc.TrimWhenIdle(time.Hour)()
	wantFault(t, func() { palloc.TrimWhenIdle(0) }, "TrimWhenIdle", "", "more than 0")
}

func TestTrimWhenIdleStandsManyTraders(t *testing.T) {
	defer palloc.TrimWhenIdle(time.Millisecond)()
	mc := newRoot(t)
	together(4, func(i int) {
		for range 30 {
			c := palloc.NewAllocSet(mc, "c")
			p := c.Alloc(100 << 10)
			scribble(bytesAt(p, 100<<10), i)
			time.Sleep(time.Millisecond)
			if !scribbled(bytesAt(p, 100<<10), i) {
				t.Error("a chunk lost its content while unused memory was given back")
			}
			c.Delete()
		}
	})
}

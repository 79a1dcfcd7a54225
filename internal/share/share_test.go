package share_test

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/cgroup"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/share"
)

// The division, with a page heap whose figures the test sets: what becomes of Go's limit.

// heap is a page heap that has what the test says.
type heap struct{ resident, retained, fixed, trims atomic.Int64 }

func (h *heap) of() share.PageHeap {
	return share.PageHeap{
		Figures: func() share.Figures {
			return share.Figures{Resident: h.resident.Load(), Retained: h.retained.Load(), Fixed: h.fixed.Load()}
		},
		Trim: func() { h.trims.Add(1) },
	}
}

// begin shares a total until the test ends; Go's limit must then be what it was.
func begin(t *testing.T, total int64, h *heap) {
	t.Helper()
	before := limit()
	stop, ok := share.Begin(total, h.of())
	if !ok {
		t.Fatal("a share is in force")
	}
	t.Cleanup(func() {
		stop()
		stop()
		if now := limit(); now != before {
			t.Errorf("Go's limit is %d bytes after a share, and was %d before it", now, before)
		}
	})
}

func limit() int64 { return debug.SetMemoryLimit(-1) }

func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for range 1000 {
		if yes() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("it does not happen that %s", what)
}

// outside skips where contexts are part of Go's heap: their figures are not asked for.
func outside(t *testing.T) {
	t.Helper()
	if !osmem.Current().DiscardFrees() {
		t.Skip("contexts lie on Go's heap here, under Go's limit")
	}
}

const total = 1 << 30

func TestGoGetsWhatContextsLeave(t *testing.T) {
	outside(t)
	var h heap
	begin(t, total, &h)
	const room, step = total - total/16, total / 32 // as the doc of ShareMemoryLimit has them
	if got := limit(); got > room-step || got < room-2*step {
		t.Errorf("with nothing in contexts Go's limit is %d bytes of %d", got, int64(total))
	}
	for _, ours := range []int64{total / 4, total / 2, total / 8, 0} {
		h.resident.Store(ours)
		eventually(t, "Go's limit follows", func() bool {
			got := limit()
			return got <= room-ours && got >= room-ours-3*step
		})
	}
}

func TestGoGetsLessWhilePagesAreRetained(t *testing.T) {
	outside(t)
	var h heap
	h.resident.Store(total / 4)
	begin(t, total, &h)
	without := limit()
	h.retained.Store(total / 4)
	eventually(t, "Go's limit is an eighth of the total lower", func() bool { return limit() <= without-total/16 })
}

func TestGoKeepsWhatItCannotDoWithout(t *testing.T) {
	outside(t)
	var h heap
	h.resident.Store(2 * total)
	live := make([]byte, 32<<20)
	runtime.GC()
	begin(t, total, &h)
	if got := limit(); got < int64(len(live)) || got > total {
		t.Errorf("contexts have twice the total, and Go's limit is %d bytes, with %d alive", got, len(live))
	}
	if h.trims.Load() == 0 {
		t.Error("the page heap is not trimmed")
	}
	runtime.KeepAlive(live)
}

// TestTrimIsForLack: the caller's Trim costs it its cached memory, and is called where free pages
// are not enough for Go, and only there.
func TestTrimIsForLack(t *testing.T) {
	outside(t)
	var h heap
	begin(t, 16*total, &h)
	time.Sleep(1500 * time.Millisecond) // the gap between two is a second
	if n := h.trims.Load(); n != 0 {
		t.Errorf("%d trims with nothing in contexts", n)
	}
	h.resident.Store(16 * total)
	eventually(t, "contexts are trimmed when they have all there is", func() bool { return h.trims.Load() > 0 })
}

func TestOneShareAtATime(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	var h heap
	stop, ok := share.Begin(total, h.of())
	if !ok {
		t.Fatal("none is in force, and none can begin")
	}
	if _, ok := share.Begin(total, h.of()); ok {
		t.Error("two are in force")
	}
	stop()
	stop()
	t.Cleanup(func() {
		eventually(t, "the goroutines are gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	})
	begin(t, share.MinTotal, &h)
}

func TestKnownIsGoLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(total))
	if got, err := share.Known(); got != total || err != nil {
		t.Errorf("Go's limit is %d bytes, and known are %d, %v", int64(total), got, err)
	}
	debug.SetMemoryLimit(1)
	if got, err := share.Known(); got != share.MinTotal || err != nil {
		t.Errorf("Go's limit is a byte, and known are %d, %v", got, err)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	got, err := share.Known()
	granted, ok := cgroup.Limit(os.DirFS("/"))
	switch {
	case runtime.GOOS != "linux":
		if err == nil || !strings.Contains(err.Error(), "on Linux only") {
			t.Errorf("without Go's limit known are %d bytes, %v", got, err)
		}
	case ok:
		if want := max(granted, share.MinTotal); got != want || err != nil {
			t.Errorf("the control groups grant %d bytes, and known are %d, %v", want, got, err)
		}
	default:
		if err == nil || !strings.Contains(err.Error(), "no control group") {
			t.Errorf("without any limit known are %d bytes, %v", got, err)
		}
	}
}

// fill makes memory resident.
func fill(b []byte) {
	for i := range b {
		b[i] = 1
	}
}

// TestFreePagesGoBackBeforeGoGarbage: contexts that grow beyond their grant make the page heap return the
// free pages that Go lacks, and no more is trimmed.
func TestFreePagesGoBackBeforeGoGarbage(t *testing.T) {
	outside(t)
	const retained, room, step = 48 << 20, total - total/16, total / 32
	addr, got, err := block.Acquire(retained)
	if err != nil {
		t.Fatal(err)
	}
	fill(osmem.Bytes(addr, got))
	block.Release(addr, got)
	debug.FreeOSMemory() // what tests before this one left on Go's heap is more than is retained
	if have := block.ReadStats().Retained; have < retained {
		t.Skipf("the page heap retains %d bytes of %d", have, retained)
	}
	var h heap
	h.retained.Store(retained)
	h.resident.Store(room - step - retained)
	begin(t, total, &h)
	if have := block.ReadStats().Retained; have > retained/2 {
		t.Errorf("%d bytes are retained, and Go lacks memory", have)
	}
	if n := h.trims.Load(); n != 0 {
		t.Errorf("%d trims, where free pages are enough", n)
	}
}

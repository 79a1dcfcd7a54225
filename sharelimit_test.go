package palloc_test

import (
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// One limit for Go's memory and that of contexts, seen from inside: how it sets Go's limit,
// and when it can be shared.

const sharedLeast = 256 << 20

// enough returns a total of which sharedLeast are free, whatever other tests left behind.
func enough() int64 { return sharedLeast + palloc.PageHeap().MaxResident()/15*16 }

// share shares a limit until the test ends, and then checks that Go's is as it was.
func share(t *testing.T, total int64) (stop func()) {
	t.Helper()
	before := debug.SetMemoryLimit(-1)
	stop, err := palloc.ShareMemoryLimit(total)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if now := debug.SetMemoryLimit(-1); now != before {
			t.Errorf("Go's limit is %d bytes after a share, and was %d before it", now, before)
		}
	})
	return stop
}

func TestGoGetsWhatContextsLeave(t *testing.T) {
	returning(t)
	palloc.Trim()
	mc := newRoot(t)
	total := enough() + sharedLeast // after all reserves, too
	share(t, total)
	alone := debug.SetMemoryLimit(-1)
	if alone >= total || alone < sharedLeast/2 {
		t.Errorf("Go's limit is %d bytes of %d, with %d for contexts", alone, total, palloc.PageHeap().MaxResident())
	}
	c, step := palloc.NewAllocSet(mc, "c"), total/32
	for c.Held() < total/2 && debug.SetMemoryLimit(-1) > alone-step {
		c.Alloc(1<<20 - 64)
	}
	if now := debug.SetMemoryLimit(-1); now > alone-step {
		t.Errorf("Go's limit is %d bytes after a context took %d, and was %d", now, c.Held(), alone)
	}
	c.Delete()
	palloc.Trim()
	eventually(t, "Go's limit rises again", func() bool { return debug.SetMemoryLimit(-1) > alone-step })
}

// TestUnusedMemoryGoesWhenGoGrows checks that the page heap releases the memory it retains
// as Go's heap grows, before the two exceed the total.
func TestUnusedMemoryGoesWhenGoGrows(t *testing.T) {
	returning(t)
	palloc.Trim()
	mc := newRoot(t)
	share(t, enough())
	c := palloc.NewAllocSet(mc, "c")
	for range 100 {
		c.Alloc(1<<20 - 64)
	}
	c.Delete()
	var heap [][]byte
	for range 180 {
		heap = append(heap, make([]byte, 1<<20))
		time.Sleep(time.Millisecond / 2)
	}
	eventually(t, "little is retained", func() bool { return palloc.PageHeap().Retained < 40<<20 })
	runtime.KeepAlive(heap)
}

func TestOneLimitIsSharedAtATime(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	stop := share(t, sharedLeast)
	wantFault(t, func() { palloc.ShareMemoryLimit(sharedLeast) }, "ShareMemoryLimit", "", "shared already")
	stop()
	stop()
	share(t, 2*sharedLeast)()
	eventually(t, "the goroutine is gone", func() bool { return runtime.NumGoroutine() <= goroutines })
	for _, total := range []int64{-1, 1, 16<<20 - 1} {
		wantFault(t, func() { palloc.ShareMemoryLimit(total) }, "ShareMemoryLimit", "", "must be 0, or at least")
	}
}

func TestTheTotalIsGoLimitWhereNoneIsGiven(t *testing.T) {
	before := debug.SetMemoryLimit(sharedLeast)
	defer debug.SetMemoryLimit(before)
	stop, err := palloc.ShareMemoryLimit(0)
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if now := debug.SetMemoryLimit(math.MaxInt64); now != sharedLeast {
		t.Errorf("Go's limit is %d bytes after a share of it, and was %d", now, int64(sharedLeast))
	}
	if stop, err = palloc.ShareMemoryLimit(0); err != nil {
		if !strings.Contains(err.Error(), "GOMEMLIMIT") || stop != nil {
			t.Errorf("without any limit: %v", err)
		}
		t.Log(err)
		return
	}
	t.Logf("the container grants some %d bytes", debug.SetMemoryLimit(-1))
	stop()
}

// TestASharedLimitStandsManyGoroutines has goroutines acquire and release blocks beyond the
// total: they are delayed, and none is refused.
func TestASharedLimitStandsManyGoroutines(t *testing.T) {
	each := sized(24, 6)
	mc := newRoot(t)
	stop := share(t, 32<<20)
	together(4, func(i int) {
		for range 6 {
			c := palloc.NewAllocSet(mc, "c")
			var garbage [][]byte
			for j := range each {
				p := c.Alloc(600 << 10)
				scribble(bytesAt(p, 100), i+j)
				garbage = append(garbage, make([]byte, 100<<10))
				if !scribbled(bytesAt(p, 100), i+j) {
					t.Error("a chunk lost its content while memory was balanced")
				}
			}
			runtime.KeepAlive(garbage)
			c.Delete()
			palloc.Trim()
		}
	})
	stop()
}

package palloc_test

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Deep and wide trees: no operation recurses, and none visits a context more than once.

// manyContexts returns a million, or a tenth of that where time or memory is short.
func manyContexts() int {
	if cramped() {
		return 100_000
	}
	return 1_000_000
}

// onSmallStack runs f in a goroutine whose stack is limited to a few calls: recursion over
// the tree would end the process.
func onSmallStack(f func()) {
	defer debug.SetMaxStack(debug.SetMaxStack(128 << 10))
	done := make(chan bool)
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// timed runs f on a small stack and logs how long it took.
func timed(t *testing.T, what string, f func()) {
	t.Helper()
	begin := time.Now()
	onSmallStack(f)
	t.Logf("%-18s %v", what, time.Since(begin).Round(time.Millisecond))
}

// shapes are the ways to create n contexts below one; each tenth has a chunk.
var shapes = map[string]func(mc palloc.Context, n int){
	"a chain": func(mc palloc.Context, n int) {
		for i := range n {
			mc = palloc.NewAllocSet(mc, "link")
			if i%10 == 0 {
				mc.Alloc(64)
			}
		}
	},
	"siblings": func(mc palloc.Context, n int) {
		for i := range n {
			c := palloc.NewAllocSet(mc, "sibling")
			if i%10 == 0 {
				c.Alloc(64)
			}
		}
	},
}

func TestAMillionContexts(t *testing.T) {
	n := manyContexts()
	for name, create := range shapes {
		t.Run(name, func(t *testing.T) {
			mc := palloc.NewAllocSet(newRoot(t), "many")
			timed(t, "create", func() { create(mc, n) })
			if held := mc.TreeHeld(); held < int64(n/10*64) {
				t.Errorf("%d contexts hold %d bytes", n, held)
			}
			timed(t, "ResetChildren", mc.ResetChildren)
			live := 0
			timed(t, "a walk", func() { live = len(names(mc.All())) - 1 })
			if live != n {
				t.Errorf("%d contexts are left of %d", live, n)
			}
			timed(t, "Reset", mc.Reset)
			wantEmpty(t, mc)
			timed(t, "create again", func() { create(mc, n) })
			timed(t, "DeleteChildren", mc.DeleteChildren)
			wantEmpty(t, mc)
			create(mc, n)
			timed(t, "Delete", mc.Delete)
			wantLive(t, false, mc)
		})
	}
}

func TestTheAccountsOfAMillionContexts(t *testing.T) {
	n := manyContexts()
	for name, create := range shapes {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			create(mc, n)
			var lines []string
			timed(t, "WriteStats", func() { lines = printed(t, mc) })
			if last := lines[len(lines)-1]; len(lines) > 110 || last != grandTotal(sum(mc.All())) {
				t.Errorf("%d lines, the last is %q", len(lines), last)
			}
			timed(t, "Delete", mc.Delete)
		})
	}
}

// TestSiblingsMayGoInAnyOrder deletes the oldest first, the newest first, and
// from both ends.
func TestSiblingsMayGoInAnyOrder(t *testing.T) {
	n := manyContexts() / 10
	for name, next := range map[string]func(i int) int{
		"the oldest first":  func(i int) int { return i },
		"the newest first":  func(i int) int { return n - 1 - i },
		"here and there":    func(i int) int { return i * 7919 % n },
		"half of them once": func(i int) int { return i*2%n + i*2/n },
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			var children []palloc.Context
			for range n {
				children = append(children, palloc.NewAllocSet(mc, "sibling"))
			}
			timed(t, "delete", func() {
				for i := range n {
					children[next(i)].Delete()
				}
			})
			if left := count(mc); left != 0 {
				t.Errorf("%d of %d are left", left, n)
			}
		})
	}
}

// TestAChainMayBeCutAndMoved moves the lower half of a long chain repeatedly.
func TestAChainMayBeCutAndMoved(t *testing.T) {
	n := manyContexts() / 10
	mc := newRoot(t)
	a, b := palloc.NewAllocSet(mc, "a"), palloc.NewAllocSet(mc, "b")
	at, half := a, a
	for i := range n {
		at = palloc.NewAllocSet(at, "link")
		if i == n/2 {
			half = at
		}
	}
	upper := half.Parent()
	timed(t, "SetParent", func() {
		for range 100 {
			half.SetParent(b)
			half.SetParent(upper)
		}
		half.SetParent(b)
	})
	if got := len(names(a.All())) + len(names(b.All())); got != n+2 {
		t.Errorf("%d contexts became %d", n+2, got)
	}
	a.Delete()
	wantLive(t, true, half, at)
}

// TestALargeChunkCostsTheSameAmongMany frees large chunks, each with a block of its own, in
// another order than that of their allocation.
func TestALargeChunkCostsTheSameAmongMany(t *testing.T) {
	n := manyContexts() / 100
	c := palloc.NewAllocSet(newRoot(t), "c")
	var chunks [][]byte
	for range n {
		chunks = append(chunks, palloc.MakeSlice[byte](c, 0, 9000))
	}
	timed(t, "free", func() {
		for i := range n {
			palloc.FreeSlice(chunks[i*7919%n])
		}
	})
	wantEmpty(t, c)
}

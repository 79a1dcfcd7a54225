package palloc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Refusals: an error has few rows and one line of text, whatever the size of the tree.

// refusedOf returns the error of an allocation that must be refused.
func refusedOf(t *testing.T, mc palloc.Context, size int) *palloc.OutOfMemoryError {
	t.Helper()
	_, err := mc.TryAlloc(size)
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) {
		t.Fatalf("%d bytes in %s: the error is %v", size, mc.Path(), err)
	}
	return oom
}

// many creates trees and free lists that no refusal may walk.
var many = map[string]func(mc palloc.Context, n int){
	"sibling contexts": func(mc palloc.Context, n int) {
		for range n {
			palloc.NewAllocSet(mc, "c")
		}
	},
	"contexts below each other": func(mc palloc.Context, n int) {
		for range n {
			mc = palloc.NewAllocSet(mc, "c")
		}
	},
	"freed chunks": func(mc palloc.Context, n int) {
		all := make([]unsafe.Pointer, 2*n)
		for i := range all {
			all[i] = mc.Alloc(16)
		}
		for i := range all {
			palloc.FreePointer(all[i*7919%len(all)])
		}
	},
}

func TestARefusalTellsOfALargeTreeInFewRows(t *testing.T) {
	n := sized(50_000, 2000)
	for name, enlarge := range many {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			large := palloc.NewAllocSet(mc, "large")
			large.SetLimit(48 << 20)
			enlarge(palloc.NewGeneration(mc, "branch"), 10)
			if name == "freed chunks" {
				enlarge(mc, n)
			} else {
				enlarge(palloc.NewAllocSet(mc, "branch"), n)
			}
			large.Alloc(40 << 20)
			mc.SetLimit(64 << 20)
			oom := refusedOf(t, palloc.NewAllocSet(mc, "asks"), 100<<20)
			rows := oom.Tree.Rows
			if len(rows) == 0 || len(rows) > 32 || rows[0].Name != "test" {
				t.Fatalf("%d rows, and the first is %+v", len(rows), rows[0])
			}
			found := false
			for i, r := range rows {
				found = found || r.Name == "large" && r.Held == large.TreeHeld()
				if i > 0 && r.Level != len(oom.Tree.Path(i)) {
					t.Errorf("row %d of level %d has the path %v", i, r.Level, oom.Tree.Path(i))
				}
			}
			if !found || !strings.Contains(oom.Error(), `"large" 4`) {
				t.Errorf("the context that holds 40 of 64 MiB is not named: %v", oom)
			}
			if name != "freed chunks" && oom.Tree.More == 0 {
				t.Error("nothing says that there are more contexts")
			}
		})
	}
}

func TestARefusalTellsAllOfASmallTree(t *testing.T) {
	mc := newRoot(t)
	for i := range 20 {
		parent := mc
		if i%3 == 2 {
			parent = palloc.NewAllocSet(mc, "parent")
		}
		palloc.NewGeneration(parent, "c").Alloc(100 + 37*i)
		mc.SetLimit(1)
		oom, all := refusedOf(t, mc, 100<<10), palloc.TakeSnapshot(mc)
		mc.SetLimit(palloc.NoLimit)
		if len(oom.Tree.Rows) != len(all.Rows) || oom.Tree.More != 0 {
			t.Fatalf("%d rows and %d more, and the tree has %d contexts", len(oom.Tree.Rows), oom.Tree.More, len(all.Rows))
		}
		for i, r := range all.Rows {
			got := oom.Tree.Rows[i]
			if got.Name != r.Name || got.Kind != r.Kind || got.Held != r.Held || got.Blocks != r.Blocks || got.ID != r.ID || got.Parent != r.Parent {
				t.Errorf("row %d is %+v, and was to be %+v", i, got, r)
			}
		}
	}
}

// TestTheRowsOfARefusalSumUp checks that contexts without a row are counted in the row above.
func TestTheRowsOfARefusalSumUp(t *testing.T) {
	for _, shape := range []struct{ children, below int }{{3, 2}, {40, 0}, {10, 7}, {100, 1}, {1, 90}} {
		mc := newRoot(t)
		for range shape.children {
			child := palloc.NewAllocSet(mc, "child")
			child.Alloc(9000)
			for range shape.below {
				palloc.NewBump(child, "below").Alloc(10_000)
			}
		}
		mc.SetLimit(1)
		oom := refusedOf(t, mc, 9000)
		if sum := oom.Tree.Sum().Held; sum != mc.TreeHeld() {
			t.Errorf("%+v: %d rows sum up to %d, and %d are held", shape, len(oom.Tree.Rows), sum, mc.TreeHeld())
		}
	}
}

func TestARefusalSaysWhoAskedWhoseLimitItIsAndWhatWasDone(t *testing.T) {
	mc := newRoot(t)
	tenant := palloc.NewAllocSet(mc, "tenant")
	tenant.SetIdent("acme")
	tenant.SetLimit(1 << 20)
	cache := newCache(tenant, "cache", 800<<10)
	full := errors.New("the disk is full\nof pages")
	cache.mc.OnPressure(func(palloc.Pressure) error { return full })
	query := palloc.NewAllocSet(tenant, "query")
	query.SetIdent("17")
	oom := refusedOf(t, query, 500<<10)
	if oom.Context != query.Path() || oom.Ident != "17" || oom.LimitedBy != tenant.Path() || oom.LimitIdent != "acme" || oom.Need < 500<<10 || oom.Held != holds(tenant) {
		t.Errorf("the error is %+v", oom)
	}
	if !errors.Is(oom, full) {
		t.Error("what the callback returned is not in the error")
	}
	if len(oom.Reclaims) != 1 {
		t.Fatalf("told of the callbacks: %+v", oom.Reclaims)
	}
	if r := oom.Reclaims[0]; r.Context != cache.mc.Path() || r.Calls != 1 || r.Freed != 0 || r.Need <= 0 || !strings.Contains(r.Place, "refusals_test.go:") {
		t.Errorf("told of the callback: %+v", r)
	}
	text := oom.Error()
	for _, part := range []string{`"Top/test/tenant/query" ("17")`, `"Top/test/tenant" ("acme")`, "512000 bytes (500 KiB)", "1048576 bytes (1 MiB)", fmt.Sprintf(`"cache" %d bytes (`, cache.mc.TreeHeld()), "called once", "freed 0 bytes", "the disk is full", "rounded up"} {
		if !strings.Contains(text, part) {
			t.Errorf("the text lacks %s: %s", part, text)
		}
	}
	if strings.Contains(text, "\n") {
		t.Errorf("the text has several lines: %s", text)
	}
}

// TestARefusalNamesCompact frees chunks of which no block becomes free: the error suggests
// Compact.
func TestARefusalNamesCompact(t *testing.T) {
	tenant := newRoot(t)
	if tenant.IsChecked() {
		t.Skip("a checked context frees large chunks' blocks, and guards, at other times")
	}
	tenant.SetLimit(1 << 20)
	cache := newLot(t, palloc.NewAllocSet(tenant, "cache"))
	for cache.add(100) {
	}
	cache.mc.OnPressure(func(p palloc.Pressure) error {
		for freed := int64(0); freed < p.Need && len(cache.p) > 0; {
			freed += cache.free(cache.any())
		}
		return nil
	})
	text := refusedOf(t, palloc.NewAllocSet(tenant, "query"), 100<<10).Error()
	if !strings.Contains(text, "freed 0 bytes and returned no error: if it freed chunks of 8 KiB or less, it must call Compact") {
		t.Error(text)
	}
}

// TestAnErrorOfAProgramHasAText formats errors that a program made itself, as for a test.
func TestAnErrorOfAProgramHasAText(t *testing.T) {
	e := &palloc.OutOfMemoryError{Op: "Alloc", Context: "c", Err: errors.New("why"), Reclaims: []palloc.Reclaim{{Context: "cache", Calls: 1}}}
	if text := e.Error(); !strings.Contains(text, `"cache", called once`) {
		t.Error(text)
	}
}

func BenchmarkRefusal(b *testing.B) {
	for name, enlarge := range many {
		for _, n := range []int{100, 100_000} {
			b.Run(fmt.Sprintf("%d %s", n, name), func(b *testing.B) {
				mc := palloc.NewAllocSet(palloc.Top(), "test")
				defer mc.Delete()
				enlarge(mc, n)
				mc.SetLimit(1)
				for b.Loop() {
					if _, err := mc.TryAlloc(10_000); err == nil {
						b.Fatal("it was not refused")
					}
				}
			})
		}
	}
}

package palloc_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The ends of contexts: what Reset, Delete and their variants release, and what they leave.

// A family is a small tree in which every context has a chunk.
type family struct{ mc, a, aa, aaa, ab, b palloc.Context }

func newFamily(t *testing.T) (f family) {
	f.mc = newRoot(t)
	f.a = palloc.NewGeneration(f.mc, "a")
	f.aa = palloc.NewAllocSet(f.a, "aa")
	f.aaa = palloc.NewBump(f.aa, "aaa")
	f.ab = palloc.NewSlab(f.a, "ab", 64)
	f.b = palloc.NewAllocSet(f.mc, "b")
	for c := range f.mc.All() {
		scribble(bytesAt(c.Alloc(64), 64), 1)
	}
	return f
}

func wantLive(t *testing.T, live bool, contexts ...palloc.Context) {
	t.Helper()
	for i, c := range contexts {
		if c.Live() != live {
			t.Errorf("number %d: live is %v", i, c.Live())
		}
	}
}

func wantEmpty(t *testing.T, contexts ...palloc.Context) {
	t.Helper()
	for _, c := range contexts {
		if !c.IsEmpty() {
			t.Errorf("%s is not empty: %+v", c.Path(), c.Stats())
		}
	}
}

func TestResetDeletesWhatIsBelow(t *testing.T) {
	f := newFamily(t)
	f.a.SetIdent("kept")
	f.a.Reset()
	wantLive(t, false, f.aa, f.aaa, f.ab)
	wantLive(t, true, f.mc, f.a, f.b)
	wantEmpty(t, f.a)
	wantNames(t, "after the reset", f.mc.All(), "test", "b", "a")
	if f.a.Path() != "Top/test/a" || f.a.Ident() != "kept" || f.a.Kind() != palloc.KindGeneration {
		t.Errorf("the reset left the %v %q of ident %q", f.a.Kind(), f.a.Path(), f.a.Ident())
	}
	if f.b.IsEmpty() {
		t.Error("the sibling lost its chunk")
	}
}

func TestAResetOfAnEmptyContextDeletesItsChildren(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	c.Reset()
	child := palloc.NewAllocSet(c, "child")
	c.Reset()
	wantLive(t, false, child)
	wantEmpty(t, c)
}

func TestResetOnlyLeavesTheChildren(t *testing.T) {
	f := newFamily(t)
	p := f.aa.Alloc(100)
	scribble(bytesAt(p, 100), 3)
	before := f.a.Stats()
	f.a.ResetOnly()
	wantLive(t, true, f.a, f.aa, f.aaa, f.ab)
	if after := f.a.Stats(); f.a.IsEmpty() || after.Used > before.Used-64 {
		t.Errorf("the children are gone, or the chunk is not: %+v became %+v", before, after)
	}
	if !scribbled(bytesAt(p, 100), 3) || f.aaa.IsEmpty() || f.ab.IsEmpty() {
		t.Error("a child lost a chunk")
	}
}

func TestResetChildrenKeepsTheContexts(t *testing.T) {
	f := newFamily(t)
	f.a.ResetChildren()
	wantLive(t, true, f.a, f.aa, f.aaa, f.ab)
	wantEmpty(t, f.aaa, f.ab)
	wantNames(t, "after the reset", f.mc.All(), "test", "b", "a", "ab", "aa", "aaa")
	stats := f.a.Stats()
	f.aa.DeleteChildren()
	wantEmpty(t, f.aa)
	f.a.DeleteChildren()
	if f.a.IsEmpty() || f.a.Stats() != stats {
		t.Error("the context itself lost its chunk")
	}
}

func TestDeleteChildrenLeavesTheContext(t *testing.T) {
	f := newFamily(t)
	stats := f.a.Stats()
	f.a.DeleteChildren()
	wantLive(t, false, f.aa, f.aaa, f.ab)
	wantLive(t, true, f.a, f.b)
	if f.a.Stats() != stats {
		t.Errorf("the context itself went from %+v to %+v", stats, f.a.Stats())
	}
	f.a.DeleteChildren() // there are none
	wantNames(t, "after the deletion", f.mc.All(), "test", "b", "a")
}

func TestDeleteTakesTheSubtree(t *testing.T) {
	f := newFamily(t)
	f.a.Delete()
	wantLive(t, false, f.a, f.aa, f.aaa, f.ab)
	wantLive(t, true, f.mc, f.b)
	wantNames(t, "after the deletion", f.mc.All(), "test", "b")
}

func TestAContextWithoutChunksHoldsNoBlock(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newFresh(t)
		c := newKind(mc, k, "c", 64)
		if s := c.Stats(); s != (palloc.Stats{}) || c.TreeHeld() != 0 {
			t.Errorf("a new context holds %+v", s)
		}
		c.Reset()
		if s := c.Stats(); s != (palloc.Stats{}) {
			t.Errorf("after a reset of nothing it holds %+v", s)
		}
	})
}

func TestAResetKeepsAtMostASmallBlock(t *testing.T) {
	const most = 8 << 10
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, chunks := range []int{1, 10, 100, 1000, 10_000} {
			c := newKind(newRoot(t), k, "c", 64)
			for range chunks {
				c.Alloc(64)
			}
			c.Reset()
			kept := c.Stats()
			if kept.Held > most || kept.Blocks > 1 || c.TreeHeld() != kept.Held {
				t.Errorf("after %d chunks a reset keeps %+v", chunks, kept)
			}
			c.Reset()
			if c.Stats() != kept {
				t.Errorf("a second reset made %+v of %+v", c.Stats(), kept)
			}
		}
	})
}

func TestAContextThatCyclesDoesNotGrow(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 48)
		cycle := func() (full, kept int64) {
			for i := range 500 {
				scribble(bytesAt(c.Alloc(48), 48), i)
			}
			full = c.Held()
			c.Reset()
			return full, c.Held()
		}
		cycle()
		full, kept := cycle()
		for range 50 {
			if f, k := cycle(); f != full || k != kept {
				t.Fatalf("a cycle goes up to %d bytes and keeps %d, an earlier one %d and %d", f, k, full, kept)
			}
		}
	})
}

func TestADeletedTreeGivesEverythingBack(t *testing.T) {
	mc := newFresh(t)
	for round := range 20 {
		parent := mc
		for i := range 40 {
			parent = newKind(parent, kinds[i%len(kinds)], "c", 64)
			for range 50 * round {
				parent.Alloc(64)
			}
			if parent.Kind() != palloc.KindSlab {
				parent.Alloc(100_000)
			}
		}
		mc.DeleteChildren()
		if held := mc.TreeHeld(); held != 0 {
			t.Fatalf("round %d: %d bytes are still held", round, held)
		}
	}
}

func TestContentSurvivesTheEndOfOthers(t *testing.T) {
	mc := newRoot(t)
	keep := palloc.NewAllocSet(mc, "keep")
	var kept []unsafe.Pointer
	for round := range 200 {
		p := keep.Alloc(200)
		scribble(bytesAt(p, 200), round)
		kept = append(kept, p)
		c := newKind(mc, kinds[round%len(kinds)], "c", 100)
		for range round {
			clear(bytesAt(c.Alloc(100), 100))
		}
		if round%3 == 0 {
			c.Reset()
			clear(bytesAt(c.Alloc(100), 100))
		}
		c.Delete()
	}
	for i, p := range kept {
		if !scribbled(bytesAt(p, 200), i) {
			t.Fatalf("chunk %d was written over", i)
		}
	}
}

// TestWhatIsDoneAgainFitsTheKeeper repeats the same allocations, with a reset in between or
// in contexts of one name: one block comes to hold all of them.
func TestWhatIsDoneAgainFitsTheKeeper(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		use := func(c palloc.Context) int64 {
			for range 40 {
				c.Alloc(100)
			}
			return c.Stats().Blocks
		}
		blocks := int64(0)
		for range 8 {
			c := newKind(mc, k, "life", 0)
			blocks = use(c)
			c.Delete()
		}
		if blocks != 1 {
			t.Errorf("the eighth life needs %d blocks", blocks)
		}
		c := newKind(mc, k, "cycles", 0)
		for range 8 {
			blocks = use(c)
			c.Reset()
		}
		if blocks != 1 {
			t.Errorf("the eighth cycle needs %d blocks", blocks)
		}
	})
}

func TestALifetimeEndsWithAResetOrTheDeletion(t *testing.T) {
	for _, options := range [][]palloc.Option{nil, {palloc.Checked()}} {
		root := palloc.NewAllocSet(newRoot(t), "root", options...)
		for _, mc := range []palloc.Context{
			palloc.NewAllocSet(root, "c"), palloc.NewGeneration(root, "c"), palloc.NewBump(root, "c"), palloc.NewSlab(root, "c", 64),
			palloc.NewAllocSet(root, "c", palloc.Shared()),
		} {
			palloc.New[[8]int64](mc)
			first := mc.Lifetime()
			if first.Check("f"); first.Over() || first != mc.Lifetime() {
				t.Errorf("%v: the lifetime is over at once", mc.Kind())
			}
			mc.Reset()
			if !first.Over() {
				t.Errorf("%v: the lifetime is not over after a reset", mc.Kind())
			}
			wantFault(t, func() { first.Check("f") }, "f", mc.Path(), "the context was reset")
			second := mc.Lifetime()
			wantFault(t, func() { second.Misuse("f", "wrong") }, "f", mc.Path(), "wrong")
			if second.Over() {
				t.Errorf("%v: the second lifetime is over at once", mc.Kind())
			}
			mc.Delete()
			for _, l := range []palloc.Lifetime{{}, first, second} {
				if f := faultOf(t, func() { l.Check("f") }); !l.Over() || f == nil || f.Mistake != palloc.Gone {
					t.Errorf("the lifetime of a context that is gone: %v", f)
				}
			}
			if f := faultOf(t, func() { mc.Lifetime() }); f == nil {
				t.Error("a lifetime of a context that is gone")
			}
		}
		root.Delete()
	}
}

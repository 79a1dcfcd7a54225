package palloc_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Leaks: which contexts live on, how old they are, and where they were created.

// recording records creations until the test ends.
func recording(t *testing.T) {
	stop := palloc.RecordCreations()
	t.Cleanup(stop)
}

// leakOf returns the only leak of a name.
func leakOf(t *testing.T, leaks []palloc.Leak, name string) (leak palloc.Leak) {
	t.Helper()
	for _, l := range leaks {
		if l.Name == name {
			if leak.Count != 0 {
				t.Errorf("there are two leaks of %q: %v and %v", name, leak, l)
			}
			leak = l
		}
	}
	if leak.Count == 0 {
		t.Errorf("no leak of %q among %v", name, leaks)
	}
	return leak
}

// pass waits until the clock has advanced.
func pass() (moment time.Duration) {
	for start := time.Now(); moment < time.Millisecond; moment = time.Since(start) {
		time.Sleep(time.Millisecond)
	}
	return moment
}

func TestLeaksAreGroupedByNameAndSortedByBytes(t *testing.T) {
	mc := newRoot(t)
	for i := range 10 {
		q := palloc.NewAllocSet(mc, "query")
		q.Alloc(1000 * (i + 1))
		palloc.NewBump(q, "plan").Alloc(100)
	}
	palloc.NewGeneration(mc, "cache").Alloc(500_000)
	palloc.NewSlab(mc, "empty", 64)
	leaks := palloc.Leaks(mc, 0)
	var got []string
	for _, l := range leaks {
		got = append(got, fmt.Sprint(l.Count, l.Name, l.Created))
	}
	if want := []string{"1cache", "10query", "10plan", "1empty"}; !slices.Equal(got, want) {
		t.Errorf("the leaks are %q, not %q", got, want)
	}
	var query, plan int64
	for c := range mc.Children() {
		if c.Name() == "query" {
			query += c.TreeHeld()
			plan += c.TreeHeld() - c.Held()
		}
	}
	if q, p := leakOf(t, leaks, "query"), leakOf(t, leaks, "plan"); q.Held != query || p.Held != plan || plan == 0 {
		t.Errorf("%v and %v; want %d and %d bytes", q, p, query, plan)
	}
	if e := leakOf(t, leaks, "cache").Example; e.Name() != "cache" || e.Parent() != mc {
		t.Errorf("the example is %v", e.Path())
	}
}

func TestALeakCountsEachByteOnce(t *testing.T) {
	mc := newRoot(t)
	outer := palloc.NewAllocSet(mc, "nest")
	for at := outer; ; {
		at.Alloc(2000)
		between := palloc.NewAllocSet(at, "between")
		between.Alloc(100)
		if at = palloc.NewAllocSet(between, "nest"); strings.Count(at.Path(), "nest") == 5 {
			break
		}
	}
	palloc.NewAllocSet(mc, "nest").Alloc(3000)
	leaks := palloc.Leaks(mc, 0)
	if l := leakOf(t, leaks, "nest"); l.Count != 6 || l.Held != mc.TreeHeld()-mc.Held() {
		t.Errorf("%v of %d bytes in all", l, mc.TreeHeld())
	}
}

func TestTheTopAndWhatLivesForEverAreNoLeaks(t *testing.T) {
	palloc.Emergency()
	mc := newRoot(t)
	if leaks := palloc.Leaks(mc, 0); len(leaks) != 0 {
		t.Errorf("an empty context leaks: %v", leaks)
	}
	for _, l := range palloc.Leaks(palloc.Top(), 0) {
		if l.Name == "Top" || l.Example == palloc.Emergency() {
			t.Errorf("%v is never to be deleted", l)
		}
	}
	mc.Delete()
	wantFault(t, func() { palloc.Leaks(mc, 0) }, "Leaks", "test", "deleted")
	wantFault(t, func() { palloc.Leaks(palloc.Context{}, 0) }, "Leaks", "", "zero Context")
}

func TestAnAgeBeginsWithTheFirstLook(t *testing.T) {
	mc := newRoot(t)
	palloc.NewAllocSet(mc, "old")
	before := time.Now()
	if leaks := palloc.Leaks(mc, 1); len(leaks) != 0 {
		t.Errorf("what was never seen is old: %v", leaks)
	}
	moment := pass()
	palloc.NewAllocSet(mc, "new")
	leaks := palloc.Leaks(mc, moment)
	atMost := time.Since(before)
	if len(leaks) != 1 || leaks[0].Name != "old" || leaks[0].Oldest < moment || leaks[0].Oldest > atMost {
		t.Errorf("the leaks are %v; want the old one, of %v to %v", leaks, moment, atMost)
	}
	if all := palloc.Leaks(mc, 0); len(all) != 2 || leakOf(t, all, "new").Oldest >= leakOf(t, all, "old").Oldest {
		t.Errorf("all are %v", all)
	}
}

func TestTheNextLifeOfACoreIsYoung(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 64)
		palloc.Leaks(mc, 0)
		moment := pass()
		for range 3 {
			c.Delete()
			c = newKind(mc, k, "c", 64)
		}
		if leaks := palloc.Leaks(mc, moment); len(leaks) != 0 {
			t.Errorf("a new context is old: %v", leaks)
		}
	})
}

func TestTheOldestOfAGroupIsItsExample(t *testing.T) {
	mc := newRoot(t)
	oldest := palloc.NewAllocSet(mc, "c")
	palloc.Leaks(mc, 0)
	moment := pass()
	palloc.NewAllocSet(mc, "c")
	oldest.SetParent(mc) // between two younger ones
	palloc.NewAllocSet(mc, "c")
	if l := leakOf(t, palloc.Leaks(mc, 0), "c"); l.Count != 3 || l.Oldest < moment || l.Example != oldest {
		t.Errorf("%v, example %v; want %v", l, l.Example, oldest)
	}
}

func TestACreationIsRecordedWithItsLineAndTime(t *testing.T) {
	mc := newRoot(t)
	before := palloc.NewAllocSet(mc, "before")
	recording(t)
	start := time.Now()
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newRecorded(mc, k)
		moment := pass()
		leaks := palloc.Leaks(mc, moment)
		l := leakOf(t, leaks, k.String())
		if !strings.HasPrefix(l.Created, "leaks_test.go:") || !strings.HasSuffix(l.Created, " github.com/gopalloc/palloc_test.newRecorded") {
			t.Errorf("it was created at %q", l.Created)
		}
		if l.Oldest < moment || l.Oldest > time.Since(start) || l.Example != c {
			t.Errorf("%v; want an age of %v at least", l, moment)
		}
		if text := l.String(); !strings.Contains(text, l.Created) || !strings.Contains(text, fmt.Sprintf("1 × %q", l.Name)) {
			t.Errorf("the leak reads %q", text)
		}
	})
	if l := leakOf(t, palloc.Leaks(mc, 0), "before"); l.Created != "" || l.Example != before {
		t.Errorf("one that existed before has a line: %v", l)
	}
}

func newRecorded(mc palloc.Context, k palloc.Kind) palloc.Context {
	switch k {
	case palloc.KindSlab:
		return palloc.NewSlab(mc, "Slab", 64)
	case palloc.KindGeneration:
		return palloc.NewGeneration(mc, "Generation")
	case palloc.KindBump:
		return palloc.NewBump(mc, "Bump", palloc.BlockSizes(1<<12, 1<<13))
	}
	return palloc.NewAllocSet(mc, "AllocSet")
}

func TestALineOutsideOfPallocIsRecorded(t *testing.T) {
	mc := newRoot(t)
	recording(t)
	err := palloc.Scope(mc, "scope", func(c palloc.Context) error {
		l := leakOf(t, palloc.Leaks(mc, 0), "scope")
		if !strings.HasSuffix(l.Created, "palloc_test.TestALineOutsideOfPallocIsRecorded") {
			t.Errorf("Scope was called at %q", l.Created)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLeaksOfTwoLinesAreTwo(t *testing.T) {
	mc := newRoot(t)
	recording(t)
	for range 3 {
		palloc.NewAllocSet(mc, "c")
	}
	palloc.NewAllocSet(mc, "c")
	leaks := palloc.Leaks(mc, 0)
	if len(leaks) != 2 || leaks[0].Count != 3 || leaks[1].Count != 1 || leaks[0].Created == leaks[1].Created {
		t.Errorf("three of one line and one of another are %v", leaks)
	}
}

// TestEveryCreationIsRecordedWhileThatIsOn creates and deletes contexts that would be
// cached: some are cached already when recording begins, and some are live.
func TestEveryCreationIsRecordedWhileThatIsOn(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		before := newKind(palloc.NewAllocSet(mc, "other"), k, "c", 64)
		newKind(mc, k, "c", 64).Delete()
		first, second := palloc.RecordCreations(), palloc.RecordCreations()
		defer second()
		first() // the second call still records
		first()
		parent := before.Parent()
		for i := range 3 {
			c := newKind(mc, k, "c", 64)
			if i == 0 {
				before.Delete()
			}
			d := newKind(parent, k, "c", 64)
			if l := leakOf(t, palloc.Leaks(mc, 0), "c"); l.Created == "" || l.Count != 2 {
				t.Errorf("round %d: %v; want two of the line that makes kinds", i, l)
			}
			c.Delete()
			d.Delete()
		}
		second()
		c := newKind(mc, k, "off", 64)
		if l := leakOf(t, palloc.Leaks(mc, 0), "off"); l.Created != "" || l.Example != c {
			t.Errorf("it is off: %v", l)
		}
	})
}

func TestARecordStaysWhenRecordingEnds(t *testing.T) {
	mc := newRoot(t)
	stop := palloc.RecordCreations()
	palloc.NewAllocSet(mc, "c")
	stop()
	if l := leakOf(t, palloc.Leaks(mc, 0), "c"); l.Created == "" {
		t.Errorf("%v", l)
	}
}

// TestRecordingMayBeSwitchedAtAnyTime switches recording on and off while contexts are
// created and deleted, and others look for leaks.
func TestRecordingMayBeSwitchedAtAnyTime(t *testing.T) {
	rounds := sized(2000, 200)
	mc := newRoot(t)
	var over atomic.Bool
	var others sync.WaitGroup
	others.Go(func() {
		for !over.Load() {
			stop := palloc.RecordCreations()
			palloc.Leaks(mc, 0)
			runtime.Gosched() // where there is only one thread
			stop()
			palloc.Leaks(mc, 0)
			runtime.Gosched()
		}
	})
	together(4, func(i int) {
		parent := palloc.NewAllocSet(mc, "parent")
		for range rounds {
			c := newKind(parent, kinds[i], "c", 64)
			scribble(bytesAt(c.Alloc(64), 64), i)
			palloc.NewAllocSet(c, "below").Alloc(100)
			c.Delete()
			c = newKind(parent, kinds[i], "c", 64)
			c.Alloc(64)
			c.Delete()
		}
	})
	over.Store(true)
	others.Wait()
	left := 0
	for _, l := range palloc.Leaks(mc, 0) {
		left += l.Count
	}
	if left != 4 {
		t.Errorf("four parents are left, and found is %v", palloc.Leaks(mc, 0))
	}
}

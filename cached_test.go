package palloc_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/tree"
)

// Cached contexts: trees of the same shape that are created and deleted use the same nodes
// again. No memory is lost, and the cached memory is bounded.

// shape builds a tree below a context and returns its contexts, parents first.
func shape(mc palloc.Context) []palloc.Context {
	request := palloc.NewAllocSet(mc, "request")
	plan := palloc.NewBump(request, "plan")
	run := palloc.NewAllocSet(request, "run")
	return []palloc.Context{request, plan, run,
		palloc.NewAllocSet(run, "step"), palloc.NewAllocSet(run, "step"), palloc.NewGeneration(run, "rows")}
}

var ends = []struct {
	name string
	do   func(list []palloc.Context)
}{
	{"one by one", func(list []palloc.Context) {
		for i := len(list) - 1; i >= 0; i-- {
			list[i].Delete()
		}
	}},
	{"at once", func(list []palloc.Context) { list[0].Delete() }},
	{"all with callbacks", func(list []palloc.Context) {
		for _, mc := range list {
			mc.BeforeReset(func() {})
		}
		list[0].Delete()
	}},
	{"with a callback", func(list []palloc.Context) {
		list[3].BeforeReset(func() {})
		list[0].Delete()
	}},
	{"by a reset", func(list []palloc.Context) { list[0].Parent().Reset() }},
	{"with idents", func(list []palloc.Context) {
		for _, mc := range list {
			mc.SetIdent("ident")
		}
		list[0].Delete()
	}},
	{"with long idents", func(list []palloc.Context) {
		for _, mc := range list {
			mc.SetIdent(strings.Repeat("ident", 100))
		}
		list[0].Delete()
	}},
}

func TestATreeOfTheSameShapeHasTheSameNodes(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			mc := newRoot(t)
			used := func() map[uintptr]bool {
				nodes := map[uintptr]bool{}
				list := shape(mc)
				for i, c := range list {
					p := c.Alloc(100)
					scribble(bytesAt(p, 100), i)
					nodes[nodeOf(c)] = true
					if c.Ident() != "" {
						t.Errorf("%s has the ident of the one before", c.Path())
					}
				}
				wantSound(t, "with the tree", mc)
				end.do(list)
				wantLive(t, false, list...)
				wantSound(t, "without it", mc)
				wantEmpty(t, mc)
				return nodes
			}
			first, held := used(), palloc.PageHeap().Held
			for range 5 {
				for c := range used() {
					if !first[c] {
						t.Error("a context has a node that none of the first tree had")
					}
				}
			}
			if now := palloc.PageHeap().Held; now > held {
				t.Errorf("%d bytes are in use after five trees more, %d after the first", now, held)
			}
		})
	}
}

// TestCachedContextsHoldLittle deletes many contexts: those cached below their parents hold
// no more than some blocks.
func TestCachedContextsHoldLittle(t *testing.T) {
	const each, most = 6 << 10, 64 * 8 << 10
	build := map[string]func(mc palloc.Context, n int) []palloc.Context{
		"a chain": func(mc palloc.Context, n int) (list []palloc.Context) {
			for range n {
				mc = palloc.NewAllocSet(mc, "link")
				list = append(list, mc)
			}
			return list
		},
		"siblings": func(mc palloc.Context, n int) (list []palloc.Context) {
			for range n {
				list = append(list, palloc.NewAllocSet(mc, "sibling"))
			}
			return list
		},
		"a bush": func(mc palloc.Context, n int) []palloc.Context {
			list := []palloc.Context{mc}
			for i := 0; len(list) <= n; i++ {
				for range 3 {
					list = append(list, palloc.NewAllocSet(list[i], "twig"))
				}
			}
			return list[1:]
		},
	}
	for name, of := range build {
		for _, end := range ends[:3] {
			t.Run(name+" "+end.name, func(t *testing.T) {
				mc := newRoot(t)
				palloc.Trim()
				before := palloc.PageHeap().Held
				list := of(mc, 2000)
				for _, c := range list {
					c.Alloc(each)
				}
				if now := palloc.PageHeap().Held; now < before+2000*each {
					t.Fatalf("%d bytes are in use with the contexts, and %d before", now, before)
				}
				end.do(list)
				mc.DeleteChildren()
				if now := palloc.PageHeap().Held - before; now > most {
					t.Errorf("%d KiB are in use without a context", now>>10)
				}
				palloc.Trim()
				if now := palloc.PageHeap().Held - before; now > 0 {
					t.Errorf("%d bytes are in use after Trim", now)
				}
				wantEmpty(t, mc)
				wantSound(t, "afterwards", mc)
			})
		}
	}
}

// TestUnusedCachedContextsAreEvicted checks that resets evict cached children that are no
// longer used.
func TestUnusedCachedContextsAreEvicted(t *testing.T) {
	mc, elsewhere := newRoot(t), newRoot(t)
	palloc.Trim()
	build := func() palloc.Context {
		list := shape(mc)
		for _, c := range list {
			c.Alloc(100)
		}
		return list[0]
	}
	node := nodeOf(build())
	for range 5 {
		mc.Reset()
		if c := build(); nodeOf(c) != node {
			t.Fatal("a context that is used each time is not cached")
		}
	}
	for range 3 {
		mc.Reset()
	}
	if c := palloc.NewAllocSet(elsewhere, "request"); nodeOf(c) != node {
		t.Error("a context that was not used for three resets is still cached")
	}
	wantSound(t, "afterwards", mc)
}

// TestACachedContextStaysOverOneReset checks that a reset evicts only what the one before it found
// cached.
func TestACachedContextStaysOverOneReset(t *testing.T) {
	mc, elsewhere := newRoot(t), newRoot(t)
	if mc.IsChecked() {
		t.Skip("checked contexts are not cached")
	}
	c := palloc.NewAllocSet(mc, "only")
	node := nodeOf(c)
	c.Delete()
	mc.Reset()
	if nodeOf(palloc.NewAllocSet(elsewhere, "only")) == node {
		t.Error("the first reset evicts a cached context")
	}
	if nodeOf(palloc.NewAllocSet(mc, "only")) != node {
		t.Error("a context that is cached with its parent is not used")
	}
}

// TestFourChildrenAreCached creates them again, in an order in which each comes before those that are left.
func TestFourChildrenAreCached(t *testing.T) {
	mc, elsewhere := newRoot(t), newRoot(t)
	if mc.IsChecked() {
		t.Skip("checked contexts are not cached")
	}
	names := []string{"first", "second", "third", "fourth"}
	nodes := map[string]uintptr{}
	var list []palloc.Context
	for _, name := range names {
		c := palloc.NewAllocSet(mc, name)
		nodes[name] = nodeOf(c)
		list = append(list, c)
	}
	for _, c := range list {
		c.Delete()
	}
	for _, name := range names {
		if nodeOf(palloc.NewAllocSet(elsewhere, name)) == nodes[name] {
			t.Errorf("the %s of four children is not cached with its parent", name)
		}
	}
	for _, name := range names {
		if nodeOf(palloc.NewAllocSet(mc, name)) != nodes[name] {
			t.Errorf("the %s of four cached children is not used", name)
		}
	}
}

// TestACachedTreeComesUnderTheBudget checks that a budget counts contexts that are created
// from cached nodes.
func TestACachedTreeComesUnderTheBudget(t *testing.T) {
	mc := newRoot(t)
	shape(mc)[0].Delete()
	mc.SetLimit(64 << 10)
	list := shape(mc)
	for _, c := range list {
		if _, err := c.TryAlloc(100 << 10); err == nil {
			t.Errorf("%s holds more than the limit around it", c.Path())
		}
		c.Alloc(1000)
	}
	if held, now := mc.Budget().Held, mc.TreeHeld(); held != now {
		t.Errorf("the budget says %d bytes, and the contexts hold %d", held, now)
	}
	list[0].Delete()
	mc.SetLimit(palloc.NoLimit)
	wantSound(t, "afterwards", mc)
}

// TestTreesComeAndGoEverywhere has goroutines build trees, below parents of their own and
// below a common one, and delete them in each way, while others trim and move contexts.
func TestTreesComeAndGoEverywhere(t *testing.T) {
	mc := newRoot(t)
	long := 1500 * time.Millisecond
	if cramped() || testing.Short() {
		long = 200 * time.Millisecond
	}
	stop := time.Now().Add(long)
	common := palloc.NewAllocSet(mc, "common")
	var done sync.WaitGroup
	var trees atomic.Int64
	for g := range 4 {
		done.Go(func() {
			mine := palloc.NewAllocSet(mc, "mine")
			for i := 0; time.Now().Before(stop); i++ {
				below := mine
				if i%3 == 0 {
					below = common
				}
				list := shape(below)
				for n, c := range list {
					scribble(bytesAt(c.Alloc(200+n), 200), g)
				}
				if i%7 == 0 {
					list[2].SetParent(list[1])
				}
				if end := ends[(i+g)%len(ends)]; end.name == "by a reset" && below == common {
					list[0].Delete()
				} else {
					end.do(list)
				}
				for _, c := range list {
					if c.Live() {
						t.Errorf("%s is live", c.Path())
						return
					}
				}
				trees.Add(1)
			}
			mine.Delete()
		})
	}
	done.Go(func() {
		for i := 0; time.Now().Before(stop); i++ {
			switch i % 3 {
			case 0:
				palloc.Trim()
			case 1:
				mc.TreeHeld()
			case 2:
				common.SetLimit([]int64{1 << 30, palloc.NoLimit}[i%2])
			}
			time.Sleep(50 * time.Microsecond)
		}
	})
	done.Wait()
	common.SetLimit(palloc.NoLimit)
	wantEmpty(t, common)
	wantSound(t, "afterwards", mc)
	t.Logf("%d trees", trees.Load())
}

// TestNothingIsLostBelowATreeThatEnds creates children below the contexts of a tree while it
// is deleted. Each is deleted with the tree, or its creation is refused.
func TestNothingIsLostBelowATreeThatEnds(t *testing.T) {
	rounds := sized(2000, 100)
	mc := newRoot(t)
	for range rounds {
		parents := shape(mc)
		wantNothingLeft(t, parents[0], 3, 300, func(n int) palloc.Context { return parents[n%len(parents)] })
	}
	wantEmpty(t, mc)
	wantSound(t, "afterwards", mc)
}

// TestContextsOutOfReachAreNotCached deletes contexts of ever other names: their parent
// keeps only a few of their nodes.
func TestContextsOutOfReachAreNotCached(t *testing.T) {
	const each, most = 6 << 10, 4 * 8 << 10
	mc := newRoot(t)
	palloc.Trim()
	before := palloc.PageHeap().Held
	for n := range 500 {
		c := palloc.NewAllocSet(mc, strconv.Itoa(n%100))
		c.Alloc(each)
		c.Delete()
	}
	waiting := palloc.PageHeap().Held - before
	tree.ReleaseFree()
	if now := palloc.PageHeap().Held - before; now > most || now == waiting {
		t.Errorf("%d KiB are cached with a context, and %d KiB in all", now>>10, waiting>>10)
	}
}

// TestTheLatestChildComesFirst deletes all children, some of which took the place of deleted
// ones: the callbacks of the latest run first.
func TestTheLatestChildComesFirst(t *testing.T) {
	mc := newRoot(t)
	r := rand.New(rand.NewPCG(5, 6))
	born, next := map[palloc.Context]int{}, 0
	for range 5000 {
		if live := slices.Collect(mc.Children()); len(live) > 0 && r.IntN(2) == 0 {
			c := live[r.IntN(len(live))]
			delete(born, c)
			c.Delete()
		} else {
			c := newKind(mc, kinds[r.IntN(4)], []string{"one", "two", "three"}[r.IntN(3)], 64)
			born[c] = next
			next++
		}
		last := next
		for c := range mc.Children() {
			if born[c] >= last {
				t.Fatalf("child %d comes after child %d", born[c], last)
			}
			last = born[c]
		}
	}
}

package palloc_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/tree"
)

// The lock of the tree: the number of steps while it is held is bounded, and a walk, which
// releases it in between, sees every context that stays.

// crowds are the ways to create up to n contexts below one.
var crowds = map[string]func(mc palloc.Context, n int){
	"a chain":  func(mc palloc.Context, n int) { shapes["a chain"](mc, n) },
	"siblings": func(mc palloc.Context, n int) { shapes["siblings"](mc, n) },
	"a bush": func(mc palloc.Context, n int) {
		list := []palloc.Context{mc}
		for i := 0; len(list) <= n; i++ {
			for range 5 {
				list = append(list, palloc.NewAllocSet(list[i], "twig"))
			}
		}
	},
	"names of their own": func(mc palloc.Context, n int) {
		for i := range n / 5 {
			palloc.NewAllocSet(mc, fmt.Sprint("c", i)).Alloc(100)
		}
	},
	"idents, callbacks and blocks": func(mc palloc.Context, n int) {
		for i := range n / 50 {
			c := newKind(mc, kinds[i%len(kinds)], "c", 1000)
			c.SetIdent("ident")
			c.BeforeReset(func() {})
			for range 10 {
				c.Alloc(1000)
			}
			palloc.NewAllocSet(c, "below").Alloc(9000)
		}
	},
	"blocks": func(mc palloc.Context, n int) {
		for i, k := range freeing {
			c := newKind(mc, k, "c", 9000)
			if i == 0 {
				c.SetLimit(1 << 40)
			}
			for range n / 50 {
				c.Alloc(9000)
			}
		}
		c := palloc.NewAllocSet(mc, "shared", palloc.Shared())
		for range n / 50 {
			c.Alloc(9000)
		}
	},
	"budgets": func(mc palloc.Context, n int) {
		for range n / 500 {
			c := palloc.NewAllocSet(mc, "tenant")
			c.SetLimit(1 << 30)
			for range 100 {
				palloc.NewBump(c, "below").Alloc(10)
			}
		}
	},
}

// chores are the operations on a crowd, each one call.
var chores = []struct {
	name string
	do   func(mc, other, elsewhere palloc.Context)
}{
	{"TreeHeld", func(mc, _, _ palloc.Context) { mc.TreeHeld() }},
	{"IsEmpty", func(mc, _, _ palloc.Context) { mc.IsEmpty() }},
	{"Stats", func(mc, _, _ palloc.Context) { mc.Stats() }},
	{"Budget", func(mc, _, _ palloc.Context) { mc.Budget() }},
	{"WriteStats", func(mc, _, _ palloc.Context) { _ = mc.WriteStats(io.Discard) }},
	{"TakeSnapshot", func(mc, _, _ palloc.Context) { palloc.TakeSnapshot(mc) }},
	{"Leaks", func(mc, _, _ palloc.Context) { palloc.Leaks(mc, 0) }},
	{"All", func(mc, _, _ palloc.Context) { names(mc.All()) }},
	{"Children", func(mc, _, _ palloc.Context) { count(mc) }},
	{"Check", func(mc, _, _ palloc.Context) {
		if err := palloc.Top().Check(); err != nil {
			panic(err)
		}
	}},
	{"Layout", func(mc, _, _ palloc.Context) { mc.Layout() }},
	{"RecordCreations", func(mc, _, _ palloc.Context) { palloc.RecordCreations()() }},
	{"ResetChildren", func(mc, _, _ palloc.Context) { mc.ResetChildren() }},
	{"Path of the last", func(mc, _, _ palloc.Context) { last(mc).Path() }},
	{"SetParent of the last", func(mc, other, elsewhere palloc.Context) {
		other.SetParent(last(mc))
		other.SetParent(elsewhere)
	}},
	{"SetParent", func(mc, _, elsewhere palloc.Context) { mc.SetParent(elsewhere) }},
	{"Peak", func(mc, _, _ palloc.Context) { mc.Peak() }},
	{"SetLimit", func(mc, _, _ palloc.Context) { mc.SetLimit(1 << 40) }},
	{"EnterCritical", func(mc, _, _ palloc.Context) { mc.EnterCritical()() }},
	{"AllowInCriticalSection", func(mc, _, _ palloc.Context) { mc.AllowInCriticalSection(true) }},
	{"SetParent out of the budget", func(mc, _, elsewhere palloc.Context) {
		mc.Parent().SetLimit(1 << 41)
		mc.SetParent(palloc.Top())
		mc.SetParent(elsewhere)
	}},
	{"Trim", func(mc, _, _ palloc.Context) { palloc.Trim() }},
	{"Delete", func(mc, _, _ palloc.Context) { mc.Delete() }},
	{"Trim of cached contexts", func(mc, _, _ palloc.Context) { palloc.Trim() }},
}

// last returns the last context of a walk.
func last(mc palloc.Context) (last palloc.Context) {
	for c := range mc.All() {
		last = c
	}
	return last
}

// TestTheLockIsHeldForABoundedNumberOfSteps counts the steps for crowds of two sizes.
func TestTheLockIsHeldForABoundedNumberOfSteps(t *testing.T) {
	const bound = 600 // for any number of contexts, chunks, names and blocks
	n := sized(100_000, 20_000)
	for shape, create := range crowds {
		t.Run(shape, func(t *testing.T) {
			top := newRoot(t)
			elsewhere := palloc.NewAllocSet(top, "elsewhere")
			other := palloc.NewAllocSet(elsewhere, "other")
			mc := palloc.NewAllocSet(top, "crowd")
			create(mc, n)
			for _, d := range chores {
				tree.MaxSteps()
				d.do(mc, other, elsewhere)
				most := tree.MaxSteps()
				t.Logf("%-28s %5d", d.name, most)
				switch {
				case most > bound:
					t.Errorf("%s takes %d steps under one hold of the lock", d.name, most)
				case d.name == "Delete" && shape != "blocks" && most < tree.StepsPerHold:
					t.Errorf("%s takes %d steps under one hold of the lock: it does not count all of them", d.name, most)
				}
			}
		})
	}
	t.Run("dropped", func(t *testing.T) {
		for _, shape := range []string{"a chain", "siblings", "a bush", "blocks"} {
			mc := palloc.NewAllocSet(newRoot(t), "crowd")
			crowds[shape](mc, n)
			tree.MaxSteps()
			deleteDropped(t, mc)
			if most := tree.MaxSteps(); most > bound || mc.Live() {
				t.Errorf("%s: the deletion takes %d steps under one hold of the lock", shape, most)
			}
		}
	})
}

// witnesses are contexts that stay, among others that are moved and deleted.
type witnesses struct {
	top      palloc.Context
	there    map[palloc.Context]bool
	shelters []palloc.Context
}

func newWitnesses(t *testing.T, n int) *witnesses {
	w := &witnesses{top: palloc.NewAllocSet(newRoot(t), "top"), there: map[palloc.Context]bool{}}
	r := rand.New(rand.NewPCG(7, 8))
	list := []palloc.Context{w.top}
	for len(list) < n {
		below := r.IntN(len(list))
		if r.IntN(10) == 0 {
			below = 0
		}
		c := palloc.NewAllocSet(list[below], "stays")
		c.Alloc(50)
		list = append(list, c)
	}
	for _, c := range list {
		w.there[c] = true
	}
	w.shelters = list
	return w
}

// meddle creates, moves and deletes contexts among the witnesses, until it is stopped.
func (w *witnesses) meddle(seed uint64, over *atomic.Bool) {
	r := rand.New(rand.NewPCG(seed, 1))
	any := func() palloc.Context { return w.shelters[r.IntN(len(w.shelters))] }
	var mine []palloc.Context
	for !over.Load() {
		switch n := r.IntN(8); {
		case n < 3 || len(mine) < 10:
			c := palloc.NewAllocSet(any(), "passes")
			for at := c; r.IntN(3) > 0; {
				at = palloc.NewAllocSet(at, "below")
			}
			mine = append(mine, c)
		case n < 6:
			mine[r.IntN(len(mine))].SetParent(any())
		case n < 7:
			mine[r.IntN(len(mine))].Reset()
		default:
			i := r.IntN(len(mine))
			mine[i].Delete()
			mine[i] = mine[len(mine)-1]
			mine = mine[:len(mine)-1]
		}
		if r.IntN(50) == 0 {
			runtime.Gosched()
		}
	}
	for _, c := range mine {
		c.Delete()
	}
}

// TestAWalkMissesNothingThatStays walks the tree while others change it. A walk visits every
// context that stays once, every other at most once, and parents before their children.
func TestAWalkMissesNothingThatStays(t *testing.T) {
	n, long := sized(20_000, 3000), sized(3*time.Second, time.Second)
	w := newWitnesses(t, n)
	var over atomic.Bool
	var others sync.WaitGroup
	for i := range 3 {
		others.Go(func() { w.meddle(uint64(i), &over) })
	}
	defer others.Wait()
	defer over.Store(true)
	walks := 0
	for end := time.Now().Add(long); time.Now().Before(end) && !t.Failed(); walks++ {
		w.wantAll(t)
		wantTree(t, palloc.TakeSnapshot(w.top), n)
		if held := w.top.TreeHeld(); held < int64(n)*50 {
			t.Errorf("%d bytes are held by %d contexts", held, n)
		}
		leaks := leakOf(t, palloc.Leaks(w.top, 0), "stays")
		if leaks.Count != n-1 {
			t.Errorf("Leaks finds %d contexts of %d", leaks.Count, n-1)
		}
	}
	over.Store(true)
	others.Wait()
	if got := len(names(w.top.All())); got != n {
		t.Errorf("%d contexts are left of %d", got, n)
	}
	wantSound(t, "afterwards", w.top)
	t.Logf("%d walks", walks)
}

func (w *witnesses) wantAll(t *testing.T) {
	came := map[palloc.Context]bool{}
	for c := range w.top.All() {
		if came[c] {
			t.Fatalf("%v came by twice", c)
		}
		came[c] = true
	}
	for c := range w.there {
		if !came[c] {
			t.Fatalf("%s did not come by", c.Path())
		}
	}
}

// wantTree checks that the rows are a tree, with all contexts that stay among them.
func wantTree(t *testing.T, s palloc.Snapshot, n int) {
	ids := map[int]int{0: 0}
	stay := 0
	for i, r := range s.Rows {
		if level, known := ids[r.Parent]; !known || level != r.Level-1 || i > 0 && r.Level > s.Rows[i-1].Level+1 {
			t.Fatalf("row %d of level %d has parent %d, known: %v", i, r.Level, r.Parent, known)
		}
		if _, twice := ids[r.ID]; twice {
			t.Fatalf("two rows have ID %d", r.ID)
		}
		ids[r.ID] = r.Level
		if r.Name == "stays" {
			stay++
		}
	}
	if stay != n-1 {
		t.Fatalf("%d rows of %d", stay, n-1)
	}
}

// TestBudgetsAreExactWhileTheyAreOpenedAndMoved sets limits, moves contexts and allocates at
// once. In the end the budgets agree with the contexts, and no context has the limit of
// another.
func TestBudgetsAreExactWhileTheyAreOpenedAndMoved(t *testing.T) {
	rounds, n := sized(15, 4), sized(4000, 1500)
	for round := range rounds {
		mc := newRoot(t)
		halls := []palloc.Context{palloc.NewAllocSet(mc, "hall"), palloc.NewAllocSet(mc, "hall"), palloc.NewAllocSet(mc, "hall")}
		halls[1].SetLimit(1 << 40)
		trees := make([]palloc.Context, 3)
		for i := range trees {
			trees[i] = palloc.NewAllocSet(halls[i], "tree")
			crowds[[]string{"names of their own", "siblings", "a chain"}[i]](trees[i], []int{5 * n, n, n}[i])
		}
		var over atomic.Bool
		var others, churners sync.WaitGroup
		for i := range 2 {
			churners.Go(func() { churn(palloc.NewAllocSet(trees[i], "churner"), uint64(round*2+i), &over) })
		}
		for i := range 3 {
			others.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				for range 6 {
					at := slicesAt(r, trees)
					switch r.IntN(4) {
					case 0:
						at.SetParent(halls[r.IntN(len(halls))])
					case 1:
						at.SetLimit(1 << 41)
					case 2:
						if held := at.Peak(); held < int64(n)/10*64 {
							t.Errorf("the peak of %d contexts is %d", n, held)
						}
					case 3:
						last(at).Peak()
					}
				}
			})
		}
		others.Wait()
		over.Store(true)
		churners.Wait()
		wantSound(t, "afterwards", mc)
		for c := range mc.Children() {
			if b, held := c.Budget(), c.TreeHeld(); b.Held != held {
				t.Errorf("round %d: the budget says %d, and a walk %d", round, b.Held, held)
			}
		}
		mc.Delete()
	}
}

func slicesAt(r *rand.Rand, list []palloc.Context) palloc.Context { return list[r.IntN(len(list))] }

// churn allocates and frees, creates and deletes, in contexts of its own.
func churn(mc palloc.Context, seed uint64, over *atomic.Bool) {
	r := rand.New(rand.NewPCG(seed, 3))
	for ; !over.Load(); runtime.Gosched() { // js does not preempt goroutines
		c := palloc.NewAllocSet(mc, "churned")
		for range r.IntN(5) {
			palloc.FreePointer(c.Alloc(r.IntN(30_000)))
			palloc.NewBump(c, "below").Alloc(r.IntN(3000))
		}
		c.Delete()
	}
	mc.Delete()
}

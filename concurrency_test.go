package palloc_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Goroutines: each context has one owner; the tree may be used by any goroutine.

// together runs f in n goroutines and returns when all are done.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}

func TestManyGoroutinesShareAParent(t *testing.T) {
	rounds := sized(300, 60)
	mc := newFresh(t)
	var over atomic.Bool
	var watching sync.WaitGroup
	watched := make([]int, 2)
	for i := range watched {
		watching.Go(func() {
			for !over.Load() {
				watched[i] += watch(mc)
				runtime.Gosched()
			}
		})
	}
	together(16, func(i int) {
		w := worker{mc: mc, r: rand.New(rand.NewPCG(uint64(i), 8)), t: t}
		for range rounds {
			w.step()
		}
		w.finish()
	})
	over.Store(true)
	watching.Wait()
	if count(mc) != 0 || mc.TreeHeld() != 0 || watched[0] == 0 {
		t.Errorf("%d children are left, %d bytes; %v contexts were watched", count(mc), mc.TreeHeld(), watched)
	}
}

// watch reads everything that any goroutine may read, of contexts that others create and
// delete meanwhile. It returns how many contexts were not deleted while they were read.
func watch(mc palloc.Context) (seen int) {
	for c := range mc.All() {
		if look(c) {
			seen++
		}
	}
	mc.WriteStats(io.Discard)
	mc.TreeHeld()
	return seen
}

// look reads one context. A Fault means that it was deleted meanwhile.
func look(c palloc.Context) (lived bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(*palloc.Fault); !ok {
				panic(r)
			}
		}
	}()
	stats := c.Stats()
	if stats.Held < 0 || stats.Used < 0 || c.Held() < 0 || c.TreeHeld() < 0 {
		panic(fmt.Sprintf("accounts below zero: %+v", stats))
	}
	_, _, _ = c.Path(), c.Name(), c.Ident()
	_, _, _ = c.Parent(), c.Kind(), c.IsEmpty()
	count(c)
	c.WriteStats(io.Discard)
	return c.Live()
}

// A worker owns some contexts below a parent that all workers share.
type worker struct {
	mc   palloc.Context
	r    *rand.Rand
	t    *testing.T
	own  []palloc.Context
	held []holding
}

// A holding is a chunk of a worker's context.
type holding struct {
	in   palloc.Context
	b    []byte
	seed int
}

const holdingSize = 88

func (w *worker) step() {
	switch n := w.r.IntN(10); {
	case n < 3 || len(w.own) == 0:
		w.create()
	case n < 6:
		w.fill(w.pick())
	case n == 6:
		w.move(w.pick())
	case n == 7:
		w.pick().SetIdent(fmt.Sprint("number ", w.r.IntN(100)))
	case n == 8:
		c := w.pick()
		c.Reset()
		w.verify()
	default:
		w.pick().Delete()
		w.verify()
	}
}

func (w *worker) pick() palloc.Context { return w.own[w.r.IntN(len(w.own))] }

// create creates a context below the shared parent, or below one of the worker's own.
func (w *worker) create() {
	parent := w.mc
	if len(w.own) > 0 && w.r.IntN(2) == 0 {
		parent = w.pick()
	}
	c := newKind(parent, kinds[w.r.IntN(len(kinds))], "own", holdingSize)
	if w.r.IntN(4) == 0 {
		c.BeforeReset(func() { newKind(w.mc, palloc.KindBump, "late", holdingSize).Delete() })
	}
	w.own = append(w.own, c)
}

func (w *worker) fill(c palloc.Context) {
	for range w.r.IntN(40) {
		b := bytesAt(c.Alloc(holdingSize), holdingSize)
		seed := w.r.IntN(1000)
		scribble(b, seed)
		if w.r.IntN(3) == 0 && c.Kind() != palloc.KindBump {
			palloc.FreePointer(unsafe.Pointer(&b[0]))
			continue
		}
		w.held = append(w.held, holding{c, b, seed})
	}
	if c.Kind() != palloc.KindSlab && w.r.IntN(4) == 0 {
		c.Alloc(20_000)
	}
}

// move moves a context below the shared parent, or below another of the worker's own.
func (w *worker) move(c palloc.Context) {
	to := w.pick()
	if w.r.IntN(2) == 0 {
		to = w.mc
	}
	for at := to; at.Live(); at = at.Parent() {
		if at == c {
			return // that would be a cycle
		}
	}
	c.SetParent(to)
}

// verify forgets the chunks that a reset or a deletion took, and checks the others.
func (w *worker) verify() {
	w.own = slices.DeleteFunc(w.own, func(c palloc.Context) bool { return !c.Live() })
	held := w.held[:0]
	for _, h := range w.held {
		if h.in.Live() && !h.in.IsEmpty() {
			held = append(held, h)
		}
	}
	w.held = held
	w.compare()
}

func (w *worker) compare() {
	for _, h := range w.held {
		if !scribbled(h.b, h.seed) {
			w.t.Errorf("a chunk in %q was written over", h.in.Path())
			return
		}
	}
}

func (w *worker) finish() {
	w.verify()
	for _, c := range w.own {
		if c.Live() {
			c.Delete()
		}
	}
}

// TestOneParentGetsAndLosesChildren tests the commonest pattern: a context per call, below
// a parent that all goroutines share.
func TestOneParentGetsAndLosesChildren(t *testing.T) {
	rounds := sized(5_000, 500)
	mc := newFresh(t)
	together(16, func(i int) {
		for round := range rounds {
			c := newKind(mc, kinds[(i+round)%len(kinds)], "call", 64)
			b := bytesAt(c.Alloc(64), 64)
			scribble(b, i)
			below := palloc.NewBump(c, "below")
			d := bytesAt(below.Alloc(100), 100)
			scribble(d, round)
			if round%64 == 0 {
				runtime.Gosched()
			}
			if !scribbled(b, i) || !scribbled(d, round) || c.Parent() != mc || below.Parent() != c {
				t.Errorf("goroutine %d: the contexts of call %d are not its own", i, round)
				return
			}
			if round%2 == 0 {
				below.Delete()
			}
			c.Delete()
		}
	})
	if count(mc) != 0 || mc.TreeHeld() != 0 {
		t.Errorf("%d children are left, %d bytes", count(mc), mc.TreeHeld())
	}
}

// TestAContextMayBeHandedOver creates contexts in one goroutine and deletes them in another.
func TestAContextMayBeHandedOver(t *testing.T) {
	type parcel struct {
		mc palloc.Context
		b  []byte
	}
	mc := newRoot(t)
	line := make(chan parcel, 10)
	go func() {
		defer close(line)
		for i := range 2000 {
			c := newKind(mc, kinds[i%len(kinds)], "parcel", 64)
			p := parcel{c, bytesAt(c.Alloc(64), 64)}
			scribble(p.b, i)
			line <- p
		}
	}()
	i := 0
	for p := range line {
		if !scribbled(p.b, i) {
			t.Fatalf("parcel %d was written over", i)
		}
		if p.mc.Kind() != palloc.KindBump {
			palloc.FreePointer(unsafe.Pointer(&p.b[0]))
		}
		p.mc.Delete()
		i++
	}
}

// TestAnyoneMayNameAndMoveAContext changes what any goroutine may change, while the owner
// allocates.
func TestAnyoneMayNameAndMoveAContext(t *testing.T) {
	mc := newRoot(t)
	a, b := palloc.NewAllocSet(mc, "a"), palloc.NewAllocSet(mc, "b")
	c := palloc.NewAllocSet(a, "c")
	var over atomic.Bool
	var others sync.WaitGroup
	others.Go(func() {
		for !over.Load() {
			c.SetIdent("busy")
			c.SetParent(b)
			c.SetIdent("")
			c.SetParent(a)
		}
	})
	for i := range 1000 {
		p := bytesAt(c.Alloc(64), 64)
		scribble(p, i)
		palloc.NewBump(c, "below").Alloc(8)
		c.BeforeReset(func() {})
		if !scribbled(p, i) {
			t.Error("a chunk was written over")
		}
		if i%10 == 0 {
			c.Reset()
		}
	}
	over.Store(true)
	others.Wait()
}

// TestTrimMayComeAtAnyTime empties the page heap while others acquire and release blocks.
func TestTrimMayComeAtAnyTime(t *testing.T) {
	mc := newRoot(t)
	var over atomic.Bool
	var trimming sync.WaitGroup
	trimming.Go(func() {
		for !over.Load() {
			palloc.Trim()
			runtime.Gosched()
		}
	})
	together(4, func(i int) {
		for round := range 200 {
			c := newKind(mc, kinds[(i+round)%len(kinds)], "c", 3000)
			for j := range 50 {
				b := bytesAt(c.Alloc(3000), 3000)
				scribble(b, j)
				if !scribbled(b, j) {
					t.Error("a chunk was written over")
				}
			}
			c.Delete()
		}
	})
	over.Store(true)
	trimming.Wait()
}

// wantNothingLeft deletes a context while goroutines create up to most children each, below
// a context of its tree that below returns. None of these must be left.
func wantNothingLeft(t *testing.T, top palloc.Context, goroutines, most int, below func(n int) palloc.Context) {
	t.Helper()
	made := make([][]palloc.Context, goroutines)
	var creators sync.WaitGroup
	var ready atomic.Int32
	for i := range made {
		creators.Go(func() {
			ready.Add(1)
			for n := 0; n < most; n++ {
				if c, ok := born(below(i + n)); ok {
					made[i] = append(made[i], c)
				} else if !top.Live() {
					return
				}
			}
		})
	}
	for ready.Load() == 0 {
		runtime.Gosched()
	}
	top.Delete()
	creators.Wait()
	for _, list := range made {
		wantLive(t, false, list...)
	}
}

// TestNothingIsLostBelowADeletedParent creates contexts below a parent while it is being
// deleted. Each is refused with a Fault, or deleted with the parent; none is left behind.
func TestNothingIsLostBelowADeletedParent(t *testing.T) {
	rounds := sized(2000, 200)
	mc := newRoot(t)
	for range rounds {
		parent := palloc.NewAllocSet(mc, "parent")
		wantNothingLeft(t, parent, 4, 100, func(int) palloc.Context { return parent })
	}
	wantEmpty(t, mc)
	wantOrder(t, mc)
}

// born creates a child of a parent that may have been deleted.
func born(parent palloc.Context) (c palloc.Context, ok bool) {
	defer func() {
		if _, fault := recover().(*palloc.Fault); fault {
			ok = false
		}
	}()
	return palloc.NewAllocSet(parent, "child"), true
}

// atOnce runs other in a goroutine and mine here, from about the same moment on.
func atOnce(other, mine func()) {
	var ready, begin atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		ready.Store(true)
		for !begin.Load() {
			yieldIfAlone()
		}
		other()
	})
	for !ready.Load() {
		runtime.Gosched()
	}
	begin.Store(true)
	mine()
	done.Wait()
}

// yieldIfAlone lets other goroutines run where no processor is left for them: wasm preempts
// none.
func yieldIfAlone() {
	if runtime.GOMAXPROCS(0) == 1 {
		runtime.Gosched()
	}
}

// TestAMoveBetweenParentsThatEndLosesNothing moves a context while both its parents are
// deleted: it is deleted with one of them.
func TestAMoveBetweenParentsThatEndLosesNothing(t *testing.T) {
	rounds := sized(8000, 1000)
	mc := newRoot(t)
	var pause atomic.Int64
	for n := range rounds {
		from, to := palloc.NewAllocSet(mc, "from"), palloc.NewAllocSet(mc, "to")
		c := palloc.NewAllocSet(from, "c")
		atOnce(func() { movesTo(c, to) }, func() {
			for range n % 97 { // so that other moments meet
				pause.Add(1)
			}
			to.Delete()
			from.Delete()
		})
		if c.Live() {
			t.Fatalf("round %d: the context is live without its parents", n)
		}
	}
	wantEmpty(t, mc)
	wantSound(t, "afterwards", mc)
}

// TestAMoveLeavesTheNextContextAlone moves a context while its owner deletes it and creates
// another one of that name, which stays where it was created.
func TestAMoveLeavesTheNextContextAlone(t *testing.T) {
	rounds := sized(5000, 1000)
	mc := newRoot(t)
	from, to := palloc.NewAllocSet(mc, "from"), palloc.NewAllocSet(mc, "to")
	var pause atomic.Int64
	for n := range rounds {
		c := palloc.NewAllocSet(from, "c")
		var next palloc.Context
		atOnce(func() { movesTo(c, to) }, func() {
			for range n % 97 { // so that other moments meet
				pause.Add(1)
			}
			c.Delete()
			next = palloc.NewAllocSet(from, "c")
		})
		if next.Parent() != from {
			t.Fatalf("round %d: another context was moved", n)
		}
		next.Delete()
	}
	wantEmpty(t, to)
	wantSound(t, "afterwards", mc)
}

// movesTo moves a context, and reports whether both existed.
func movesTo(c, to palloc.Context) (ok bool) {
	defer func() {
		if _, fault := recover().(*palloc.Fault); fault {
			ok = false
		}
	}()
	c.SetParent(to)
	return true
}

// TestTheParentIsAContextWhileItEnds asks for the parent while that is deleted, with a cached
// child in front of the one that asks.
func TestTheParentIsAContextWhileItEnds(t *testing.T) {
	rounds := sized(100_000, 5000)
	mc := newRoot(t)
	var asks atomic.Pointer[palloc.Context]
	var over atomic.Bool
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for !over.Load() {
			yieldIfAlone()
			if c := asks.Load(); c != nil && !hasParentOfAKind(*c) {
				t.Error("the parent is of no kind")
				return
			}
		}
	})
	for range rounds {
		parent := palloc.NewAllocSet(mc, "parent")
		c := palloc.NewAllocSet(parent, "c")
		palloc.NewAllocSet(parent, "cached").Delete()
		asks.Store(&c)
		parent.Delete()
	}
	over.Store(true)
	watcher.Wait()
}

// hasParentOfAKind reports whether the context's parent is one; true when either is deleted.
func hasParentOfAKind(c palloc.Context) (ok bool) {
	defer func() {
		if _, fault := recover().(*palloc.Fault); fault {
			ok = true
		}
	}()
	return c.Parent().Kind().String() == palloc.KindAllocSet.String()
}

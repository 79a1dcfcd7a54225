package palloc_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Meddling: operations that are allowed to any goroutine, on a context that its owner
// creates, fills, empties or deletes meanwhile.

// meddle calls own repeatedly until time is up. own lends each context that it creates to
// another goroutine, which runs with on it; done waits for that. A Fault in with means that
// the context was deleted meanwhile.
func meddle(t *testing.T, with func(c palloc.Context), own func(lend func(c palloc.Context) (done func()))) {
	t.Helper()
	if runtime.GOARCH == "wasm" {
		t.Skip("one thread, which runs without interruption: no goroutine meddles")
	}
	duration := 400 * time.Millisecond
	if cramped() {
		duration /= 2
	}
	var lent atomic.Pointer[palloc.Context]
	var over atomic.Bool
	var other sync.WaitGroup
	other.Go(func() {
		for !over.Load() {
			if c := lent.Load(); c != nil {
				faultOf(t, func() { with(*c) })
				lent.Store(nil)
			}
		}
	})
	defer other.Wait()
	defer over.Store(true)
	lend := func(c palloc.Context) (done func()) {
		lent.Store(&c)
		return func() {
			for lent.Load() != nil {
				runtime.Gosched()
			}
		}
	}
	for end := time.Now().Add(duration); time.Now().Before(end); {
		own(lend)
	}
}

// TestNothingOfADeletedContextGoesToTheNext creates and deletes contexts of one name, which
// all use one node.
func TestNothingOfADeletedContextGoesToTheNext(t *testing.T) {
	none := func(palloc.Pressure) error { return nil }
	for name, say := range map[string]func(c palloc.Context){
		"idents":    func(c palloc.Context) { c.SetIdent("another's") },
		"limits":    func(c palloc.Context) { c.SetLimit(10_000) },
		"callbacks": func(c palloc.Context) { c.OnPressure(none) },
		"sections":  func(c palloc.Context) { c.EnterCritical() },
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			rounds := 0
			pause, spun := 0, 0
			meddle(t, say, func(lend func(c palloc.Context) func()) {
				rounds++
				c := palloc.NewAllocSet(mc, "c")
				if ident, limit := c.Ident(), c.Budget().Limit; ident != "" || limit != palloc.NoLimit {
					t.Fatalf("a new context has ident %q and limit %d", ident, limit)
				}
				done := lend(c)
				for pause = (pause + 7) % 500; spun%512 < pause; spun++ {
				}
				spun = 0
				c.Delete()
				done()
				if rounds%64 != 0 {
					return
				}
				if err := mc.Check(); err != nil {
					t.Fatal(err)
				}
			})
			if mc.DeleteChildren(); mc.Check() != nil || !mc.IsEmpty() {
				t.Error("the tree is in disorder")
			}
			t.Logf("%d rounds", rounds)
		})
	}
}

// TestABudgetOpenedDuringAllocationsCountsNoMoreThanIsHeld opens a budget while the owner
// allocates. It may miss blocks until the owner acquires the next one, but never counts more
// than the context holds.
func TestABudgetOpenedDuringAllocationsCountsNoMoreThanIsHeld(t *testing.T) {
	meddle(t, func(c palloc.Context) { c.Parent().ResetPeak() }, func(lend func(c palloc.Context) func()) {
		mc := palloc.NewAllocSet(palloc.Top(), "budget")
		c := palloc.NewAllocSet(mc, "c")
		done := lend(c)
		for range 10 {
			palloc.FreePointer(c.Alloc(9000))
		}
		done()
		if err := mc.Check(); err != nil {
			t.Fatal(err)
		}
		mc.Delete()
	})
}

// A tenant owns a subtree, and does all that an owner may do.
type tenant struct {
	t      *testing.T
	r      *rand.Rand
	top    palloc.Context
	own    []palloc.Context
	chunks []leased
}

type leased struct {
	mc   palloc.Context
	p    unsafe.Pointer
	size int
	seed int
}

const slabSize = 200

// attempt runs an operation that a limit or a critical section may refuse.
func (o *tenant) attempt(f func()) {
	defer func() {
		var oom *palloc.OutOfMemoryError
		var f *palloc.Fault
		switch err, _ := recover().(error); {
		case err == nil, errors.As(err, &oom):
		case errors.As(err, &f) && saysOneOf(f.Reason, "critical section"):
		default:
			panic(err)
		}
	}()
	f()
}

func (o *tenant) step() {
	mc := o.own[o.r.IntN(len(o.own))]
	switch n := o.r.IntN(100); {
	case n < 55:
		o.attempt(func() { o.alloc(mc) })
	case n < 85 && len(o.chunks) > 0:
		o.attempt(o.take)
	case n < 90:
		mc.Reset()
		o.forget(mc)
	case n < 94 && mc != o.top:
		mc.Delete()
		o.forget(mc)
	case len(o.own) < 12:
		o.create(mc, o.r.IntN(len(kinds)+1))
	}
}

func (o *tenant) create(parent palloc.Context, k int) {
	if k == len(kinds) {
		o.own = append(o.own, palloc.NewAllocSet(parent, "shared", palloc.Shared()))
		return
	}
	o.own = append(o.own, newKind(parent, kinds[k], "own", slabSize))
}

// forget forgets the contexts and chunks that the reset or deletion of mc ended.
func (o *tenant) forget(mc palloc.Context) {
	o.own = slices.DeleteFunc(o.own, func(c palloc.Context) bool { return !c.Live() })
	o.chunks = slices.DeleteFunc(o.chunks, func(l leased) bool { return l.mc == mc || !l.mc.Live() })
}

func (o *tenant) alloc(mc palloc.Context) {
	l := leased{mc: mc, size: slabSize, seed: o.r.IntN(1000)}
	if mc.Kind() == palloc.KindSlab {
		l.p = mc.Alloc(l.size)
	} else if l.size = 1 << o.r.IntN(14); o.r.IntN(4) == 0 {
		l.p = mc.AllocAligned(l.size, 128)
	} else {
		l.p = mc.Alloc(l.size)
	}
	scribble(bytesAt(l.p, l.size), l.seed)
	if mc.Kind() != palloc.KindBump {
		o.chunks = append(o.chunks, l)
	}
}

// take frees a chunk or resizes it.
func (o *tenant) take() {
	i := o.r.IntN(len(o.chunks))
	l := &o.chunks[i]
	if !scribbled(bytesAt(l.p, l.size), l.seed) {
		o.t.Errorf("a chunk of %d bytes of %q has another's content", l.size, l.mc.Path())
	}
	if l.mc.Kind() != palloc.KindSlab && o.r.IntN(3) == 0 {
		size := 1 << o.r.IntN(15)
		l.p = palloc.Realloc(l.p, size)
		if !scribbled(bytesAt(l.p, min(size, l.size)), l.seed) {
			o.t.Errorf("a chunk of %d bytes lost its content when it was made %d", l.size, size)
		}
		l.size = size
		scribble(bytesAt(l.p, size), l.seed)
		return
	}
	palloc.FreePointer(l.p)
	o.chunks = slices.Delete(o.chunks, i, i+1)
}

// A meddler does all that any goroutine may do to a context.
func meddler(r *rand.Rand, c palloc.Context, halls []palloc.Context) {
	bound := int64(r.IntN(1 << 20))
	switch r.IntN(14) {
	case 0:
		c.SetLimit(bound)
	case 1:
		c.SetSoftLimit(bound)
	case 2:
		c.SetLimit(palloc.NoLimit)
	case 3:
		c.Peak()
		c.StopPeak()
	case 4:
		c.ResetPeak()
	case 5:
		leave := c.EnterCritical()
		runtime.Gosched()
		leave()
	case 6:
		c.AllowInCriticalSection(r.IntN(2) == 0)
	case 7:
		stop := c.OnPressure(func(palloc.Pressure) error { runtime.Gosched(); return nil })
		runtime.Gosched()
		stop()
	case 8:
		c.OnPressure(func(palloc.Pressure) error { panic("nothing is to be had") })
	case 9:
		c.SetIdent("an ident")
	case 10:
		palloc.TakeSnapshot(c)
	case 11:
		c.Budget()
	case 12:
		palloc.Trim()
	case 13:
		if c.Name() == "tenant" {
			c.SetParent(halls[r.IntN(len(halls))])
		}
	}
}

// TestMeddlersLeaveTheTreeInOrder checks, once all goroutines are done, that no memory is
// lost or allocated twice, and that every budget is exact.
func TestMeddlersLeaveTheTreeInOrder(t *testing.T) {
	rounds, steps := sized(12, 3), sized(3000, 800)
	for round := range rounds {
		mc := newRoot(t)
		halls := []palloc.Context{palloc.NewAllocSet(mc, "hall"), palloc.NewGeneration(mc, "hall"), palloc.NewAllocSet(mc, "hall")}
		halls[1].SetLimit(2 << 20)
		halls[2].SetSoftLimit(1 << 20)
		var over atomic.Bool
		var others sync.WaitGroup
		for i := range 2 {
			others.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
				for !over.Load() {
					for c := range mc.All() {
						if c != mc && r.IntN(3) == 0 {
							faultOf(t, func() { meddler(r, c, halls) })
						}
					}
					runtime.Gosched()
				}
			})
		}
		tenants := make([]*tenant, 3)
		together(len(tenants), func(i int) {
			top := palloc.NewAllocSet(halls[i], "tenant")
			o := &tenant{t: t, r: rand.New(rand.NewPCG(uint64(i), uint64(round))), top: top, own: []palloc.Context{top}}
			tenants[i] = o
			for range steps {
				o.step()
			}
		})
		over.Store(true)
		others.Wait()
		if err := mc.Check(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for c := range mc.All() {
			c.SetLimit(palloc.NoLimit)
			c.SetSoftLimit(palloc.NoLimit)
			if b := c.Budget(); b.Held > holds(c) {
				t.Errorf("round %d: the budget of %q says %+v, and a walk finds %d", round, c.Path(), b, holds(c))
			}
		}
		for _, o := range tenants {
			for _, l := range o.chunks {
				if !scribbled(bytesAt(l.p, l.size), l.seed) {
					t.Errorf("round %d: a chunk of %q has another's content", round, l.mc.Path())
				}
				palloc.FreePointer(l.p)
			}
			for _, c := range o.own {
				if !c.Live() {
					continue
				}
				if c.DeleteChildren(); c.Kind() != palloc.KindBump && !c.IsEmpty() {
					t.Errorf("round %d: %q has chunks that no goroutine holds: %+v", round, c.Path(), c.Stats())
				}
			}
		}
		if err := mc.Check(); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		mc.Delete()
	}
	if err := palloc.Top().Check(); err != nil {
		t.Error(err)
	}
}

package palloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Pressure: before a limit refuses, the callback of the context that holds most is called
// first. Whatever a callback does, the budgets stay exact.

// A cache holds memory that it can free.
type cache struct {
	mc    palloc.Context
	asked []palloc.Pressure
}

func newCache(parent palloc.Context, name string, bytes int) *cache {
	c := &cache{mc: palloc.NewAllocSet(parent, name)}
	c.mc.Alloc(bytes)
	return c
}

// evict frees everything.
func (c *cache) evict(p palloc.Pressure) error {
	c.asked = append(c.asked, p)
	c.mc.Reset()
	return nil
}

func TestTheLargestConsumerIsAskedFirst(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(1 << 20)
	small, large, outside := newCache(mc, "small", 100<<10), newCache(mc, "large", 600<<10), newCache(mc.Parent(), "outside", 900<<10)
	defer outside.mc.Delete()
	for _, c := range []*cache{small, large, outside} {
		c.mc.OnPressure(c.evict)
	}
	work := palloc.NewAllocSet(mc, "work")
	held := mc.Budget().Held
	scribble(bytesAt(work.Alloc(500<<10), 500<<10), 1) // 200 KiB more than the limit has left
	if len(large.asked) != 1 || len(small.asked) != 0 || len(outside.asked) != 0 {
		t.Fatalf("asked: large %v, small %v, outside %v", large.asked, small.asked, outside.asked)
	}
	p := large.asked[0]
	if p.Missing < held+500<<10-1<<20 || p.Missing > held+600<<10-1<<20 || p.Need != p.Missing {
		t.Errorf("%d bytes are held of 1 MiB, 500 KiB asked for, and the callback is told %+v", held, p)
	}
	if p.Held < 600<<10 || p.Asker != work || p.Limit != mc || p.Soft {
		t.Errorf("the callback is told %+v", p)
	}
	work.Alloc(420 << 10) // both must be freed
	if len(large.asked) < 2 && len(small.asked) != 1 {
		t.Errorf("asked: large %v, small %v", large.asked, small.asked)
	}
	if _, err := work.TryAlloc(1 << 20); err == nil {
		t.Error("2 MiB below a limit of one")
	}
	if b := mc.Budget(); b.Held != holds(mc) || b.Peak > 1<<20 {
		t.Errorf("%+v, and a walk finds %d", b, holds(mc))
	}
}

func TestASoftLimitAsksAndThenLetsPass(t *testing.T) {
	mc := newFresh(t)
	mc.SetSoftLimit(64 << 10)
	mc.SetLimit(256 << 10)
	calls := 0
	stop := mc.OnPressure(func(p palloc.Pressure) error {
		if !p.Soft || p.Limit != mc {
			t.Errorf("the callback is told %+v", p)
		}
		calls++
		return nil
	})
	mc.Alloc(60 << 10)
	if calls != 0 {
		t.Errorf("%d calls below the soft limit", calls)
	}
	mc.Alloc(20 << 10)
	if calls != 1 {
		t.Errorf("%d calls when the soft limit was passed, want one", calls)
	}
	if !stop() || stop() {
		t.Error("stop does not say whether the callback was there")
	}
	mc.Alloc(20 << 10)
	if calls != 1 {
		t.Error("a callback that was stopped is called")
	}
	if _, err := mc.TryAlloc(200 << 10); err == nil {
		t.Error("the limit was passed")
	}
}

func TestACallbackMayAllocateFreeAndDelete(t *testing.T) {
	mustBePlain(t)
	mc := newRoot(t)
	mc.SetLimit(128 << 10)
	old := palloc.NewGeneration(mc, "old")
	for range 1000 {
		old.Alloc(64)
	}
	depth, deepest := 0, 0
	mc.OnPressure(func(palloc.Pressure) error {
		depth++
		deepest = max(deepest, depth)
		spill := palloc.NewBump(mc, "spill")
		if _, err := spill.TryAlloc(100 << 10); err == nil { // needs callbacks again
			t.Error("the budget was short, and 100 KiB fit")
		}
		if old.Live() {
			old.Delete()
		}
		spill.Alloc(64)
		spill.Delete()
		depth--
		return nil
	})
	c := palloc.NewSlab(mc, "c", 3000)
	n := 0
	for ; n < 100; n++ {
		p, err := c.TryAlloc(3000)
		if err != nil {
			break
		}
		scribble(bytesAt(p, 3000), n)
	}
	if deepest != 1 || old.Live() || n < 35 {
		t.Errorf("the callback ran %d deep, old is live: %v, and %d chunks of 3000 fit into 128 KiB", deepest, old.Live(), n)
	}
	if b := mc.Budget(); b.Held != holds(mc) || b.Peak > b.Limit {
		t.Errorf("%+v, and a walk finds %d", b, holds(mc))
	}
}

func TestAPanicOfACallbackIsContained(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(64 << 10)
	mc.OnPressure(func(palloc.Pressure) error { panic("the disk is full") })
	var oom *palloc.OutOfMemoryError
	if _, err := mc.TryAlloc(70 << 10); !errors.As(err, &oom) {
		t.Fatalf("the error is %v", err)
	}
	if len(oom.Reclaims) != 1 || !strings.Contains(oom.Reclaims[0].Err.Error(), "the disk is full") || !strings.Contains(oom.Error(), "the disk is full") {
		t.Errorf("the error does not say why nothing was freed: %v", oom)
	}
	mc.Alloc(100)
	evicted := newCache(mc, "cache", 40<<10)
	evicted.mc.OnPressure(evicted.evict)
	mc.Alloc(30 << 10)
	if len(evicted.asked) != 1 {
		t.Errorf("behind one that panics a callback is asked %d times", len(evicted.asked))
	}
}

func TestACallbackMustNotResetTheAskingContext(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(64 << 10)
	c := palloc.NewAllocSet(mc, "c")
	c.Alloc(30 << 10)
	stop := mc.OnPressure(func(palloc.Pressure) error { c.Reset(); return nil })
	wantFault(t, func() { c.Alloc(40 << 10) }, "Alloc", c.Path(), "reset or deleted the context that was allocating")
	stop()
	c.Alloc(20 << 10)
}

// outcome returns the value that f panics with.
func outcome(f func()) (fault *palloc.Fault, oom *palloc.OutOfMemoryError) {
	defer func() {
		if err, _ := recover().(error); err != nil && !errors.As(err, &fault) && !errors.As(err, &oom) {
			panic(err)
		}
	}()
	f()
	return nil, nil
}

// TestACallbackMayTurnTheTreeOver has callbacks delete, reset and move contexts. The
// allocation panics with a Fault when its context is gone, and returns an error or a chunk
// when it is not; the tree is sound.
func TestACallbackMayTurnTheTreeOver(t *testing.T) {
	for name, turn := range map[string]func(mc, parent, asks palloc.Context){
		"deletes the parent":    func(_, parent, _ palloc.Context) { parent.Delete() },
		"deletes the budget":    func(mc, _, _ palloc.Context) { mc.Delete() },
		"deletes the asker":     func(_, _, asks palloc.Context) { asks.Delete() },
		"deletes its children":  func(_, _, asks palloc.Context) { asks.DeleteChildren() },
		"moves the asker out":   func(mc, _, asks palloc.Context) { asks.SetParent(mc.Parent()) },
		"moves and deletes":     func(mc, _, asks palloc.Context) { asks.SetParent(mc.Parent()); mc.Delete() },
		"opens a section":       func(mc, _, _ palloc.Context) { mc.EnterCritical() },
		"narrows the limit":     func(mc, _, _ palloc.Context) { mc.SetLimit(0) },
		"takes the limit away":  func(mc, _, _ palloc.Context) { mc.SetLimit(palloc.NoLimit) },
		"is refused itself":     func(_, _, asks palloc.Context) { asks.TryAlloc(1 << 20) },
		"registers and panics":  func(mc, _, _ palloc.Context) { mc.OnPressure(func(palloc.Pressure) error { panic(1) }); panic(2) },
		"replaces the parent":   func(mc, parent, _ palloc.Context) { parent.Delete(); palloc.NewAllocSet(mc, "parent") },
		"replaces the asker":    func(_, parent, asks palloc.Context) { asks.Delete(); palloc.NewAllocSet(parent, "asks") },
		"opens a budget within": func(_, parent, asks palloc.Context) { asks.SetLimit(1); parent.SetSoftLimit(1) },
	} {
		for _, ask := range []func(asks palloc.Context, p unsafe.Pointer){
			func(asks palloc.Context, p unsafe.Pointer) { asks.Alloc(100 << 10) },
			func(asks palloc.Context, p unsafe.Pointer) { asks.AllocAligned(100<<10, 64) },
			func(asks palloc.Context, p unsafe.Pointer) { palloc.Realloc(p, 100<<10) },
			func(asks palloc.Context, p unsafe.Pointer) {
				palloc.Append(asks, bytesAt(p, 104), make([]byte, 100<<10)...)
			},
		} {
			for _, opts := range [][]palloc.Option{nil, {palloc.Shared()}} {
				root := newRoot(t)
				mc := palloc.NewAllocSet(root, "budget")
				parent := palloc.NewAllocSet(mc, "parent")
				asks := palloc.NewAllocSet(parent, "asks", opts...)
				palloc.NewSlab(asks, "child", 64).Alloc(64)
				p := asks.Alloc(104)
				mc.SetLimit(64 << 10)
				mc.OnPressure(func(palloc.Pressure) error { turn(mc, parent, asks); return nil })
				fault, oom := outcome(func() { ask(asks, p) })
				if gone := !asks.Live(); gone != (fault != nil) && name != "opens a section" {
					t.Errorf("behind a callback that %s: %v, %v", name, fault, oom)
				}
				if err := root.Check(); err != nil {
					t.Fatalf("a callback that %s: %v", name, err)
				}
				root.Delete()
			}
		}
	}
}

// TestALimitHasNoSayInWhatACallbackMovedOut has a callback move the context that allocates.
// Only the limits around its new place can refuse it then; a context that every callback
// moves on is refused in the end.
func TestALimitHasNoSayInWhatACallbackMovedOut(t *testing.T) {
	for _, limit := range []int64{palloc.NoLimit, 1 << 30, 0} {
		for _, opts := range [][]palloc.Option{nil, {palloc.Shared()}} {
			root := newRoot(t)
			left, right := palloc.NewAllocSet(root, "left"), palloc.NewAllocSet(root, "right")
			left.SetLimit(1 << 20)
			right.SetLimit(limit)
			palloc.NewAllocSet(left, "hog").Alloc(700 << 10)
			asks := palloc.NewAllocSet(left, "asks", opts...)
			left.OnPressure(func(palloc.Pressure) error { asks.SetParent(right); return nil })
			right.OnPressure(func(palloc.Pressure) error { asks.SetParent(left); return nil })
			p, err := asks.TryAlloc(400 << 10)
			if limit == 0 {
				if err == nil {
					t.Error("moved to and fro between limits that refuse, and served")
				}
			} else if err != nil {
				t.Errorf("moved below a limit of %d: %v", limit, err)
			} else {
				scribble(bytesAt(p, 400<<10), 1)
			}
			if b := right.Budget(); b.Held != holds(right) || left.Budget().Held != holds(left) {
				t.Errorf("%+v and %+v, and walks find %d and %d", b, left.Budget(), holds(right), holds(left))
			}
			wantSound(t, "moved", root)
		}
	}
}

func TestTheEndOfAContextTakesItsCallbackAway(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(32 << 10)
	c := newCache(mc, "c", 100)
	stop := c.mc.OnPressure(c.evict)
	c.mc.Delete()
	if _, err := mc.TryAlloc(40 << 10); err == nil || len(c.asked) != 0 {
		t.Errorf("the error is %v, and a callback of a deleted context was asked %d times", err, len(c.asked))
	}
	if stop() {
		t.Error("a callback outlived its context")
	}
}

func TestReallocAndAppendReclaim(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(512 << 10)
	c := newCache(mc, "cache", 300<<10)
	c.mc.OnPressure(c.evict)
	p := mc.Alloc(100 << 10)
	scribble(bytesAt(p, 100<<10), 7)
	p = palloc.Realloc(p, 250<<10)
	if !scribbled(bytesAt(p, 100<<10), 7) || len(c.asked) != 1 {
		t.Errorf("after Realloc: asked %v", c.asked)
	}
	palloc.FreePointer(p)
	c.mc.Alloc(300 << 10)
	counted(t, mc, 20_000)
	if len(c.asked) != 2 {
		t.Errorf("after Append: asked %v", c.asked)
	}
}

func TestPressureFromManyGoroutines(t *testing.T) {
	mc := newRoot(t)
	mc.SetSoftLimit(256 << 10)
	mc.SetLimit(1 << 20)
	var mu sync.Mutex
	var caches []palloc.Context
	mc.OnPressure(func(p palloc.Pressure) error {
		mu.Lock()
		defer mu.Unlock()
		for freed := int64(0); len(caches) > 0 && freed < p.Need; {
			freed += caches[0].TreeHeld()
			caches[0].Delete()
			caches = slices.Delete(caches, 0, 1)
		}
		return nil
	})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				c := palloc.NewBump(mc, "cache")
				for range 50 {
					if _, err := c.TryAlloc(300); err != nil {
						break
					}
				}
				mu.Lock()
				caches = append(caches, c)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	if b := mc.Budget(); b.Held != holds(mc) || b.Peak > b.Limit || b.Peak <= b.SoftLimit/2 {
		t.Errorf("%+v, and a walk finds %d", b, holds(mc))
	}
}

// TestEveryLimitsCallbacksAreAsked checks that the callbacks of each limit that is reached
// are called, whatever soft and hard limits lie on the way.
func TestEveryLimitsCallbacksAreAsked(t *testing.T) {
	for way := range 16 {
		innerSoft, innerHard, midSoft, outerSoft := way&1 != 0, way&2 != 0, way&4 != 0, way&8 != 0
		outer := newRoot(t)
		outer.SetLimit(1 << 20)
		cached := newCache(outer, "cache", 600<<10)
		cached.mc.OnPressure(cached.evict)
		mid := palloc.NewAllocSet(outer, "mid")
		query := palloc.NewAllocSet(mid, "query")
		spill := newCache(query, "spill", 200<<10)
		spill.mc.OnPressure(spill.evict)
		if innerSoft {
			query.SetSoftLimit(100 << 10)
		}
		if innerHard {
			query.SetLimit(550 << 10)
		}
		if midSoft {
			mid.SetSoftLimit(64 << 10)
		}
		if outerSoft {
			outer.SetSoftLimit(900 << 10)
		}
		if _, err := query.TryAlloc(440 << 10); err != nil {
			t.Errorf("limits %04b: %v", way, err)
		}
		if len(cached.asked) != 1 && !innerHard && !innerSoft || innerHard && len(spill.asked) == 0 {
			t.Errorf("limits %04b: the cache was asked %d times, the spill %d", way, len(cached.asked), len(spill.asked))
		}
		wantOrder(t, outer)
		outer.Delete()
	}
}

// TestACacheGivesWay has a cache free entries with blocks of their own, as many bytes as the
// callback needs to free.
func TestACacheGivesWay(t *testing.T) {
	const entry, entries = 12_000, 600
	for _, k := range resizing {
		for _, order := range []string{"oldest first", "newest first", "at random"} {
			mc := newRoot(t)
			mc.SetLimit(8 << 20)
			c := newKind(mc, k, "cache", entry)
			var kept []unsafe.Pointer
			for len(kept) < entries {
				p, err := c.TryAlloc(entry)
				if err != nil {
					break
				}
				kept = append(kept, p)
			}
			filled := len(kept)
			switch order {
			case "newest first":
				slices.Reverse(kept)
			case "at random":
				rand.New(rand.NewPCG(1, 2)).Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
			}
			asked := 0
			c.OnPressure(func(p palloc.Pressure) error {
				asked++
				for freed := int64(0); freed < p.Need && len(kept) > 0; kept = kept[1:] {
					freed += int64(palloc.Footprint(kept[0]))
					palloc.FreePointer(kept[0])
				}
				return nil
			})
			work := palloc.NewAllocSet(mc, "work")
			for range 16 {
				if _, err := work.TryAlloc(200 << 10); err != nil {
					t.Fatalf("%v, %s: with %d of %d entries left: %v", k, order, len(kept), filled, err)
				}
			}
			if len(kept) == 0 || asked > 200 {
				t.Errorf("%v, %s: %d of %d entries are left after %d calls", k, order, len(kept), filled, asked)
			}
		}
	}
}

// TestWithoutProgressNoCallbackIsAskedAgain checks that callbacks that free nothing are
// called once for a request, whatever they return.
func TestWithoutProgressNoCallbackIsAskedAgain(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(1 << 20)
	calls := 0
	for range 5 {
		palloc.NewAllocSet(mc, "c").OnPressure(func(palloc.Pressure) error { calls++; return nil })
	}
	for range 3 {
		before := calls
		if _, err := mc.TryAlloc(2 << 20); err == nil || calls != before+5 {
			t.Errorf("%v, and %d calls", err, calls-before)
		}
	}
}

// TestWhatChangesBudgetsIsNotFreed has a callback whose context changes budgets, all below
// the limit that is reached, and frees nothing.
func TestWhatChangesBudgetsIsNotFreed(t *testing.T) {
	for how, shuffle := range map[string]func(c, at, to palloc.Context){
		"a budget comes and goes":       func(c, _, _ palloc.Context) { c.ResetPeak(); c.StopPeak() },
		"one around it comes and goes":  func(_, at, _ palloc.Context) { at.SetLimit(1 << 30); at.SetLimit(palloc.NoLimit) },
		"it moves to another and back":  func(c, at, to palloc.Context) { to.ResetPeak(); c.SetParent(to); c.SetParent(at) },
		"it moves with its own":         func(c, at, to palloc.Context) { c.ResetPeak(); to.ResetPeak(); c.SetParent(to); c.SetParent(at) },
		"it moves between two and back": func(c, at, to palloc.Context) { at.ResetPeak(); to.ResetPeak(); c.SetParent(to); c.SetParent(at) },
	} {
		mc := newRoot(t)
		mc.SetLimit(1 << 20)
		at, to := palloc.NewAllocSet(mc, "at"), palloc.NewAllocSet(mc, "to")
		c := palloc.NewAllocSet(at, "c")
		palloc.NewAllocSet(c, "below").Alloc(100_000)
		c.Alloc(200_000)
		c.OnPressure(func(palloc.Pressure) error { shuffle(c, at, to); return nil })
		_, err := mc.TryAlloc(2 << 20)
		var oom *palloc.OutOfMemoryError
		if !errors.As(err, &oom) || len(oom.Reclaims) != 1 || oom.Reclaims[0].Calls != 1 || oom.Reclaims[0].Freed != 0 {
			t.Errorf("%s: %v", how, err)
		}
		wantSound(t, how, mc)
		if b := mc.Budget(); b.Held != holds(mc) {
			t.Errorf("%s: the budget says %+v, and a walk finds %d", how, b, holds(mc))
		}
	}
}

// inTheNodeOf creates a context with another name in the node of one that was deleted just
// now, and held nothing.
func inTheNodeOf(t *testing.T, gone palloc.Context, name string) {
	t.Helper()
	if other := palloc.NewBump(palloc.Top(), name); number(other) != number(gone) {
		t.Error("the node is not used for the next context")
	} else {
		t.Cleanup(other.Delete)
	}
}

// TestErrorsNameWhatWasThereBefore has a callback delete its context, whose node then serves
// another one: errors name the first.
func TestErrorsNameWhatWasThereBefore(t *testing.T) {
	for _, spares := range []bool{false, true} {
		mc := newRoot(t)
		mc.SetLimit(100_000)
		c := palloc.NewAllocSet(mc, "owner of "+t.Name())
		c.SetIdent("number 1")
		asker := palloc.NewAllocSet(c, "asker")
		where := c.Path()
		c.OnPressure(func(palloc.Pressure) error {
			if spares {
				asker.SetParent(mc)
			}
			c.Delete()
			inTheNodeOf(t, c, "bystander of "+t.Name())
			return nil
		})
		if !spares {
			wantFault(t, func() { asker.Alloc(1 << 20) }, "Alloc", asker.Path(), where)
			continue
		}
		_, err := asker.TryAlloc(1 << 20)
		var oom *palloc.OutOfMemoryError
		if !errors.As(err, &oom) || len(oom.Reclaims) != 1 || oom.Reclaims[0].Context != where || oom.Reclaims[0].Ident != "number 1" {
			t.Errorf("%v", err)
		}
	}
}

// TestALimitThatIsGoneHasNoOthersName moves the allocating context from limit to limit until
// the request gives up, and deletes the last of them.
func TestALimitThatIsGoneHasNoOthersName(t *testing.T) {
	mc := newRoot(t)
	asker := palloc.NewAllocSet(mc, "asker")
	var next func(n int)
	next = func(n int) {
		c := palloc.NewAllocSet(mc, "limited in "+t.Name())
		c.SetLimit(100_000)
		asker.SetParent(c)
		c.OnPressure(func(palloc.Pressure) error {
			if asker.SetParent(mc); n > 0 {
				next(n - 1)
			}
			c.Delete()
			inTheNodeOf(t, c, "bystander of "+t.Name())
			return nil
		})
	}
	next(4)
	_, err := asker.TryAlloc(1 << 20)
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || oom.Limit != 100_000 || oom.LimitedBy != "(deleted)" {
		t.Errorf("%v", err)
	}
}

// TestMoreThanIsMissingIsAskedFor checks that Need is at least a 64th of the bytes that the
// callback's context holds.
func TestMoreThanIsMissingIsAskedFor(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(1 << 20)
	c := newCache(mc, "cache", 700<<10)
	palloc.NewBump(c.mc, "below").Alloc(200 << 10)
	c.mc.OnPressure(c.evict)
	held := c.mc.TreeHeld()
	small := palloc.NewAllocSet(mc, "small")
	for len(c.asked) == 0 {
		small.Alloc(3000)
	}
	if p := c.asked[0]; p.Need != max(p.Missing, held/64) || p.Need <= p.Missing || p.Held != held {
		t.Errorf("asked %+v of a context that holds %d", p, held)
	}
}

// TestWhatIsFreedInTheAskingContextCounts has a cache reach its own limit, and free chunks
// in its own blocks: the request then fits, although no fewer bytes are held.
func TestWhatIsFreedInTheAskingContextCounts(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindSlab}, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		mc.SetLimit(256 << 10)
		c := newKind(mc, k, "cache", 1000)
		var kept []unsafe.Pointer
		c.OnPressure(func(p palloc.Pressure) error {
			if len(kept) > 0 {
				palloc.FreePointer(kept[0])
				kept = kept[1:]
			}
			return nil
		})
		for i := range 5000 {
			p, err := c.TryAlloc(1000)
			if err != nil {
				t.Fatalf("chunk %d, with %d that could be freed: %v", i, len(kept), err)
			}
			kept = append(kept, p)
		}
	})
}

func TestASharedContextThatItsOwnCallbackResetsIsNoticed(t *testing.T) {
	for name, end := range map[string]func(mc palloc.Context){"resets": palloc.Context.Reset, "resets only": palloc.Context.ResetOnly, "deletes": palloc.Context.Delete} {
		for _, opts := range [][]palloc.Option{nil, {palloc.Shared()}} {
			mc := palloc.NewAllocSet(newRoot(t), "c", opts...)
			path := mc.Path()
			mc.SetLimit(200 << 10)
			mc.Alloc(100 << 10)
			mc.OnPressure(func(palloc.Pressure) error { end(mc); return nil })
			fault := faultOf(t, func() { mc.Alloc(150 << 10) })
			if fault == nil || fault.Context != path || !strings.Contains(fault.Reason, "reset or deleted the context that was allocating") || !strings.Contains(fault.Reason, "pressure_test.go:") {
				t.Errorf("shared %v, %s: %+v", len(opts) > 0, name, fault)
			}
		}
	}
}

// TestASoftLimitThatStaysPassedAsksSeldom checks when callbacks that freed nothing are
// called again: when a 64th more is held, or after the bytes held have fallen far.
func TestASoftLimitThatStaysPassedAsksSeldom(t *testing.T) {
	mc := newRoot(t)
	mc.SetSoftLimit(1 << 20)
	calls := 0
	mc.OnPressure(func(p palloc.Pressure) error { calls++; return nil })
	mc.Alloc(1 << 20)
	if calls != 1 {
		t.Fatalf("%d calls when the limit was passed", calls)
	}
	for range 1000 {
		palloc.FreePointer(mc.Alloc(10 << 10))
	}
	if calls > 2 {
		t.Errorf("%d calls while what is held does not grow", calls)
	}
	calls = 0
	first := mc.TreeHeld()
	for mc.TreeHeld() < 2*first {
		mc.Alloc(10 << 10)
	}
	if calls < 30 || calls > 64 {
		t.Errorf("%d calls while what is held doubles", calls)
	}
	for name, fall := range map[string]func(){"below the limit": mc.Reset, "by half": func() {
		mc.Reset()
		c := palloc.NewAllocSet(mc, "c")
		mc.Alloc(6 << 20)
		c.Alloc(12 << 20)
		c.Delete()
	}} {
		fall()
		calls = 0
		for held := mc.TreeHeld(); mc.TreeHeld() < max(held+held/16, 3<<20); {
			mc.Alloc(20 << 10)
		}
		if calls == 0 {
			t.Errorf("after a fall %s no callback is called", name)
		}
	}
}

// TestListenersFollowTheirContexts checks that callbacks belong to the budgets around their
// contexts, after budgets are opened and closed and contexts are moved.
func TestListenersFollowTheirContexts(t *testing.T) {
	root := newRoot(t)
	mc := palloc.NewAllocSet(root, "mc")
	c := newCache(palloc.NewAllocSet(mc, "between"), "cache", 500<<10)
	c.mc.OnPressure(c.evict) // before any budget is open
	refill := func() { c.mc.Reset(); c.mc.Alloc(500 << 10) }
	asks := palloc.NewAllocSet(mc, "asks")
	want := func(what string, times int) {
		t.Helper()
		refill()
		c.asked = nil
		asks.TryAlloc(700 << 10)
		asks.Reset()
		if len(c.asked) != times {
			t.Errorf("%s: asked %d times, want %d", what, len(c.asked), times)
		}
		wantOrder(t, palloc.Top())
	}
	want("no budget", 0)
	mc.SetLimit(1 << 20)
	want("a budget around it", 1)
	c.mc.Parent().SetLimit(palloc.NoLimit - 1)
	want("a budget within", 1)
	c.mc.Parent().SetLimit(palloc.NoLimit)
	want("the one within closed", 1)
	root.SetLimit(palloc.NoLimit - 1)
	want("one around both", 1)
	c.mc.Parent().SetParent(root)
	asks.TryAlloc(1 << 20)
	if len(c.asked) != 1 {
		t.Error("a callback is asked for a limit that it is not under")
	}
	c.mc.Parent().SetParent(mc)
	want("moved back", 1)
	mc.SetLimit(palloc.NoLimit)
	want("the budget closed", 0)
}

func BenchmarkSoftLimitBesideOthersListeners(b *testing.B) {
	for _, n := range []int{0, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			other := palloc.NewAllocSet(palloc.Top(), "other")
			defer other.Delete()
			for range n {
				palloc.NewAllocSet(other, "session").OnPressure(func(palloc.Pressure) error { return nil })
			}
			mc := palloc.NewAllocSet(palloc.Top(), "mine")
			defer mc.Delete()
			mc.SetSoftLimit(1)
			for i := 0; b.Loop(); i++ {
				if mc.Alloc(9000); i%100 == 99 {
					mc.Reset()
				}
			}
		})
	}
}

// TestMoreGoroutinesRunCallbacksThanHaveNumbers: a callback that allocates beyond the limit is not called
// for that, in none of them.
func TestMoreGoroutinesRunCallbacksThanHaveNumbers(t *testing.T) {
	const goroutines = 4100 // a few more than have numbers
	root := newRoot(t)
	var inside, done sync.WaitGroup
	var again, refused atomic.Int32
	inside.Add(goroutines)
	for range goroutines {
		mc := palloc.NewBump(root, "limited")
		mc.SetLimit(100 << 10)
		called := false
		mc.OnPressure(func(palloc.Pressure) error {
			if called {
				again.Add(1)
				return nil
			}
			called = true
			inside.Done()
			inside.Wait()
			if _, err := mc.TryAlloc(200 << 10); err != nil {
				refused.Add(1)
			}
			return nil
		})
		done.Go(func() {
			if _, err := mc.TryAlloc(200 << 10); err != nil {
				refused.Add(1)
			}
		})
	}
	done.Wait()
	if again.Load() != 0 || refused.Load() != 2*goroutines {
		t.Errorf("%d callbacks are called again, and %d of %d requests are refused", again.Load(), refused.Load(), 2*goroutines)
	}
}

// TestACallbackMayAskThoseOfOtherLimits: each allocates beyond a limit that is not around the others, three deep.
func TestACallbackMayAskThoseOfOtherLimits(t *testing.T) {
	root := newRoot(t)
	var mc [5]palloc.Context
	for i := range mc {
		mc[i] = palloc.NewBump(root, fmt.Sprint(i))
		mc[i].SetLimit(100 << 10)
	}
	var calls [5]int
	var errs [5]error
	for i := range mc {
		mc[i].OnPressure(func(palloc.Pressure) error {
			if calls[i]++; i+1 < len(mc) {
				_, errs[i+1] = mc[i+1].TryAlloc(200 << 10)
			}
			return nil
		})
	}
	_, errs[0] = mc[0].TryAlloc(200 << 10)
	if calls != [...]int{1, 1, 1, 0, 0} {
		t.Errorf("the callbacks were called %v times", calls)
	}
	for i, err := range errs {
		if nested := err != nil && strings.Contains(err.Error(), "no callback is asked"); (err != nil) != (i < 4) || nested != (i == 3) {
			t.Errorf("request %d: %v", i, err)
		}
	}
}

package palloc_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/block"
	kindpkg "github.com/gopalloc/palloc/internal/kind"
)

// Budgets: the memory a subtree holds never exceeds its limit, and a request that fits is
// never refused.

// holds returns the bytes that the context and its descendants hold, found by a walk.
func holds(mc palloc.Context) (sum int64) {
	for c := range mc.All() {
		sum += c.Held()
	}
	return sum
}

// leastFor returns the size of the smallest block from which a context of a kind can
// allocate a chunk of size bytes: the chunk is refused only where not even that fits.
func leastFor(k palloc.Kind, size int) int64 {
	n := uintptr(max(size, 1)+7) &^ 7
	switch k {
	case palloc.KindBump:
		return int64(block.RoundUp(32 + n))
	case palloc.KindGeneration:
		if n > 2048 {
			return int64(block.RoundUp(40 + n))
		}
		return frame(64 + 8 + classOf(n))
	case palloc.KindSlab:
		return frame(64 + 8 + n)
	}
	return int64(block.RoundUp(32 + 8 + classOf(n)))
}

func frame(n uintptr) int64 {
	size := uintptr(256)
	for size < n {
		size *= 2
	}
	return int64(size)
}

// classOf returns the size of the class of n bytes, a multiple of 8. There are four classes
// per doubling beyond 64, two beyond 2048, none beyond 8192.
func classOf(n uintptr) uintptr {
	if n > 8192 {
		return n
	}
	step := uintptr(8)
	for top := uintptr(64); n > top; top *= 2 {
		step = top / 4
		if top >= 2048 {
			step = top / 2
		}
	}
	return (n + step - 1) / step * step
}

// A limited is a script of allocations below a context with a limit.
type limited struct {
	t        *testing.T
	mc       palloc.Context
	limit    int64
	refusals int
}

// alloc allocates and checks the limit. It returns nil when the allocation is refused.
func (l *limited) alloc(c palloc.Context, size int) unsafe.Pointer {
	l.t.Helper()
	before := l.mc.Budget().Held
	p, err := c.TryAlloc(size)
	l.check()
	if err == nil {
		scribble(bytesAt(p, size), size)
		return p
	}
	l.refusals++
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || oom.LimitedBy != l.mc.Path() || oom.Limit != l.limit || oom.Held > before || oom.Context != c.Path() || len(oom.Tree.Rows) == 0 {
		l.t.Fatalf("limit %d: the error is %+v", l.limit, err)
	}
	if least := leastFor(c.Kind(), size); before+least <= l.limit {
		l.t.Fatalf("limit %d: %d bytes in %s are refused, %d are held, and %d would have done", l.limit, size, c.Path(), before, least)
	}
	held := l.mc.Budget().Held
	if least := leastFor(c.Kind(), size); held+least <= l.limit {
		l.t.Fatalf("limit %d: %d bytes in %s are refused, %d are held since, and %d would have done", l.limit, size, c.Path(), held, least)
	}
	if held > before { // whole free blocks may have been released
		l.t.Fatalf("limit %d: a refusal makes %d bytes of %d", l.limit, held, before)
	}
	return nil
}

func (l *limited) check() {
	l.t.Helper()
	b := l.mc.Budget()
	if walked := holds(l.mc); b.Held != walked || b.Held > l.limit || b.Peak < b.Held || b.Peak > l.limit {
		l.t.Fatalf("limit %d: %+v, and a walk finds %d", l.limit, b, walked)
	}
}

// run runs the script: all kinds, growth, frees, resets, deletions, creations.
func (l *limited) run() {
	set, generation := palloc.NewAllocSet(l.mc, "set"), palloc.NewGeneration(l.mc, "generation")
	slab, bump := palloc.NewSlab(l.mc, "slab", 72), palloc.NewBump(l.mc, "bump")
	l.check()
	for round := range 3 {
		var chunks []unsafe.Pointer
		for i := range 60 {
			for _, c := range []palloc.Context{set, generation, bump} {
				p := l.alloc(c, 8+(i*i*37+round)%600)
				if p != nil && c != bump {
					chunks = append(chunks, p)
				}
			}
			if p := l.alloc(slab, 72); p != nil {
				chunks = append(chunks, p)
			}
			if i%3 == 0 && len(chunks) > 4 {
				palloc.FreePointer(chunks[0])
				palloc.FreePointer(chunks[3])
				chunks = append(chunks[1:3], chunks[4:]...)
				l.check()
			}
		}
		if p := l.alloc(set, 9000); p != nil {
			if q, err := palloc.TryRealloc(p, 30_000); err == nil {
				p = q
			}
			l.check()
			palloc.FreePointer(p)
		}
		child := palloc.NewAllocSet(set, "child")
		l.alloc(child, 3000)
		child.Delete()
		bump.Reset()
		l.check()
	}
	generation.Reset()
	l.check()
	set.Delete()
	l.check()
}

// TestNoLimitIsPassedAndNothingThatFitsIsRefused tries all limits from 0 to what the script
// needs, in steps of a block.
func TestNoLimitIsPassedAndNothingThatFitsIsRefused(t *testing.T) {
	top := newRoot(t)
	all := &limited{t: t, mc: palloc.NewAllocSet(top, "limited"), limit: palloc.NoLimit - 1}
	all.mc.SetLimit(all.limit)
	all.run()
	peak := all.mc.Peak()
	all.mc.Delete()
	step := int64(256)
	if cramped() {
		step *= 16
	}
	limits, refusals := 0, 0
	for limit := int64(0); limit <= peak+step; limit += step {
		l := &limited{t: t, mc: palloc.NewAllocSet(top, "limited"), limit: limit}
		l.mc.SetLimit(limit)
		l.run()
		limits, refusals = limits+1, refusals+l.refusals
		if limit >= peak && l.refusals > 0 {
			t.Errorf("the script needs %d bytes, and was refused %d times with a limit of %d", peak, l.refusals, limit)
		}
		l.mc.Delete()
	}
	t.Logf("%d limits up to %d bytes, %d refusals", limits, peak, refusals)
	if refusals < limits {
		t.Error("few limits refused anything")
	}
}

func TestAccountsAgreeWithTheTreeWhateverHappens(t *testing.T) {
	top := newRoot(t)
	rng := rand.New(rand.NewPCG(1, 2))
	live := []palloc.Context{palloc.NewAllocSet(top, "c"), palloc.NewAllocSet(top, "c")}
	budgeted := map[palloc.Context]bool{}
	pick := func() palloc.Context { return live[rng.IntN(len(live))] }
	steps := sized(20_000, 2000)
	checks := 0
	for range steps {
		c := pick()
		switch rng.IntN(40) {
		case 0, 1, 7, 8, 9, 10:
			if len(live) < 60 {
				live = append(live, newKind(c, kinds[rng.IntN(len(kinds))], fmt.Sprint("c", rng.IntN(3)), 48))
			}
		case 2:
			if len(live) > 2 && rng.IntN(3) == 0 {
				c.Delete()
			}
		case 3:
			c.ResetOnly()
			if rng.IntN(4) == 0 {
				c.Reset()
			}
		case 4:
			if to := pick(); to != c && !below(to, c) {
				c.SetParent(to)
			}
		case 5:
			c.SetLimit(palloc.NoLimit - int64(rng.IntN(2)))
			budgeted[c] = true
		case 6:
			if rng.IntN(4) == 0 {
				c.DeleteChildren()
			}
		default:
			for range rng.IntN(20) {
				size := 48
				if c.Kind() != palloc.KindSlab {
					size = rng.IntN(500)
				}
				if p := c.Alloc(size); c.Kind() != palloc.KindBump && rng.IntN(2) == 0 {
					palloc.FreePointer(p)
				}
			}
		}
		kept := live[:0]
		for _, c := range live {
			if c.Live() {
				kept = append(kept, c)
			}
		}
		if live = kept; len(live) == 0 {
			live = append(live, palloc.NewAllocSet(top, "c"))
		}
		for c := range budgeted {
			if !c.Live() {
				delete(budgeted, c)
				continue
			}
			checks++
			if b := c.Budget(); b.Held != holds(c) || b.Peak < b.Held {
				t.Fatalf("%s: %+v, and a walk finds %d", c.Path(), b, holds(c))
			}
		}
	}
	t.Logf("%d steps, %d checks of a budget", steps, checks)
	if checks < steps {
		t.Error("few budgets lived")
	}
}

// below reports whether c is a descendant of top.
func below(c, top palloc.Context) bool {
	for c = c.Parent(); c != (palloc.Context{}); c = c.Parent() {
		if c == top {
			return true
		}
	}
	return false
}

func TestANestedLimitIsHeardFirst(t *testing.T) {
	outer := newRoot(t)
	outer.SetLimit(64 << 10)
	inner := palloc.NewAllocSet(outer, "inner")
	inner.SetLimit(16 << 10)
	sibling := palloc.NewAllocSet(outer, "sibling")
	var oom *palloc.OutOfMemoryError
	if _, err := inner.TryAlloc(20 << 10); !errors.As(err, &oom) || oom.LimitedBy != inner.Path() {
		t.Errorf("20 KiB with a limit of 16: %v", err)
	}
	inner.Alloc(8 << 10)
	if _, err := sibling.TryAlloc(60 << 10); !errors.As(err, &oom) || oom.LimitedBy != outer.Path() || oom.Held != holds(outer) {
		t.Errorf("60 KiB in addition to 8 with a limit of 64: %v", err)
	}
	if text := oom.Error(); !strings.Contains(text, sibling.Path()) || !strings.Contains(text, outer.Path()) || !strings.Contains(text, "65536") {
		t.Errorf("the error says %q", text)
	}
	inner.SetParent(outer.Parent())
	if held := outer.Budget().Held; held != holds(outer) {
		t.Errorf("%d bytes are held where %d are", held, holds(outer))
	}
	sibling.Alloc(50 << 10)
	inner.SetParent(outer) // a move is not refused
	if b := outer.Budget(); b.Held != holds(outer) {
		t.Errorf("%+v, and a walk finds %d", b, holds(outer))
	}
}

func TestPeakIsWhatWasHeldAtMost(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	mc.ResetPeak()
	if mc.Peak() != mc.TreeHeld() {
		t.Errorf("a new budget has a peak of %d, and %d are held", mc.Peak(), mc.TreeHeld())
	}
	palloc.FreePointer(c.Alloc(1 << 20))
	if peak := mc.Peak(); peak < 1<<20 || peak > 5<<18 {
		t.Errorf("after 1 MiB the peak is %d", peak)
	}
	mc.ResetPeak()
	if b := mc.Budget(); b.Peak != b.Held || b.Held != holds(mc) {
		t.Errorf("after ResetPeak: %+v", b)
	}
}

func TestALimitBelowWhatIsHeldTakesNothingBack(t *testing.T) {
	mc := newRoot(t)
	p := mc.Alloc(100 << 10)
	scribble(bytesAt(p, 100<<10), 1)
	mc.SetLimit(10)
	if _, err := mc.TryAlloc(9000); err == nil {
		t.Error("a block was acquired beyond the limit")
	}
	if !scribbled(bytesAt(p, 100<<10), 1) {
		t.Error("the limit took something back")
	}
	mc.SetLimit(palloc.NoLimit)
	mc.Alloc(9000)
	wantFault(t, func() { mc.SetLimit(-1) }, "SetLimit", mc.Path(), "at least 0")
	wantFault(t, func() { mc.SetSoftLimit(-5) }, "SetSoftLimit", mc.Path(), "at least 0")
}

func TestEightGoroutinesAllocateUnderOneLimit(t *testing.T) {
	mc := newRoot(t)
	const limit = 512 << 10
	mc.SetLimit(limit)
	long := time.Second
	if raced && !testing.Short() {
		long = 10 * time.Second
	}
	end := time.Now().Add(long)
	var group sync.WaitGroup
	var refusals, allocs [8]int
	for g := range 8 {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 3))
			for time.Now().Before(end) {
				c := newKind(mc, kinds[g%len(kinds)], fmt.Sprint("c", g), 200)
				for range rng.IntN(2000) {
					size := 200
					if c.Kind() != palloc.KindSlab {
						size = rng.IntN(1000)
					}
					p, err := c.TryAlloc(size)
					if err != nil {
						refusals[g]++
						break
					}
					allocs[g]++
					scribble(bytesAt(p, size), g)
				}
				c.Delete()
				runtime.Gosched() // where there is only one thread
			}
		})
	}
	watched := 0
	for time.Now().Before(end) {
		if b := mc.Budget(); b.Held > limit || b.Peak > limit {
			t.Errorf("%+v with a limit of %d", b, limit)
			break
		}
		watched++
		time.Sleep(time.Millisecond)
	}
	group.Wait()
	for g := range 8 {
		if allocs[g] == 0 {
			t.Errorf("goroutine %d allocated nothing", g)
		}
	}
	if b := mc.Budget(); b.Held != holds(mc) || b.Peak > limit {
		t.Errorf("at the end: %+v, and a walk finds %d", b, holds(mc))
	}
	t.Logf("refusals %v, allocations %v, looked at %d times", refusals, allocs, watched)
}

// TestABudgetThatIsTakenAwayIsGone checks that deleted contexts below it are cached again.
func TestABudgetThatIsTakenAwayIsGone(t *testing.T) {
	for name, open := range map[string]func(mc palloc.Context) (take func()){
		"a limit":      func(mc palloc.Context) func() { mc.SetLimit(1 << 20); return func() { mc.SetLimit(palloc.NoLimit) } },
		"a soft limit": func(mc palloc.Context) func() { mc.SetSoftLimit(1); return func() { mc.SetSoftLimit(palloc.NoLimit) } },
		"a peak":       func(mc palloc.Context) func() { mc.ResetPeak(); return mc.StopPeak },
		"a section that was left": func(mc palloc.Context) func() {
			mc.EnterCritical()()
			return func() { mc.SetLimit(palloc.NoLimit) }
		},
		"all": func(mc palloc.Context) func() {
			mc.SetLimit(1 << 20)
			mc.SetSoftLimit(1 << 19)
			mc.ResetPeak()
			leave := mc.EnterCritical()
			return func() {
				mc.SetLimit(palloc.NoLimit)
				mc.SetSoftLimit(palloc.NoLimit)
				mc.StopPeak()
				if !guarded(mc) {
					t.Error("a section is open, and the budget is gone")
				}
				leave()
				mc.StopPeak()
			}
		},
		"nothing":             func(mc palloc.Context) func() { return func() { mc.SetLimit(palloc.NoLimit) } },
		"a peak that is read": func(mc palloc.Context) func() { mc.Peak(); return func() { mc.Budget() } },
	} {
		for _, inside := range []bool{false, true} {
			root := newRoot(t)
			if inside {
				root.SetLimit(64 << 20)
			}
			mc := palloc.NewAllocSet(root, "mc")
			deep := palloc.NewBump(palloc.NewAllocSet(mc, "below"), "deep")
			deep.AllowInCriticalSection(true)
			take := open(mc)
			deep.Alloc(3000)
			take()
			deep.Alloc(3000)
			for _, c := range []palloc.Context{mc, deep} {
				if guarded(c) != inside {
					t.Errorf("%s, within another budget %v: guarded %v", name, inside, guarded(c))
				}
			}
			if b := mc.Budget(); b.Limit != palloc.NoLimit || b.SoftLimit != palloc.NoLimit || b.Held != holds(mc) {
				t.Errorf("%s: %+v is left, and %d are held", name, b, holds(mc))
			}
			if inside {
				if b := root.Budget(); b.Held != holds(root) {
					t.Errorf("%s: %+v, and a walk finds %d", name, b, holds(root))
				}
			} else {
				c := palloc.NewAllocSet(mc, "request")
				if c.Delete(); slotOf(c).CachedAs == 0 {
					t.Errorf("%s: a context is not kept for the next one", name)
				}
			}
			wantOrder(t, palloc.Top())
			root.Delete()
		}
	}
}

// guarded reports whether a budget counts the context.
func guarded(mc palloc.Context) bool { return slotOf(mc).Has&kindpkg.Limited != 0 }

// leastLimit returns the least limit at which fits is true, to about a 64th.
func leastLimit(fits func(limit int64) bool) int64 {
	low, high := int64(0), int64(1<<30)
	for high-low > low/64 {
		if mid := low + (high-low)/2; fits(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// TestWhatGrowsNeedsTheOldAndTheNew checks that growth near a limit needs the old and the
// new chunk and no more.
func TestWhatGrowsNeedsTheOldAndTheNew(t *testing.T) {
	for name, grow := range map[string]func(mc palloc.Context, size int) error{
		"Append": func(mc palloc.Context, size int) error {
			s, err := palloc.TryMakeSlice[byte](mc, size, size)
			if err != nil {
				return err
			}
			s = s[:cap(s):cap(s)]
			grown, err := palloc.TryAppend(mc, s, 1)
			if err == nil && len(grown) != size+1 {
				return errors.New("it did not grow")
			}
			return err
		},
		"Buffer": func(mc palloc.Context, size int) error {
			b := palloc.NewBuffer(mc)
			if err := b.TryGrow(size); err != nil {
				return err
			}
			if _, err := b.Write(make([]byte, b.Cap())); err != nil {
				return err
			}
			return b.WriteByte(1)
		},
		"Realloc": func(mc palloc.Context, size int) error {
			p, err := mc.TryAlloc(size)
			if err != nil {
				return err
			}
			_, err = palloc.TryRealloc(p, palloc.UsableSize(p)+1)
			return err
		},
	} {
		for _, k := range anySize {
			if name == "Realloc" && k == palloc.KindBump {
				continue
			}
			for _, size := range []int{20_000, 32 << 10, 300 << 10, 6 << 20} {
				top := newRoot(t)
				least := leastLimit(func(limit int64) bool {
					mc := newKind(top, k, fmt.Sprint(name, limit%7), 0)
					defer mc.Delete()
					mc.SetLimit(limit)
					return grow(mc, size) == nil
				})
				old := block.RoundUp(uintptr(size) + 64)
				if most := int64(old+block.RoundUp(old+64)) + 16<<10; least > most+most/64 {
					t.Errorf("%s in a %v of one byte to %d needs a limit of %d: %.2f times as much", name, k, size, least, float64(least)/float64(size))
				}
			}
		}
	}
}

// TestToGrowEvictsNothingForRoomToSpare checks that growth reclaims only what it needs, and
// nothing for spare capacity.
func TestToGrowEvictsNothingForRoomToSpare(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(2 << 20)
	c := newCache(mc, "cache", 700<<10)
	c.mc.OnPressure(c.evict)
	work := palloc.NewAllocSet(mc, "work")
	s := palloc.MakeSlice[byte](work, 600<<10, 600<<10) // a successor with a quarter to spare does not fit in addition
	if s = palloc.Append(work, s, 1); cap(s) < 610<<10 {
		t.Errorf("a slice of 600 KiB that grows has %d bytes", cap(s))
	}
	if len(c.asked) != 0 {
		t.Errorf("the cache was asked %+v", c.asked)
	}
	_ = palloc.Append(work, []byte(nil), make([]byte, 300<<10)...)
	if len(c.asked) != 1 {
		t.Errorf("the cache was asked %d times for what was needed", len(c.asked))
	}
}

// TestToBecomeSmallerNeedsNothing shrinks chunks at a limit and in a critical section.
func TestToBecomeSmallerNeedsNothing(t *testing.T) {
	each(t, resizing, func(t *testing.T, k palloc.Kind) {
		for _, opts := range [][]palloc.Option{nil, {palloc.Shared()}} {
			mc := newKind(newRoot(t), k, "c", 0)
			if opts != nil {
				mc = palloc.NewAllocSet(newRoot(t), "c", opts...)
			}
			for _, size := range []int{100, 9000, 100_000} {
				p := mc.Alloc(1 << 20)
				scribble(bytesAt(p, size), size)
				mc.SetLimit(1)
				q, err := palloc.TryRealloc(p, size)
				if err != nil || !scribbled(bytesAt(q, size), size) {
					t.Fatalf("to %d bytes at the limit: %v", size, err)
				}
				mc.SetLimit(palloc.NoLimit)
				palloc.FreePointer(q)
				p = mc.Alloc(1 << 20)
				leave := mc.EnterCritical()
				q = palloc.Realloc(p, size)
				leave()
				palloc.FreePointer(q)
			}
			wantOrder(t, mc)
		}
	})
}

// TestAKeeperThatIsIdleMakesRoom checks that a context that was reset releases its keeper
// for a request that does not fit in it.
func TestAKeeperThatIsIdleMakesRoom(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "keeps", 0)
		for range 2 { // the second time, in one block
			for range 60 {
				c.Alloc(120)
			}
			c.Reset()
		}
		kept := c.Held()
		if kept == 0 {
			t.Fatal("a reset kept nothing")
		}
		mc.SetLimit(holds(mc) - kept + 128<<10)
		if _, err := c.TryAlloc(127 << 10); err != nil {
			t.Errorf("with %d bytes kept: %v", kept, err)
		}
		mc.SetLimit(palloc.NoLimit)
		c.Alloc(8) // after the release the context is like a new one
		wantOrder(t, mc)
	})
}

// TestAnyoneMayReadABudget reads a budget while another goroutine changes it.
func TestAnyoneMayReadABudget(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(1 << 20)
	together(2, func(i int) {
		for n := range 2000 {
			if i == 0 {
				mc.SetLimit(int64(1+n%2) << 20)
			} else if limit := mc.Budget().Limit; limit != 1<<20 && limit != 2<<20 {
				t.Errorf("the limit is %d", limit)
			}
		}
	})
}

package palloc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Waiting for memory that another goroutine frees: no request is refused that would fit, and
// no goroutine waits for itself.

// TestOthersWaitForTheCallbackThatRuns has b request 3 MiB while a frees 14.
func TestOthersWaitForTheCallbackThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		top := palloc.NewAllocSet(palloc.Top(), "test")
		defer top.Delete()
		top.SetLimit(16 << 20)
		cache, a, b := palloc.NewAllocSet(top, "cache"), palloc.NewAllocSet(top, "a"), palloc.NewAllocSet(top, "b")
		for range 14 {
			cache.Alloc(1 << 20)
		}
		var calls int
		cache.OnPressure(func(palloc.Pressure) error {
			calls++
			time.Sleep(5 * time.Second) // writes its pages out
			cache.Reset()
			return nil
		})
		var group sync.WaitGroup
		for _, mc := range []palloc.Context{a, b} {
			group.Go(func() {
				if _, err := mc.TryAlloc(3 << 20); err != nil {
					t.Errorf("%s: %v", mc.Name(), err)
				}
			})
		}
		group.Wait()
		if calls != 1 {
			t.Errorf("the callback was asked %d times", calls)
		}
	})
}

// TestNothingThatFitsIsRefused has many goroutines under one limit. A cache that can free
// everything holds most of it.
func TestNothingThatFitsIsRefused(t *testing.T) {
	for _, slow := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("callbacks of %v, shared %v", slow, shared), func(t *testing.T) {
				const goroutines = 16
				requests := 10_000 / goroutines
				if slow > 0 || cramped() {
					requests /= 10
				}
				nothingThatFitsIsRefused(t, goroutines, requests, slow, shared)
				if !shared {
					allOfItFits(t, goroutines, requests, slow)
				}
			})
		}
	}
}

// A sharedCache has chunks of a cache that goroutines share.
type sharedCache struct {
	sync.Mutex
	kept []unsafe.Pointer
}

func (s *sharedCache) put(p unsafe.Pointer) {
	s.Lock()
	defer s.Unlock()
	s.kept = append(s.kept, p)
}

// free frees chunks of at least need bytes, or all.
func (s *sharedCache) free(need int64) {
	s.Lock()
	defer s.Unlock()
	for freed := int64(0); freed < need && len(s.kept) > 0; s.kept = s.kept[1:] {
		freed += int64(palloc.Footprint(s.kept[0]))
		palloc.FreePointer(s.kept[0])
	}
}

// freeSlowly returns a callback that frees as many chunks as it is asked for.
func (s *sharedCache) freeSlowly(slow time.Duration) func(p palloc.Pressure) error {
	return func(p palloc.Pressure) error {
		time.Sleep(slow)
		s.free(p.Need)
		return nil
	}
}

func nothingThatFitsIsRefused(t *testing.T, goroutines, requests int, slow time.Duration, isShared bool) {
	tenant := newRoot(t)
	tenant.SetLimit(16 << 20)
	pages := palloc.NewAllocSet(tenant, "pages", palloc.Shared())
	var cache sharedCache
	pages.OnPressure(cache.freeSlowly(slow))
	var opts []palloc.Option
	if isShared {
		opts = append(opts, palloc.Shared())
	}
	both := palloc.NewAllocSet(tenant, "both", opts...)
	var refused atomic.Int64
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			mc := both
			if !isShared {
				mc = palloc.NewAllocSet(tenant, fmt.Sprint("worker", g))
			}
			for range requests {
				p, err := mc.TryAlloc(400 << 10) // 16 of them are 7 MiB
				if err != nil {
					refused.Add(1)
					t.Log(err)
					continue
				}
				page, err := pages.TryAlloc(100 << 10) // the cache has the rest
				if err != nil {
					refused.Add(1)
					t.Log(err)
				} else {
					cache.put(page)
				}
				palloc.FreePointer(p)
			}
		})
	}
	group.Wait()
	if n := refused.Load(); n != 0 {
		t.Errorf("%d of %d requests that fit were refused", n, 2*goroutines*requests)
	}
	if b := tenant.Budget(); b.Peak > b.Limit || b.Held != holds(tenant) {
		t.Errorf("%+v, and a walk finds %d", b, holds(tenant))
	}
}

// allOfItFits has goroutines allocate all that the limit allows, a sixteenth each, while a
// cache takes memory that they leave for a moment.
func allOfItFits(t *testing.T, goroutines, requests int, slow time.Duration) {
	tenant := newRoot(t)
	tenant.SetLimit(int64(goroutines)<<20 + 64<<10) // and the first blocks of contexts
	cached := palloc.NewAllocSet(tenant, "cached", palloc.Shared())
	var cache sharedCache
	cached.OnPressure(cache.freeSlowly(slow))
	fill := func() { // the cache requests only what fits, and no memory of others
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		defer cached.CancelWaits(ctx)()
		cache.Lock() // it calls no callback, which would need the lock
		defer cache.Unlock()
		for {
			p, err := cached.TryAlloc(100 << 10)
			if err != nil {
				return
			}
			cache.kept = append(cache.kept, p)
		}
	}
	fill()
	var refused atomic.Int64
	var group sync.WaitGroup
	for g := range goroutines {
		mc := palloc.NewAllocSet(tenant, fmt.Sprint("all", g))
		group.Go(func() {
			for i := range requests {
				p, err := mc.TryAlloc(1000 << 10)
				if err != nil {
					refused.Add(1)
					t.Log(err)
					continue
				}
				palloc.FreePointer(p)
				if g == 0 && i%4 == 0 {
					fill()
				}
			}
		})
	}
	group.Wait()
	if n := refused.Load(); n != 0 {
		t.Errorf("of all there is, %d of %d requests that fit were refused", n, goroutines*requests)
	}
}

// TestCallbacksThatAllocateAreAskedFewTimes makes a request for which many callbacks try to
// allocate and fail: each callback is called at most once for each of the others.
func TestCallbacksThatAllocateAreAskedFewTimes(t *testing.T) {
	const callbacks = 30
	tenant := newRoot(t)
	tenant.SetLimit(1 << 20)
	calls := 0
	for i := range callbacks {
		mc := palloc.NewAllocSet(tenant, fmt.Sprint("spiller", i))
		mc.OnPressure(func(palloc.Pressure) error {
			if calls++; calls > 2*callbacks*callbacks {
				t.Fatal("asked for ever")
			}
			_, err := mc.TryAlloc(2 << 20)
			return err
		})
	}
	if _, err := tenant.TryAlloc(2 << 20); err == nil {
		t.Fatal("2 MiB below a limit of 1 MiB")
	}
	if calls < callbacks || calls > callbacks*callbacks {
		t.Errorf("%d callbacks were asked %d times", callbacks, calls)
	}
}

// TestHopelessRequestsShareTheirRounds makes many requests that cannot fit: each is refused,
// and callbacks that free nothing are not called once for each of them.
func TestHopelessRequestsShareTheirRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := palloc.NewAllocSet(palloc.Top(), "test")
		defer tenant.Delete()
		tenant.SetLimit(1 << 20)
		var calls atomic.Int64
		tenant.OnPressure(func(palloc.Pressure) error {
			calls.Add(1)
			time.Sleep(time.Second)
			return nil
		})
		var group sync.WaitGroup
		for range 16 {
			mc := palloc.NewAllocSet(tenant, "c")
			group.Go(func() {
				if _, err := mc.TryAlloc(2 << 20); err == nil {
					t.Error("2 MiB below a limit of 1")
				}
			})
		}
		group.Wait()
		if n := calls.Load(); n > 3 {
			t.Errorf("16 requests that began at once asked %d times", n)
		}
	})
}

// TestACallbackDoesNotWaitForItself has a callback allocate below the limit for which it was
// called.
func TestACallbackDoesNotWaitForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := palloc.NewAllocSet(palloc.Top(), "test")
		defer tenant.Delete()
		tenant.SetLimit(1 << 20)
		spill, other, asks := palloc.NewAllocSet(tenant, "spill"), palloc.NewAllocSet(tenant, "other"), palloc.NewAllocSet(tenant, "asks")
		held := palloc.NewAllocSet(tenant, "held")
		held.Alloc(600 << 10)
		other.Alloc(200 << 10)
		nested := 0
		other.OnPressure(func(palloc.Pressure) error { nested++; other.Reset(); return nil })
		held.OnPressure(func(palloc.Pressure) error {
			begin := time.Now()
			_, err := spill.TryAlloc(350 << 10) // fits without the request
			if err != nil || nested != 1 {
				t.Errorf("in a callback: %v; the other callback was asked %d times", err, nested)
			}
			if _, err := spill.TryAlloc(1 << 20); err == nil {
				t.Error("a megabyte more fits")
			}
			if d := time.Since(begin); d != 0 {
				t.Errorf("in a callback an allocation waited %v", d)
			}
			spill.Reset()
			held.Reset()
			return nil
		})
		if _, err := asks.TryAlloc(500 << 10); err != nil {
			t.Error(err)
		}
	})
}

// TestCallbacksThatNeedEachOthersLimit has goroutines whose callbacks of one limit allocate
// below the next one, in a circle.
func TestCallbacksThatNeedEachOthersLimit(t *testing.T) {
	for _, n := range []int{2, 3, 7} {
		synctest.Test(t, func(t *testing.T) {
			top := palloc.NewAllocSet(palloc.Top(), "test")
			defer top.Delete()
			limits := make([]palloc.Context, n)
			for i := range limits {
				limits[i] = palloc.NewAllocSet(top, fmt.Sprint("limit", i))
				limits[i].SetLimit(1 << 20)
			}
			var ready, group sync.WaitGroup
			ready.Add(n)
			for i := range limits {
				held := palloc.NewAllocSet(limits[i], "held")
				held.Alloc(800 << 10)
				spill := palloc.NewAllocSet(limits[(i+1)%n], "spill")
				first := true
				held.OnPressure(func(palloc.Pressure) error {
					if first {
						first = false
						ready.Done()
						ready.Wait() // all of them run callbacks
					}
					if _, err := spill.TryAlloc(400 << 10); err == nil {
						spill.Reset()
					}
					held.Reset()
					return nil
				})
				mc := palloc.NewAllocSet(limits[i], "asks")
				group.Go(func() {
					if _, err := mc.TryAlloc(500 << 10); err != nil {
						t.Error(err)
					}
				})
			}
			begin := time.Now()
			group.Wait()
			if d := time.Since(begin); d != 0 {
				t.Errorf("%d limits: all waited for %v", n, d)
			}
		})
	}
}

// TestACallbackWaitsForAnothersLimit checks that a callback waits where there is no circle.
func TestACallbackWaitsForAnothersLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		top := palloc.NewAllocSet(palloc.Top(), "test")
		defer top.Delete()
		a, b := palloc.NewAllocSet(top, "a"), palloc.NewAllocSet(top, "b")
		a.SetLimit(1 << 20)
		b.SetLimit(1 << 20)
		inA, inB, spill := palloc.NewAllocSet(a, "held"), palloc.NewAllocSet(b, "held"), palloc.NewAllocSet(b, "spill")
		inA.Alloc(800 << 10)
		inB.Alloc(800 << 10)
		inB.OnPressure(func(palloc.Pressure) error { time.Sleep(time.Second); inB.Reset(); return nil })
		inA.OnPressure(func(palloc.Pressure) error {
			_, err := spill.TryAlloc(300 << 10) // the callback of b runs in the other goroutine
			inA.Reset()
			return err
		})
		var group sync.WaitGroup
		asksA, asksB := palloc.NewAllocSet(a, "asks"), palloc.NewAllocSet(b, "asks")
		group.Go(func() {
			if _, err := asksB.TryAlloc(400 << 10); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		group.Go(func() {
			if _, err := asksA.TryAlloc(600 << 10); err != nil {
				t.Error(err)
			}
			if held := spill.Held(); held < 300<<10 {
				t.Errorf("the callback was refused: %d bytes are held", held)
			}
		})
		group.Wait()
	})
}

// TestAWaitEnds has a callback wait for another goroutine, which allocates below the same
// limit. The library cannot see this circle.
func TestAWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tenant := palloc.NewAllocSet(palloc.Top(), "test")
		defer tenant.Delete()
		tenant.SetLimit(1 << 20)
		held, asks, helps := palloc.NewAllocSet(tenant, "held"), palloc.NewAllocSet(tenant, "asks"), palloc.NewAllocSet(tenant, "helps")
		held.Alloc(800 << 10)
		held.OnPressure(func(palloc.Pressure) error {
			done := make(chan error)
			go func() {
				_, err := helps.TryAlloc(500 << 10)
				done <- err
			}()
			if err := <-done; err == nil || !strings.Contains(err.Error(), "did not return within 10s") {
				t.Errorf("the helper gets %v", err)
			}
			held.Reset()
			return nil
		})
		begin := time.Now()
		if _, err := asks.TryAlloc(500 << 10); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d != 10*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}

func TestAWaitIsCanceled(t *testing.T) {
	why := errors.New("the client has gone")
	for name, cancel := range map[string]func(request palloc.Context) (stop func()){
		"by its context": func(request palloc.Context) func() {
			ctx, end := context.WithCancelCause(context.Background())
			request.CancelWaits(ctx)
			return func() { end(why) }
		},
		"by one above": func(request palloc.Context) func() {
			ctx, end := context.WithCancelCause(context.Background())
			request.Parent().CancelWaits(ctx)
			return func() { end(why) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tenant := palloc.NewAllocSet(palloc.Top(), "test")
				defer tenant.Delete()
				tenant.SetLimit(1 << 20)
				held, asks := palloc.NewAllocSet(tenant, "held"), palloc.NewAllocSet(tenant, "asks")
				request := palloc.NewAllocSet(palloc.NewAllocSet(tenant, "session"), "request")
				held.Alloc(800 << 10)
				held.OnPressure(func(palloc.Pressure) error { time.Sleep(5 * time.Second); held.Reset(); return nil })
				stop := cancel(request)
				done := make(chan error)
				go func() {
					_, err := asks.TryAlloc(200 << 10)
					done <- err
				}()
				synctest.Wait()
				go func() {
					time.Sleep(time.Second)
					stop()
				}()
				begin := time.Now()
				_, err := request.TryAlloc(200 << 10)
				var oom *palloc.OutOfMemoryError
				if !errors.As(err, &oom) || !errors.Is(err, context.Canceled) || !errors.Is(err, why) || time.Since(begin) != time.Second {
					t.Errorf("after %v: %v", time.Since(begin), err)
				}
				if _, err := request.TryAlloc(200 << 10); !errors.Is(err, context.Canceled) {
					t.Errorf("a later request: %v", err)
				}
				if err := <-done; err != nil {
					t.Errorf("the one that was not canceled: %v", err)
				}
				request.Alloc(200 << 10) // it fits, and waits for nothing
			})
		})
	}
}

func TestCancelWaitsIsTakenAway(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(1 << 20)
	calls := 0
	mc.OnPressure(func(palloc.Pressure) error { calls++; return nil })
	c := palloc.NewAllocSet(mc, "c")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	old := c.CancelWaits(context.Background())
	stop := c.CancelWaits(ctx)
	if old() {
		t.Error("the first call is still there behind the second")
	}
	if _, err := c.TryAlloc(2 << 20); !errors.Is(err, context.Canceled) || calls != 0 {
		t.Errorf("canceled before it began: %v, and %d callbacks", err, calls)
	}
	if !stop() || stop() {
		t.Error("stop does not say whether it was there")
	}
	if _, err := c.TryAlloc(2 << 20); err == nil || errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v, and %d callbacks", err, calls)
	}
	last := c.CancelWaits(ctx)
	c.Delete()
	if next := palloc.NewAllocSet(mc, "c"); last() {
		t.Error("it outlived its context")
	} else if _, err := next.TryAlloc(2 << 20); errors.Is(err, context.Canceled) {
		t.Error("the next context has it")
	}
	wantFault(t, func() { mc.CancelWaits(nil) }, "CancelWaits", mc.Path(), "nil") //lint:ignore SA1012 that is the test
}

// A shard is the data of one goroutine.
type shard struct {
	mc, checked  palloc.Context // the latter is below, and checked
	own, aligned unsafe.Pointer // chunks that stay
	pages        [][]byte
	calls        int
}

// newShard returns a shard whose owner frees its pages in AnswerPressure and allocations.
func newShard(top palloc.Context, name string) *shard {
	s := &shard{mc: palloc.NewAllocSet(top, name)}
	s.own, s.aligned = s.mc.Alloc(10), s.mc.AllocAligned(10, 64)
	s.checked = palloc.NewAllocSet(s.mc, "checked", palloc.Checked("checked", "-stacks"))
	s.checked.Alloc(10)
	s.mc.OnPressureOwned(func(p palloc.Pressure) error {
		s.calls++
		for freed := int64(0); freed < p.Need && len(s.pages) > 0; s.pages = s.pages[1:] {
			freed += int64(len(s.pages[0]))
			palloc.FreeSlice(s.pages[0])
		}
		return nil
	})
	return s
}

// resizesFreed resizes the page that the callback frees, and reports whether that is a Fault.
func (s *shard) resizesFreed() bool {
	_, fault := panics(func() { palloc.Realloc(unsafe.Pointer(&s.pages[0][0]), 10) }).(*palloc.Fault)
	return fault
}

func (s *shard) fill(n int) {
	for range n {
		s.pages = append(s.pages, palloc.MakeSlice[byte](s.mc, 100<<10, 100<<10))
	}
}

// TestAnOwnerAnswersWhereItComesBy checks that the owner of one shard runs its callback for
// the request of another, in the calls that do so.
func TestAnOwnerAnswersWhereItComesBy(t *testing.T) {
	for name, comesBy := range map[string]func(s *shard) bool{
		"polls":                   func(s *shard) bool { return s.mc.AnswerPressure() },
		"polls below":             func(s *shard) bool { return palloc.NewBump(s.mc, "below").AnswerPressure() },
		"allocates":               func(s *shard) bool { s.mc.Alloc(2000); return true },
		"allocates below":         func(s *shard) bool { palloc.NewGeneration(s.mc, "below").Alloc(3000); return true },
		"allocates checked":       func(s *shard) bool { s.checked.Alloc(10); return true },
		"grows a slice":           func(s *shard) bool { palloc.Append(palloc.NewAllocSet(s.mc, "b"), []int{}, 1, 2, 3); return true },
		"allocates aligned":       func(s *shard) bool { s.mc.AllocAligned(2000, 64); return true },
		"resizes":                 func(s *shard) bool { palloc.Realloc(s.own, 2000); return true },
		"resizes what is aligned": func(s *shard) bool { palloc.Realloc(s.aligned, 2000); return true },
		"resizes what is freed":   func(s *shard) bool { return s.resizesFreed() },
		"allocates too much":      func(s *shard) bool { s.mc.TryAlloc(4 << 20); return true },
		"does not but had none":   nil,
		"allocates elsewhere":     nil,
		"allocates in Shared one": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				top := palloc.NewAllocSet(palloc.Top(), "test")
				defer top.Delete()
				top.SetLimit(2 << 20)
				a, b := newShard(top, "a"), newShard(top, "b")
				a.fill(14)
				shared := palloc.NewAllocSet(a.mc, "shared", palloc.Shared())
				ask := make(chan error, 1)
				var answered time.Time
				go func() {
					_, err := b.mc.TryAlloc(900 << 10)
					answered = time.Now()
					ask <- err
				}()
				synctest.Wait() // the request waits
				if a.calls != 0 {
					t.Fatal("the callback ran in a foreign goroutine")
				}
				begin := time.Now()
				if comesBy == nil {
					if name == "allocates elsewhere" {
						palloc.NewAllocSet(palloc.Top(), "elsewhere").Delete()
					} else if name == "allocates in Shared one" {
						shared.Alloc(2000)
					}
					if err := <-ask; err == nil || answered.Sub(begin) != 100*time.Millisecond || a.calls != 0 {
						t.Errorf("without its owner: %v after %v, %d calls", err, time.Since(begin), a.calls)
					} else if !strings.Contains(err.Error(), "did not answer within") {
						t.Errorf("the error does not tell of the owner: %v", err)
					}
					if !a.mc.AnswerPressure() || a.mc.AnswerPressure() || a.calls != 1 {
						t.Error("the owner is not asked when it comes by at last")
					}
					return
				}
				if !comesBy(a) {
					t.Error("nothing was asked")
				}
				if err := <-ask; err != nil || !answered.Equal(begin) || a.calls == 0 {
					t.Errorf("%v after %v, the callback ran %d times", err, answered.Sub(begin), a.calls)
				}
			})
		})
	}
}

// TestAnAbsentOwnerIsWaitedForOnce checks that the next request does not wait again.
func TestAnAbsentOwnerIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		top := palloc.NewAllocSet(palloc.Top(), "test")
		defer top.Delete()
		top.SetLimit(2 << 20)
		a, b := newShard(top, "a"), palloc.NewAllocSet(top, "b")
		a.fill(14)
		begin := time.Now()
		for range 10 {
			if _, err := b.TryAlloc(900 << 10); err == nil {
				t.Error("no owner freed memory")
			}
		}
		if d := time.Since(begin); d != 100*time.Millisecond {
			t.Errorf("ten requests waited %v", d)
		}
		a.mc.Delete() // its callback is not called any more
		if b.AnswerPressure() {
			t.Error("a context that was deleted is asked")
		}
	})
}

// TestShardsReclaimFromEachOther has shards that each hold the memory that the others need,
// and request it at once.
func TestShardsReclaimFromEachOther(t *testing.T) {
	for _, n := range []int{2, 5} {
		synctest.Test(t, func(t *testing.T) {
			top := palloc.NewAllocSet(palloc.Top(), "test")
			defer top.Delete()
			top.SetLimit(int64(n) << 20)
			var group sync.WaitGroup
			var ready sync.WaitGroup
			ready.Add(n)
			for i := range n {
				s := newShard(top, fmt.Sprint("shard", i))
				group.Go(func() {
					s.fill(6)
					ready.Done()
					ready.Wait()
					for range 20 {
						work := palloc.NewAllocSet(s.mc, "work")
						if _, err := work.TryAlloc(500 << 10); err != nil {
							t.Error(err)
						}
						work.Delete()
						if len(s.pages) < 6 {
							s.fill(1)
						}
					}
				})
			}
			begin := time.Now()
			group.Wait()
			if d := time.Since(begin); d > 20*100*time.Millisecond {
				t.Errorf("%d shards: it took %v", n, d)
			}
		})
	}
}

func TestOwnedCallbacksOfOnesOwnRunAtOnce(t *testing.T) {
	top := newRoot(t)
	top.SetLimit(2 << 20)
	s := newShard(top, "s")
	s.fill(14)
	palloc.NewBump(s.mc, "work").Alloc(900 << 10)
	if s.calls == 0 {
		t.Error("the owner did not ask itself")
	}
	shared := palloc.NewAllocSet(top, "shared", palloc.Shared())
	wantFault(t, func() { shared.OnPressureOwned(func(palloc.Pressure) error { return nil }) }, "OnPressureOwned", shared.Path(), "no owner")
	wantFault(t, func() { top.OnPressureOwned(nil) }, "OnPressureOwned", top.Path(), "nil")
	wantFault(t, func() { top.OnPressure(nil) }, "OnPressure", top.Path(), "nil")
}

// An owner is a goroutine with a context of its own, which it fills and which a callback frees.
type owner struct {
	fill func(mc palloc.Context)
	free func(mc palloc.Context, p palloc.Pressure) error
}

// asked runs a request beside the owner, who calls AnswerPressure each millisecond until it
// ends. By the clock of synctest the owner begins in time, however busy the machine is.
func (o owner) asked(t *testing.T, limit int64, request func(t *testing.T, other palloc.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := newRoot(t)
		db.SetLimit(limit)
		ready, stop, done := make(chan bool), make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			mc := palloc.NewAllocSet(db, "shard")
			o.fill(mc)
			mc.OnPressureOwned(func(p palloc.Pressure) error { return o.free(mc, p) })
			close(ready)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					mc.AnswerPressure()
				}
			}
		}()
		<-ready
		defer func() { close(stop); <-done }() // a request may end the test
		request(t, palloc.NewAllocSet(db, "other"))
	})
}

// The error or panic of a callback of OnPressureOwned, which its owner runs, is reported as
// that of OnPressure is.
func TestAnOwnersErrorIsInTheRefusal(t *testing.T) {
	full := errors.New("the disk is full")
	for name, free := range map[string]func(palloc.Context, palloc.Pressure) error{
		"error": func(palloc.Context, palloc.Pressure) error { return full },
		"panic": func(palloc.Context, palloc.Pressure) error { panic(full) },
	} {
		t.Run(name, func(t *testing.T) {
			o := owner{func(mc palloc.Context) { mc.Alloc(800 << 10) }, free}
			o.asked(t, 1<<20, func(t *testing.T, other palloc.Context) {
				oom := refusedOf(t, other, 500<<10)
				if len(oom.Reclaims) != 1 || oom.Reclaims[0].Err == nil || !errors.Is(oom, full) || !strings.Contains(oom.Error(), "the disk is full") {
					t.Errorf("the owner's error is not told: %v", oom)
				}
			})
		})
	}
}

// An owner whose callback frees chunk by chunk and compacts is called again, as a callback
// of OnPressure is, until a whole block is free.
func TestAnOwnerWhoFreesByThePieceIsAskedForMore(t *testing.T) {
	var l *lot
	calls := 0
	o := owner{
		fill: func(mc palloc.Context) {
			l = newLot(t, mc)
			for l.add(100) {
			}
		},
		free: func(mc palloc.Context, p palloc.Pressure) error {
			calls++
			for freed := int64(0); freed < p.Need && len(l.p) > 0; {
				freed += l.free(l.any())
			}
			mc.Compact()
			return nil
		},
	}
	o.asked(t, 2<<20, func(t *testing.T, other palloc.Context) {
		if _, err := other.TryAlloc(100 << 10); err != nil {
			t.Errorf("refused after %d calls, though the owner frees all it is asked for: %v", calls, err)
		}
	})
}

// A request waits for an owner whose callback has begun, as for a callback of OnPressure.
func TestAnOwnerWhoHasBegunIsWaitedFor(t *testing.T) {
	var p unsafe.Pointer
	o := owner{
		fill: func(mc palloc.Context) { p = mc.Alloc(800 << 10) },
		free: func(palloc.Context, palloc.Pressure) error {
			time.Sleep(300 * time.Millisecond)
			palloc.FreePointer(p)
			return nil
		},
	}
	o.asked(t, 1<<20, func(t *testing.T, other palloc.Context) {
		if _, err := other.TryAlloc(500 << 10); err != nil {
			t.Errorf("refused while the owner was freeing: %v", err)
		}
	})
}

// TestACallbackThatLiftsTheLimitIsNotAskedForEver has a callback remove the limit while it
// runs, and set it again.
func TestACallbackThatLiftsTheLimitIsNotAskedForEver(t *testing.T) {
	top := newRoot(t)
	top.SetLimit(4 << 20)
	cache, a := palloc.NewAllocSet(top, "cache"), palloc.NewAllocSet(top, "a")
	cache.Alloc(3 << 20)
	var calls atomic.Int64
	cache.OnPressure(func(palloc.Pressure) error {
		if calls.Add(1) > 10_000 {
			panic("end of the test")
		}
		top.SetLimit(palloc.NoLimit)
		top.SetLimit(4 << 20)
		return errors.New("nothing can be freed")
	})
	if _, err := a.TryAlloc(2 << 20); err == nil || calls.Load() > 100 {
		t.Errorf("the callback, which gave nothing back, was asked %d times: %v", calls.Load(), err)
	}
}

// Two caches under two limits, one around the other, where each makes room by moving a page
// to the other: the request would alternate between the limits for ever.
func TestBrkTwoLimitsThatCallbacksAlternateBetween(t *testing.T) {
	outer := newRoot(t)
	outer.SetLimit(16 << 20)
	inner := palloc.NewAllocSet(outer, "inner")
	inner.SetLimit(8 << 20)
	hot, cold, a := palloc.NewAllocSet(inner, "hot"), palloc.NewAllocSet(outer, "cold"), palloc.NewAllocSet(inner, "a")
	var calls atomic.Int64
	var hots, colds []unsafe.Pointer
	for range 4 {
		hots = append(hots, hot.Alloc(1900<<10))
		colds = append(colds, cold.Alloc(1900<<10))
	}
	move := func(from *[]unsafe.Pointer, to palloc.Context, dest *[]unsafe.Pointer) error {
		if calls.Add(1) > 10_000 {
			panic("end of the test")
		}
		if len(*from) == 0 {
			return errors.New("empty")
		}
		palloc.FreePointer((*from)[len(*from)-1])
		*from = (*from)[:len(*from)-1]
		p, err := to.TryAlloc(1900 << 10)
		if err == nil {
			*dest = append(*dest, p)
		}
		return err
	}
	hot.OnPressure(func(p palloc.Pressure) error {
		if p.Limit != inner {
			return errors.New("not mine")
		}
		return move(&hots, cold, &colds)
	})
	cold.OnPressure(func(p palloc.Pressure) error { return move(&colds, hot, &hots) })
	since := time.Now()
	_, err := a.TryAlloc(1900 << 10)
	t.Logf("%d calls in %v: %.300v", calls.Load(), time.Since(since), err)
	if n := calls.Load(); n > 1000 {
		t.Errorf("the callbacks were asked %d times", n)
	}
}

// TestCallbacksOfManyLimitsAreAskedFewTimes has sibling limits, each with a few callbacks
// that allocate below the next.
func TestCallbacksOfManyLimitsAreAskedFewTimes(t *testing.T) {
	top := newRoot(t)
	var calls atomic.Int64
	var tops []palloc.Context
	for range 8 {
		l := palloc.NewAllocSet(top, "l")
		l.SetLimit(64 << 10)
		tops = append(tops, l)
	}
	for i := range tops {
		for range 4 {
			c := palloc.NewAllocSet(tops[i], "c")
			c.OnPressure(func(palloc.Pressure) error {
				calls.Add(1)
				if i+1 < len(tops) {
					_, err := tops[i+1].TryAlloc(100 << 10)
					return err
				}
				return nil
			})
		}
	}
	if _, err := tops[0].TryAlloc(100 << 10); err == nil {
		t.Error("100 KiB below a limit of 64 KiB")
	}
	if n := calls.Load(); n < 4 || n > 1000 {
		t.Errorf("%d calls of %d callbacks", n, 4*len(tops))
	}
}

// TestAWaiterIsNotOutrunForEver has one goroutine allocate in a loop, each time under
// pressure, with a callback that frees enough for all that wait. Another goroutine requests
// a single chunk.
func TestAWaiterIsNotOutrunForEver(t *testing.T) {
	top := newRoot(t)
	const size = 1 << 20
	top.SetLimit(16 << 20)
	cache, other := palloc.NewAllocSet(top, "cache", palloc.Shared()), palloc.NewAllocSet(top, "other")
	var mu sync.Mutex
	var queue []unsafe.Pointer
	var rounds atomic.Int64
	cache.OnPressure(func(p palloc.Pressure) error {
		time.Sleep(time.Millisecond) // writes them out
		rounds.Add(1)
		mu.Lock()
		defer mu.Unlock()
		for freed := int64(0); freed < p.Need && len(queue) > 0; freed += size {
			palloc.FreePointer(queue[0])
			queue = queue[1:]
		}
		return nil
	})
	var stop atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		for !stop.Load() {
			p := cache.Alloc(size)
			mu.Lock()
			queue = append(queue, p)
			mu.Unlock()
		}
	})
	for rounds.Load() < 10 {
		time.Sleep(time.Millisecond)
	}
	begun := rounds.Load()
	got := make(chan error, 1)
	group.Go(func() {
		_, err := other.TryAlloc(size)
		got <- err
	})
	select {
	case err := <-got:
		if n := rounds.Load() - begun; n > 100 || err != nil {
			t.Errorf("the callback was asked %d times for others meanwhile: %v", n, err)
		}
	case <-time.After(20 * time.Second):
		t.Errorf("it still waits, and the callback was asked %d times", rounds.Load()-begun)
	}
	stop.Store(true)
	group.Wait()
}

// TestAWaiterIsNotRefusedWhatFits has a callback free everything, or raise the limit, and
// then run on for longer than any request waits for it.
func TestAWaiterIsNotRefusedWhatFits(t *testing.T) {
	for _, way := range []string{"freed", "limit raised", "limit taken away"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				top := palloc.NewAllocSet(palloc.Top(), "test")
				defer top.Delete()
				top.SetLimit(16 << 20)
				cache, a, b := palloc.NewAllocSet(top, "cache"), palloc.NewAllocSet(top, "a"), palloc.NewAllocSet(top, "b")
				cache.Alloc(14 << 20)
				cache.OnPressure(func(p palloc.Pressure) error {
					time.Sleep(time.Second)
					switch way {
					case "freed":
						cache.Reset()
					case "limit raised":
						top.SetLimit(64 << 20)
					default:
						top.SetLimit(palloc.NoLimit)
					}
					time.Sleep(15 * time.Second)
					return nil
				})
				var group sync.WaitGroup
				group.Go(func() { a.TryAlloc(3 << 20) })
				time.Sleep(time.Millisecond)
				group.Go(func() {
					if _, err := b.TryAlloc(3 << 20); err != nil {
						t.Errorf("refused, with %+v", top.Budget())
					}
				})
				group.Wait()
			})
		})
	}
}

// TestWhatAnEndedGoroutineWantedIsForgotten has a waiting goroutine run its own callback as
// an owner, which ends the goroutine, or resets the context that allocates.
func TestWhatAnEndedGoroutineWantedIsForgotten(t *testing.T) {
	for name, end := range map[string]func(palloc.Context){
		"Goexit":                       func(palloc.Context) { runtime.Goexit() },
		"a reset of what it allocates": func(mc palloc.Context) { mc.Reset() },
	} {
		t.Run(name, func(t *testing.T) {
			top := newRoot(t)
			top.SetLimit(16 << 20)
			cache, a, b := palloc.NewAllocSet(top, "cache"), palloc.NewAllocSet(top, "a"), palloc.NewAllocSet(top, "b")
			cache.Alloc(14 << 20)
			waits := make(chan bool)
			var missing []int64
			calls := 0
			cache.OnPressure(func(p palloc.Pressure) error {
				missing = append(missing, p.Missing)
				if calls++; calls == 1 {
					close(waits)
					time.Sleep(200 * time.Millisecond) // b begins to wait
				}
				return nil
			})
			b.OnPressureOwned(func(palloc.Pressure) error { end(b); return nil })
			b.Alloc(100)
			var group sync.WaitGroup
			group.Go(func() {
				<-waits
				defer func() { recover() }()
				b.TryAlloc(8 << 20)
			})
			group.Go(func() { a.TryAlloc(3 << 20) })
			group.Wait()
			missing = nil
			a.TryAlloc(3 << 20)
			if len(missing) == 0 || missing[0] > 3<<20 {
				t.Errorf("no other request waits, and a callback is told that %v are missing for a request of %d, of which 2 MiB are free", missing, 3<<20)
			}
		})
	}
}

// TestCallbacksOfACrowdAreAskedFewTimes makes requests in callbacks while more goroutines
// wait than the library numbers: such a request calls no callback.
func TestCallbacksOfACrowdAreAskedFewTimes(t *testing.T) {
	if cramped() {
		t.Skip("4200 goroutines that wait")
	}
	root := newRoot(t)
	top := palloc.NewAllocSet(root, "top")
	top.SetLimit(4 << 20)
	ctx, cancel := context.WithCancel(context.Background())
	holds := palloc.NewAllocSet(top, "holds")
	hold := make(chan bool)
	begun := make(chan bool)
	var once sync.Once
	holds.OnPressure(func(palloc.Pressure) error { once.Do(func() { close(begun) }); <-hold; return nil })
	var group sync.WaitGroup
	first := palloc.NewAllocSet(top, "first")
	first.CancelWaits(ctx)
	group.Go(func() { first.TryAlloc(8 << 20) })
	<-begun
	var ready atomic.Int32
	for range 4200 {
		mc := palloc.NewAllocSet(top, "waits")
		mc.CancelWaits(ctx)
		group.Go(func() { ready.Add(1); mc.TryAlloc(8 << 20) })
	}
	for ready.Load() < 4200 {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(time.Second)

	small := palloc.NewAllocSet(root, "small")
	small.SetLimit(1 << 20)
	var calls atomic.Int64
	for range 8 {
		c := palloc.NewAllocSet(small, "cache")
		c.OnPressure(func(palloc.Pressure) error {
			calls.Add(1)
			c.TryAlloc(2 << 20)
			return nil
		})
	}
	palloc.NewAllocSet(small, "asks").TryAlloc(2 << 20)
	if calls.Load() > 8*8 {
		t.Errorf("%d calls of 8 callbacks", calls.Load())
	}
	cancel()
	close(hold)
	group.Wait()
}

// TestAWaiterInItsCallbackIsNotTheNextToReclaim has the first of the waiting requests run its
// owner's callback for 30 s: the others do not wait for that.
func TestAWaiterInItsCallbackIsNotTheNextToReclaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		top := palloc.NewAllocSet(palloc.Top(), "test")
		defer top.Delete()
		b, x := palloc.NewAllocSet(top, "b"), palloc.NewAllocSet(top, "x")
		c1, c2 := palloc.NewAllocSet(top, "c1"), palloc.NewAllocSet(top, "c2")
		o, y := palloc.NewAllocSet(top, "o"), palloc.NewAllocSet(top, "y")
		b.Alloc(20 << 20)
		x.Alloc(10 << 20)
		c1.Alloc(5 << 20)
		c2.Alloc(4 << 20)
		top.SetLimit(int64(top.TreeHeld()) + 4096)
		b.OnPressure(func(palloc.Pressure) error { time.Sleep(time.Second); return nil })
		x.OnPressureOwned(func(palloc.Pressure) error { time.Sleep(30 * time.Second); return nil })
		c1.OnPressure(func(palloc.Pressure) error { c1.Reset(); return nil })
		c2.OnPressure(func(palloc.Pressure) error { c2.Reset(); return nil })
		var group sync.WaitGroup
		for mc, at := range map[palloc.Context]time.Duration{o: 0, x: time.Second / 2, y: 5 * time.Second} {
			group.Go(func() {
				time.Sleep(at)
				if _, err := mc.TryAlloc(2 << 20); err != nil && mc != x { // others may have the memory for x by then
					t.Errorf("%s: %v", mc.Name(), err)
				}
			})
		}
		group.Wait()
	})
}

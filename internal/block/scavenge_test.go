package block_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Memory that is being returned to the system: no request waits for it or gets it, and
// what the system refuses stays.

// eventually waits until so returns true, which a goroutine of the page heap causes.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for range 2000 {
		if so() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("not so within 10 s: %s; %+v", what, block.ReadStats())
}

func skipUnlessDiscardFrees(t testing.TB) {
	t.Helper()
	if !osmem.Current().DiscardFrees() {
		t.Skip("the source in use returns no memory to the system")
	}
	eventually(t, "the goroutine that a test before has begun ends", func() bool { return !block.Scavenging() })
}

// inTime calls f, and fails if that takes more than 30 s.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s takes more than 30 s", what)
	}
}

// pieces makes 7 n free runs of 8 KiB, and returns the blocks between each 7 of them.
func pieces(t *testing.T, n int) (held []run) {
	t.Helper()
	var free []run
	for i := range 8 * n {
		addr, size, err := block.Acquire(8 << 10)
		if err != nil {
			t.Fatal(err)
		}
		osmem.Bytes(addr, size)[100] = 1
		if i%8 != 0 {
			free = append(free, run{addr, size})
		} else {
			held = append(held, run{addr, size})
		}
	}
	releaseAll(free)
	return held
}

// endPeriods acquires and releases until two periods are over.
func endPeriods(t *testing.T) {
	t.Helper()
	for range 2<<14 + 1 {
		acquireRelease(t, 1<<10, 1)
	}
}

// scavenges has all calls that return memory to the system, by name.
var scavenges = map[string]func(t *testing.T){
	"Trim":         func(*testing.T) { block.Trim() },
	"TrimTo":       func(*testing.T) { block.TrimTo(1 << 20) },
	"SetRetention": func(*testing.T) { block.SetRetention(1 << 20) },
	"TrimAndNotify": func(*testing.T) {
		block.TrimAndNotify(make(chan struct{}, 1))
		block.TrimAndNotify(nil)
	},
	"Release": func(t *testing.T) {
		addr, size, err := block.Acquire(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		defer block.Release(addr, size)
		block.SetRetention(0) // returns what is free without it
	},
	"end of a period": func(t *testing.T) {
		block.SetRetention(1 << 30)
		endPeriods(t)
	},
}

func TestAcquireDoesNotWaitForDiscard(t *testing.T) {
	skipUnlessDiscardFrees(t)
	for name, call := range scavenges {
		t.Run(name, func(t *testing.T) {
			defer block.SetRetention(block.MaxRetention)
			defer func() { system.onDiscard = nil }()
			held := pieces(t, 2000) // 109 MiB: more than is retained after two periods
			acquireRelease(t, 1<<20, 30)
			calls := 0
			system.onDiscard = func(addr, size uintptr) error {
				if calls++; calls > 3 {
					return nil
				}
				inTime(t, "an Acquire while the system takes memory back", func() {
					for range 20 {
						a, s, err := block.Acquire(8 << 10)
						if err != nil {
							t.Error(err)
							return
						}
						if a < addr+size && addr < a+s {
							t.Errorf("a block at %#x is acquired while the system takes %d bytes at %#x", a, size, addr)
						}
						held = append(held, run{a, s})
					}
					for _, at := range []uintptr{addr, addr + size/2, addr + size - 1} {
						if at, ok := block.Find(at); ok {
							t.Errorf("a block is found at %#x in memory that the system takes", at)
						}
					}
					if s := block.ReadStats(); s.Retained < size && name != "Release" {
						t.Errorf("%d bytes are retained while the system takes %d", s.Retained, size)
					}
				})
				return nil
			}
			call(t)
			eventually(t, "memory is returned to the system", func() bool { return block.ReadStats().Retained <= (64<<20+block.ReadStats().InUse)*17/16 })
			block.Trim()
			system.onDiscard = nil
			if calls == 0 {
				t.Error("nothing was returned to the system")
			}
			releaseAll(held)
			audit(t)
		})
	}
}

// audit checks the figure of retained bytes.
func audit(t *testing.T) {
	t.Helper()
	if recorded, found := block.Audit(); recorded != found {
		t.Errorf("ReadStats has %d retained bytes, and the pages have %d", recorded, found)
	}
}

// TestAcquireDoesNotScavenge: not even one that ends a period, while the system takes its
// time; the goroutine that scavenges ends afterwards.
func TestAcquireDoesNotScavenge(t *testing.T) {
	skipUnlessDiscardFrees(t)
	defer func() { system.onDiscard = nil }()
	block.Trim()
	before := runtime.NumGoroutine()
	held := pieces(t, 2000)
	goOn := make(chan struct{})
	system.onDiscard = func(uintptr, uintptr) error { <-goOn; return nil }
	discards := system.discards.Load()
	inTime(t, "a period", func() { endPeriods(t) })
	eventually(t, "memory is being returned to the system", func() bool { return system.discards.Load() > discards })
	inTime(t, "another period", func() { endPeriods(t) })
	if n := system.discards.Load() - discards; n != 1 {
		t.Errorf("%d calls of the system at once", n)
	}
	close(goOn)
	eventually(t, "memory is returned to the system", func() bool { return block.ReadStats().Retained <= (64<<20+block.ReadStats().InUse)*17/16 })
	eventually(t, "the goroutine has ended", func() bool { return runtime.NumGoroutine() <= before })
	releaseAll(held)
	block.Trim()
	audit(t)
}

// TestAcquireWaitsForDiscardBeforeItIsRefused: the memory that is being returned is free
// afterwards.
func TestAcquireWaitsForDiscardBeforeItIsRefused(t *testing.T) {
	skipUnlessDiscardFrees(t)
	defer func() { system.onDiscard, system.commits = nil, -1 }()
	acquireRelease(t, 1<<20, 1) // one at least is committed
	block.Trim()
	held := exhaust(t, 1<<20)
	last := held[len(held)-1]
	block.Release(last.addr, last.size)
	system.commits = 0
	got := make(chan error)
	system.onDiscard = func(addr, size uintptr) error {
		system.onDiscard = nil
		go func() {
			addr, size, err := block.Acquire(1 << 20)
			if err == nil {
				block.Release(addr, size)
			}
			got <- err
		}()
		select {
		case err := <-got:
			t.Errorf("returned too early: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		return nil
	}
	block.Trim()
	if err := <-got; err != nil {
		t.Errorf("refused, though the memory was only being returned: %v", err)
	}
	system.commits = -1
	releaseAll(held[:len(held)-1])
}

func TestMemoryThatTheSystemRefusesStaysRetained(t *testing.T) {
	skipUnlessDiscardFrees(t)
	defer func() { system.onDiscard = nil }()
	held := pieces(t, 500)
	before := block.ReadStats()
	system.onDiscard = func(uintptr, uintptr) error { return errors.New("these pages are locked") }
	if returned := block.Trim(); returned != 0 || block.ReadStats() != before {
		t.Errorf("a refused Trim returned %d bytes; the figures are %+v, and were %+v", returned, block.ReadStats(), before)
	}
	audit(t)
	system.onDiscard = nil
	if returned := block.Trim(); returned < 500*7*8<<10/2 {
		t.Errorf("Trim returned %d bytes once the system takes them", returned)
	}
	releaseAll(held)
	audit(t)
}

// TestAWalkThatIsRefusedEnds, though what it cuts is coalesced behind it, and leaves no empty page.
func TestAWalkThatIsRefusedEnds(t *testing.T) {
	skipUnlessDiscardFrees(t)
	rng := rand.New(rand.NewPCG(7, 8))
	largest := 24
	if osmem.WideShift == 0 {
		largest = 20 // address space is short
	}
	for range 300 {
		var held []run
		for range 1 + rng.IntN(10) {
			held = insert(t, held, 1<<(16+rng.IntN(largest-15))+uintptr(rng.IntN(1<<20)))
		}
		rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
		keep := rng.IntN(2)
		releaseAll(held[keep:])
		refusedWalk(t, rng, rng.IntN(5))
		releaseAll(held[:keep])
	}
}

// refusedWalk trims to some size, while the system takes some fifths of what is returned and refuses the rest.
func refusedWalk(t *testing.T, rng *rand.Rand, fifths int) {
	t.Helper()
	defer func() { system.onDiscard = nil }()
	before := block.ReadStats().Retained
	keep, calls := uintptr(rng.Int64N(int64(before)+1)), 0
	system.onDiscard = func(uintptr, uintptr) error {
		if calls++; rng.IntN(5) < fifths {
			return nil
		}
		return errors.New("these pages are locked")
	}
	what := fmt.Sprintf("a Trim of %d bytes to %d, of which the system takes %d fifths", before, keep, fifths)
	inTime(t, what, func() { block.TrimTo(keep) })
	if most := int(before>>12) + 64; calls > most {
		t.Errorf("%s: %d calls", what, calls)
	}
	audit(t)
}

// TestSourceThatPanicsLeavesNoLockHeld: nor is memory lost.
func TestSourceThatPanicsLeavesNoLockHeld(t *testing.T) {
	skipUnlessDiscardFrees(t)
	defer block.SetRetention(block.MaxRetention)
	defer func() { system.onDiscard = nil }()
	for name, call := range scavenges {
		if name == "end of a period" {
			continue // a panic in the page heap's own goroutine ends the process
		}
		held := pieces(t, 500)
		acquireRelease(t, 1<<20, 5)
		inUse := block.ReadStats().InUse
		system.onDiscard = func(uintptr, uintptr) error { panic("the source") }
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing was returned to the system", name)
				}
			}()
			call(t)
		}()
		system.onDiscard = nil
		inTime(t, name+", and then a Trim", func() { block.Trim() })
		if n := block.ReadStats().InUse; n != inUse {
			t.Errorf("%s: %d bytes are in use, and were %d", name, n, inUse)
		}
		releaseAll(held)
		audit(t)
		block.SetRetention(block.MaxRetention)
	}
}

// TestNeighboursAreDiscardedTogether: free runs in a row take one system call.
func TestNeighboursAreDiscardedTogether(t *testing.T) {
	skipUnlessDiscardFrees(t)
	block.Trim()
	acquireRelease(t, 8<<10, 4000)
	calls := system.discards.Load()
	block.Trim()
	if calls = system.discards.Load() - calls; calls > 60 {
		t.Errorf("%d calls for 31 MiB in a row", calls)
	}
}

// TestRetainedIsExact: whatever is acquired, released, grown, refused and returned to the
// system, in any order.
func TestRetainedIsExact(t *testing.T) {
	defer func() { system.onDiscard = nil }()
	defer block.SetRetention(block.MaxRetention)
	rng := rand.New(rand.NewPCG(8, 9))
	var held []growable
	system.onDiscard = func(uintptr, uintptr) error {
		if rng.IntN(10) == 0 {
			return errors.New("refused")
		}
		return nil
	}
	for i := range 30000 {
		switch k := rng.IntN(1000); {
		case k < 2:
			block.Trim()
		case k < 4:
			block.TrimTo(uintptr(rng.IntN(32 << 20)))
		case k < 6:
			block.SetRetention(uintptr(rng.IntN(32 << 20)))
		case k < 500 && len(held) < 400:
			size := randomSize(rng)
			capacity := size
			if k < 50 {
				capacity *= 4
			}
			held = append(held, acquireGrowable(t, size, capacity))
		case len(held) > 0:
			i := rng.IntN(len(held))
			b := &held[i]
			if k < 520 && b.size*2 <= b.capacity {
				b.grow(b.size * 2)
				break
			}
			held = releaseOne(held, i)
		}
		if i%50 == 0 {
			if audit(t); t.Failed() {
				t.Fatalf("after %d steps", i)
			}
		}
	}
	for _, b := range held {
		b.release()
	}
	audit(t)
}

package block_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Memory on its way back to the system: nobody waits for it, nobody gets it, and what
// the system refuses stays.

// eventually waits for what a goroutine of the warehouse does.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 2000 {
		if so() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("it does not come to pass that %s: %+v", what, block.ReadStats())
}

func returning(t *testing.T) {
	t.Helper()
	if !osmem.Current().DiscardFrees() {
		t.Skip("this maker of memory gives nothing back to the system")
	}
}

// inTime has f done, or fails where that takes for ever.
func inTime(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s takes for ever", what)
	}
}

// pieces has 7 n blocks of 8 KiB unused, and others that lie between each 7 of them,
// which it answers.
func pieces(t *testing.T, n int) (held []run) {
	t.Helper()
	var unused []run
	for i := range 8 * n {
		addr, size, err := block.Acquire(8 << 10)
		if err != nil {
			t.Fatal(err)
		}
		osmem.Bytes(addr, size)[100] = 1
		if i%8 != 0 {
			unused = append(unused, run{addr, size})
		} else {
			held = append(held, run{addr, size})
		}
	}
	sellAll(unused)
	return held
}

// endPeriods buys and sells until two periods are over.
func endPeriods(t *testing.T) {
	t.Helper()
	for range 2<<14 + 1 {
		buySell(t, 1<<10, 1)
	}
}

// ways are all that give memory back, by name.
var ways = map[string]func(t *testing.T){
	"Trim":         func(*testing.T) { block.Trim() },
	"TrimTo":       func(*testing.T) { block.TrimTo(1 << 20) },
	"SetRetention": func(*testing.T) { block.SetRetention(1 << 20) },
	"TrimAndAwait": func(*testing.T) {
		block.TrimAndNotify(make(chan struct{}, 1))
		block.TrimAndNotify(nil)
	},
	"a sale": func(t *testing.T) {
		addr, size, err := block.Acquire(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		block.SetRetention(0) // gives back what is unused without
		block.Release(addr, size)
	},
	"a period's end": func(t *testing.T) {
		block.SetRetention(1 << 30)
		endPeriods(t)
	},
}

func TestNobodyWaitsForTheSystemToTakeMemoryBack(t *testing.T) {
	returning(t)
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			defer block.SetRetention(block.MaxRetention)
			defer func() { system.onDiscard = nil }()
			held := pieces(t, 2000) // 109 MiB: more than is retained after a period
			buySell(t, 1<<20, 30)
			calls := 0
			system.onDiscard = func(addr, size uintptr) error {
				if calls++; calls > 3 {
					return nil
				}
				inTime(t, "a purchase while the system takes memory back", func() {
					for range 20 {
						a, s, err := block.Acquire(8 << 10)
						if err != nil {
							t.Error(err)
							return
						}
						if a < addr+size && addr < a+s {
							t.Errorf("a block at %#x is had while the system takes %d bytes at %#x", a, size, addr)
						}
						held = append(held, run{a, s})
					}
					for _, at := range []uintptr{addr, addr + size/2, addr + size - 1} {
						if at, ok := block.Find(at); ok {
							t.Errorf("a block is found at %#x in what the system takes", at)
						}
					}
					if s := block.ReadStats(); s.Retained < size && name != "a sale" {
						t.Errorf("%d bytes are retained while the system takes %d", s.Retained, size)
					}
				})
				return nil
			}
			way(t)
			eventually(t, "memory goes back", func() bool { return block.ReadStats().Retained <= (64<<20+block.ReadStats().InUse)*17/16 })
			block.Trim()
			system.onDiscard = nil
			if calls == 0 {
				t.Error("nothing went back")
			}
			sellAll(held)
			audit(t)
		})
	}
}

func audit(t *testing.T) {
	t.Helper()
	if said, found := block.Audit(); said != found {
		t.Errorf("%d bytes are said to be retained, and %d are found", said, found)
	}
}

// TestAPurchaseGivesNothingBack: the one that ends a period neither, even while the
// system takes its time, and the goroutine that does is gone afterwards.
func TestAPurchaseGivesNothingBack(t *testing.T) {
	returning(t)
	defer func() { system.onDiscard = nil }()
	block.Trim()
	before := runtime.NumGoroutine()
	held := pieces(t, 2000)
	goOn := make(chan struct{})
	system.onDiscard = func(uintptr, uintptr) error { <-goOn; return nil }
	discards := system.discards.Load()
	inTime(t, "a period", func() { endPeriods(t) })
	eventually(t, "memory is on its way", func() bool { return system.discards.Load() > discards })
	inTime(t, "another period", func() { endPeriods(t) })
	if n := system.discards.Load() - discards; n != 1 {
		t.Errorf("%d calls of the system are under way at once", n)
	}
	close(goOn)
	eventually(t, "memory goes back", func() bool { return block.ReadStats().Retained <= (64<<20+block.ReadStats().InUse)*17/16 })
	eventually(t, "the goroutine ends", func() bool { return runtime.NumGoroutine() <= before })
	sellAll(held)
	block.Trim()
	audit(t)
}

// TestMemoryOnItsWayIsHadBeforeAPurchaseIsRefused: it comes back.
func TestMemoryOnItsWayIsHadBeforeAPurchaseIsRefused(t *testing.T) {
	returning(t)
	defer func() { system.onDiscard, system.commits = nil, -1 }()
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
			t.Errorf("answered too early: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		return nil
	}
	block.Trim()
	if err := <-got; err != nil {
		t.Errorf("refused, though the memory was only on its way back: %v", err)
	}
	system.commits = -1
	sellAll(held[:len(held)-1])
}

func TestWhatTheSystemDoesNotTakeStays(t *testing.T) {
	returning(t)
	defer func() { system.onDiscard = nil }()
	held := pieces(t, 500)
	before := block.ReadStats()
	system.onDiscard = func(uintptr, uintptr) error { return errors.New("these pages are locked") }
	if given := block.Trim(); given != 0 || block.ReadStats() != before {
		t.Errorf("a refused Trim gave back %d bytes; the stock is %+v, and was %+v", given, block.ReadStats(), before)
	}
	audit(t)
	system.onDiscard = nil
	if given := block.Trim(); given < 500*7*8<<10/2 {
		t.Errorf("%d bytes go back once the system takes them", given)
	}
	sellAll(held)
	audit(t)
}

// TestAMakerThatPanicsLeavesNoLockBehind: nor is memory lost.
func TestAMakerThatPanicsLeavesNoLockBehind(t *testing.T) {
	returning(t)
	defer block.SetRetention(block.MaxRetention)
	defer func() { system.onDiscard = nil }()
	for name, way := range ways {
		if name == "a period's end" {
			continue // a panic of a goroutine of the warehouse's own ends the process
		}
		held := pieces(t, 500)
		buySell(t, 1<<20, 5)
		sold := block.ReadStats().InUse
		system.onDiscard = func(uintptr, uintptr) error { panic("the maker") }
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: nothing went back", name)
				}
			}()
			way(t)
		}()
		system.onDiscard = nil
		inTime(t, name+", and then a Trim", func() { block.Trim() })
		if name != "a sale" && block.ReadStats().InUse != sold {
			t.Errorf("%s: %d bytes are sold, and were %d", name, block.ReadStats().InUse, sold)
		}
		sellAll(held)
		audit(t)
		block.SetRetention(block.MaxRetention)
	}
}

// TestNeighboursGoBackTogether: unused runs in a row take one call of the system.
func TestNeighboursGoBackTogether(t *testing.T) {
	returning(t)
	block.Trim()
	buySell(t, 8<<10, 4000)
	calls := system.discards.Load()
	block.Trim()
	if calls = system.discards.Load() - calls; calls > 60 {
		t.Errorf("%d calls for 31 MiB in a row", calls)
	}
}

// TestWhatIsRetainedIsCountedExactly: whatever is bought, sold, widened, refused and
// given back, in whatever order.
func TestWhatIsRetainedIsCountedExactly(t *testing.T) {
	defer func() { system.onDiscard = nil }()
	defer block.SetRetention(block.MaxRetention)
	rng := rand.New(rand.NewPCG(8, 9))
	type bought struct{ addr, size, room uintptr }
	var held []bought
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
			var b bought
			var err error
			if size := randomSize(rng); k < 50 {
				b.addr, b.size, b.room, err = block.AcquireGrowable(size, 4*size)
			} else if b.addr, b.size, err = block.Acquire(size); err == nil {
				b.room = b.size
			}
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, b)
		case len(held) > 0:
			i := rng.IntN(len(held))
			b := &held[i]
			if k < 520 && b.size*2 <= b.room {
				b.size = block.Grow(b.addr, b.size, b.room, b.size*2)
				break
			}
			block.ReleaseGrowable(b.addr, b.size, b.room)
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
		}
		if i%50 == 0 {
			if audit(t); t.Failed() {
				t.Fatalf("after %d steps", i)
			}
		}
	}
	for _, b := range held {
		block.ReleaseGrowable(b.addr, b.size, b.room)
	}
	audit(t)
}

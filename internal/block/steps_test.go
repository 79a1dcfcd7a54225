package block_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Steps: how many pages are looked at while the lock is held, for one call or one
// slice of it, however much is in stock.

// peaks are how many pieces of 8 KiB are bought and then sold back but for a few.
var peaks = []int{1 << 10, 1 << 13, 1 << 15}

// meter notes the most steps of one call.
type meter struct {
	what string
	most uint64
}

func (m *meter) of(f func()) {
	before := block.Steps()
	f()
	m.most = max(m.most, block.Steps()-before)
}

// TestStepsUnderTheLockAreBounded: of a purchase, a sale and a slice of a Trim.
func TestStepsUnderTheLockAreBounded(t *testing.T) {
	defer func() { system.onDiscard = nil }()
	if osmem.Current().DiscardFrees() {
		system.onDiscard = func(uintptr, uintptr) error { return nil }
	}
	for _, n := range peaks {
		if testing.Short() && n > 1<<13 {
			break
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(18, uint64(n)))
			buying, selling := meter{what: "a purchase"}, meter{what: "a sale"}
			buy := func(size uintptr) (r run) {
				buying.of(func() {
					addr, got, err := block.Acquire(size)
					if err != nil {
						t.Fatal(err)
					}
					r = run{addr, got}
				})
				return r
			}
			sell := func(r run) { selling.of(func() { block.Release(r.addr, r.size) }) }
			var held []run
			for range n {
				held = append(held, buy(8<<10))
			}
			for range 3 {
				rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
				for len(held) > n/8 {
					sell(held[len(held)-1])
					held = held[:len(held)-1]
				}
				slice, slices := block.Slices(0)
				if slice > block.MaxSteps {
					t.Errorf("a slice of %d looks at %d pages; at most %d are right", slices, slice, block.MaxSteps)
				}
				for size := uintptr(1 << 10); size < 32<<20; size += size/3 + 256 { // of all lengths
					sell(buy(size))
				}
				for len(held) < n {
					held = append(held, buy(8<<10))
				}
			}
			for _, r := range held {
				sell(r)
			}
			block.Slices(0)
			sell(buy(uintptr(n) * 8 << 10 / 2)) // of units that were in many parts
			for _, m := range []meter{buying, selling} {
				t.Logf("%s: %d steps at the most", m.what, m.most)
				if m.most > block.MaxSteps {
					t.Errorf("%s looks at %d pages; at most %d are right", m.what, m.most, block.MaxSteps)
				}
			}
		})
	}
}

// TestASystemCallIsBounded: no more than so many bytes go back at once, whatever lies in
// a row, and a limit on what is retained is not passed by far.
func TestASystemCallIsBounded(t *testing.T) {
	returning(t)
	defer func() { system.onDiscard = nil }()
	held := exhaust(t, 8<<20)
	addr, size, err := block.Acquire(200 << 20)
	if err != nil {
		t.Skip("address space is short: ", err)
	}
	block.Release(addr, size)
	var most uintptr
	system.onDiscard = func(_, size uintptr) error { most = max(most, size); return nil }
	block.TrimTo(150 << 20)
	if kept := block.ReadStats().Retained; kept > 150<<20 || kept < 142<<20 {
		t.Errorf("%d bytes are retained where 150 MiB are to be kept", kept)
	}
	block.Trim()
	if most == 0 || most > 64<<20 {
		t.Errorf("one call of the system takes %d bytes back", most)
	}
	sellAll(held)
}

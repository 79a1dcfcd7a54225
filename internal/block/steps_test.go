package block_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Steps: how many pages are looked at while the lock is held, by one call or one slice
// of it, however much is free.

// peaks has numbers of pieces of 8 KiB, most of which are released after they were
// acquired.
var peaks = []int{1 << 10, 1 << 13, 1 << 15}

// meter has the maximum number of steps of one call.
type meter struct {
	what string
	max  uint64
}

// of calls f and counts its steps.
func (m *meter) of(f func()) {
	before := block.Steps()
	f()
	m.max = max(m.max, block.Steps()-before)
}

// TestStepsUnderTheLockAreBounded: of Acquire, Release and a slice of Trim.
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
			acquiring, releasing := meter{what: "Acquire"}, meter{what: "Release"}
			acquire := func(size uintptr) (r run) {
				acquiring.of(func() {
					addr, got, err := block.Acquire(size)
					if err != nil {
						t.Fatal(err)
					}
					r = run{addr, got}
				})
				return r
			}
			release := func(r run) { releasing.of(func() { block.Release(r.addr, r.size) }) }
			var held []run
			for range n {
				held = append(held, acquire(8<<10))
			}
			for range 3 {
				rng.Shuffle(len(held), func(i, j int) { held[i], held[j] = held[j], held[i] })
				for len(held) > n/8 {
					release(held[len(held)-1])
					held = held[:len(held)-1]
				}
				slice, slices := block.Slices(0)
				if slice > block.MaxSteps {
					t.Errorf("one of %d slices looks at %d pages; at most %d are allowed", slices, slice, block.MaxSteps)
				}
				for size := uintptr(1 << 10); size < 32<<20; size += size/3 + 256 { // of all lengths
					release(acquire(size))
				}
				for len(held) < n {
					held = append(held, acquire(8<<10))
				}
			}
			for _, r := range held {
				release(r)
			}
			block.Slices(0)
			release(acquire(uintptr(n) * 8 << 10 / 2)) // of units that were cut into many parts
			for _, m := range []meter{acquiring, releasing} {
				t.Logf("%s: at most %d steps", m.what, m.max)
				if m.max > block.MaxSteps {
					t.Errorf("%s looks at %d pages; at most %d are allowed", m.what, m.max, block.MaxSteps)
				}
			}
		})
	}
}

// TestSystemCallsAreBounded: one call returns at most 64 MiB, however much is free in a
// row, and TrimTo returns little more than it should.
func TestSystemCallsAreBounded(t *testing.T) {
	skipUnlessDiscardFrees(t)
	defer func() { system.onDiscard = nil }()
	held := exhaust(t, 8<<20)
	addr, size, err := block.Acquire(200 << 20)
	if err != nil {
		t.Skip("address space is short: ", err)
	}
	block.Release(addr, size)
	var largest uintptr
	system.onDiscard = func(_, size uintptr) error { largest = max(largest, size); return nil }
	block.TrimTo(150 << 20)
	if kept := block.ReadStats().Retained; kept > 150<<20 || kept < 142<<20 {
		t.Errorf("%d bytes are retained after TrimTo 150 MiB", kept)
	}
	block.Trim()
	if largest == 0 || largest > 64<<20 {
		t.Errorf("the largest system call returns %d bytes", largest)
	}
	releaseAll(held)
}

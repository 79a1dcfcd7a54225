package block_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// A system that commits a certain amount of memory: what is released can be acquired
// again.

// refusedSizes has sizes of every level up to some MiB.
var refusedSizes = []uintptr{10 << 10, 20 << 10, 40 << 10, 100 << 10, 400 << 10, 1 << 20, 3 << 20, 1000, 8000, 6 << 20, 7 << 20, 20 << 20}

// refusedAfter is how many bytes the system commits.
const refusedAfter = 24 << 20

// fill acquires blocks of a size until the system refuses.
func fill(t *testing.T, size uintptr) (held []run) {
	t.Helper()
	for {
		addr, got, err := block.Acquire(size)
		if err != nil {
			if !errors.Is(err, osmem.ErrNoMemory) {
				t.Fatal(err)
			}
			return held
		}
		held = append(held, run{addr, got})
	}
}

func TestReleasedMemoryIsAcquiredAgainAfterARefusal(t *testing.T) {
	defer func() { system.bytes = -1 }()
	defer releaseAll(exhaust(t, 1<<20)) // what was committed before
	for _, size := range refusedSizes {
		system.bytes = refusedAfter
		first := fill(t, size)
		releaseAll(first)
		for round := range 3 {
			again := fill(t, size)
			if len(again)*100 < len(first)*95 {
				t.Errorf("%d blocks of %d bytes until the system refused; in round %d of those after that %d, with %d MiB retained",
					len(first), size, round, len(again), block.ReadStats().Retained>>20)
			}
			rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			releaseAll(again)
		}
		system.bytes = -1
		more := first[:0]
		for range len(first) + 10 { // the system gives again
			addr, got, err := block.Acquire(size)
			if err != nil {
				t.Fatalf("a block of %d bytes, after the system refused and then gave again: %v", size, err)
			}
			more = append(more, run{addr, got})
		}
		releaseAll(more)
	}
}

// TestRefusedRegionIsReleased: of requests that need a region of their own, which the
// system reserves and then does not commit, or which is larger than any can be.
func TestRefusedRegionIsReleased(t *testing.T) {
	defer func() { system.bytes = -1 }()
	sizes := []uintptr{1 << 29, 1500 << 20, 1700 << 20, 1 << 31, 3 << 30, 4<<30 - 1<<20}
	if osmem.WideShift != 0 {
		for i := range sizes {
			sizes[i] <<= 9 // up to 2 TiB
		}
	}
	taken, before := system.taken, block.ReadStats()
	for range 40 {
		for _, size := range sizes {
			system.bytes = 64 << 20 // enough for the region's metadata
			if _, _, err := block.Acquire(size); !errors.Is(err, osmem.ErrNoMemory) {
				t.Fatalf("Acquire(%d): %v", size, err)
			}
		}
	}
	if system.taken != taken || block.ReadStats() != before {
		t.Errorf("refused requests took %d bytes of address space; the figures are %+v, and were %+v", system.taken-taken, block.ReadStats(), before)
	}
}

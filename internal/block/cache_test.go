package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
)

// Runs that were released last are set aside by length, linked through their own memory.

// TestCachedRunsAreNoBlocks releases more blocks of each length than are cached, and acquires
// them again in any order, some aligned: no address is in two blocks, none in a released one
// is found, and what is retained agrees with the pages.
func TestCachedRunsAreNoBlocks(t *testing.T) {
	defer block.SetRetention(block.MaxRetention)
	rng := rand.New(rand.NewPCG(21, 22))
	sizes := []uintptr{256, 512, 1 << 10, 12 << 10, 14 << 10, 64 << 10, 100 << 10, 1 << 20, 5 << 20}
	var live []run
	for round := range 400 {
		switch size := sizes[rng.IntN(len(sizes))]; rng.IntN(8) {
		case 0, 1, 2:
			for range min(1+rng.IntN(20), int(8<<20/size)) {
				live = insert(t, live, size)
			}
		case 3:
			if addr, err := block.AcquireAligned(size); size&(size-1) == 0 {
				if err != nil || addr%size != 0 {
					t.Fatalf("AcquireAligned(%d) = %#x, %v", size, addr, err)
				}
				live = place(t, live, addr, size)
			}
		case 4:
			block.TrimTo(uintptr(rng.IntN(8 << 20)))
		case 5:
			block.SetRetention([]uintptr{0, 1 << 20, block.MaxRetention}[rng.IntN(3)])
		default:
			for range min(1+rng.IntN(40), len(live)) {
				i := rng.IntN(len(live))
				r := live[i]
				live = append(live[:i], live[i+1:]...)
				block.Release(r.addr, r.size)
				wantNoBlock(t, rng, r)
			}
		}
		for _, r := range live {
			checkFound(t, rng, r)
		}
		if recorded, found := block.Audit(); recorded != found {
			t.Fatalf("round %d: %d bytes are retained, and the pages have %d", round, recorded, found)
		}
	}
	releaseAll(live)
}

// wantNoBlock checks that no address of a released block is in one.
func wantNoBlock(t *testing.T, rng *rand.Rand, r run) {
	t.Helper()
	for _, off := range []uintptr{0, r.size - 1, uintptr(rng.Int64N(int64(r.size)))} {
		if start, ok := block.Find(r.addr + off); ok {
			t.Fatalf("%#x, in a block of %d bytes that was released, is found in one at %#x", r.addr+off, r.size, start)
		}
		if n := block.CapacityAt(r.addr + off); n != 0 || block.KnownZero(r.addr+off) {
			t.Fatalf("at %#x, in a block of %d bytes that was released, one of %d begins", r.addr+off, r.size, n)
		}
	}
}

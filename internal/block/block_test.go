package block_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// run is a block that a test has acquired.
type run struct{ addr, size uintptr }

// randomSize returns mostly small sizes, as contexts have them, and some of every level
// that a test can afford to write to.
func randomSize(rng *rand.Rand) uintptr {
	switch rng.IntN(20) {
	case 0:
		return uintptr(rng.IntN(5<<20)) + 1
	case 1, 2, 3:
		return uintptr(rng.IntN(200<<10)) + 1
	default:
		return uintptr(rng.IntN(20<<10)) + 1
	}
}

func TestBlocksDoNotOverlapAndAreFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	before := block.ReadStats().InUse
	var live []run // by address
	for range 20000 {
		if len(live) > 300 || (len(live) > 0 && rng.IntN(2) == 0) {
			i := rng.IntN(len(live))
			checkFound(t, rng, live[i])
			block.Release(live[i].addr, live[i].size)
			if _, ok := block.Find(live[i].addr); ok {
				t.Fatalf("block at %#x is found after it was released", live[i].addr)
			}
			live = slices.Delete(live, i, i+1)
			continue
		}
		live = insert(t, live, randomSize(rng))
	}
	for _, r := range live {
		block.Release(r.addr, r.size)
	}
	if after := block.ReadStats().InUse; after != before {
		t.Fatalf("%d bytes are in use after everything was released, %d before", after, before)
	}
}

// insert acquires a block, checks its neighbours and writes to both of its ends.
func insert(t *testing.T, live []run, size uintptr) []run {
	t.Helper()
	addr, got, err := block.Acquire(size)
	if err != nil {
		t.Fatal(err)
	}
	if got < size || got%256 != 0 || addr%256 != 0 {
		t.Fatalf("Acquire(%d) = %d bytes at %#x", size, got, addr)
	}
	return place(t, live, addr, got)
}

// place inserts a block among the others, by address, and checks that it overlaps none.
func place(t *testing.T, live []run, addr, got uintptr) []run {
	t.Helper()
	i, _ := slices.BinarySearchFunc(live, addr, func(r run, a uintptr) int {
		if r.addr < a {
			return -1
		}
		return 1
	})
	if i > 0 && live[i-1].addr+live[i-1].size > addr || i < len(live) && addr+got > live[i].addr {
		t.Fatalf("block of %d bytes at %#x overlaps a neighbour", got, addr)
	}
	b := osmem.Bytes(addr, got)
	b[0], b[got-1] = 1, 1
	return slices.Insert(live, i, run{addr, got})
}

// checkFound checks that Find returns the beginning of r for addresses in it.
func checkFound(t *testing.T, rng *rand.Rand, r run) {
	t.Helper()
	for _, off := range []uintptr{0, r.size - 1, uintptr(rng.Int64N(int64(r.size)))} {
		if start, ok := block.Find(r.addr + off); !ok || start != r.addr {
			t.Fatalf("Find(%#x) = %#x, %v, want the block at %#x", r.addr+off, start, ok, r.addr)
		}
	}
}

func TestForeignAddressesAreNotReadable(t *testing.T) {
	var onStack [4]uint64
	onHeap := make([]uint64, 1000)
	for _, addr := range []uintptr{0, 8, ^uintptr(7), addressOf(&onStack[1]), addressOf(&onHeap[9])} {
		if block.InFirstRegion(addr) || block.Readable(addr) {
			t.Errorf("address %#x passes for one of a region", addr)
		}
		if _, ok := block.Find(addr); ok {
			t.Errorf("address %#x is found in a block", addr)
		}
	}
}

func TestOddAddressesAreNotReadable(t *testing.T) {
	addr, size, err := block.Acquire(256)
	if err != nil {
		t.Fatal(err)
	}
	defer block.Release(addr, size)
	if !block.InFirstRegion(addr) || !block.Readable(addr) {
		t.Fatalf("a block at %#x is not readable", addr)
	}
	for off := uintptr(1); off < 8; off++ {
		if block.InFirstRegion(addr+off) || block.Readable(addr+off) {
			t.Fatalf("odd address %#x passes for a chunk's", addr+off)
		}
	}
}

// TestFirstWordOfARegionIsNotReadable: the word before a Readable address is in
// committed memory, too.
func TestFirstWordOfARegionIsNotReadable(t *testing.T) {
	base, size, err := block.Acquire(256)
	if err != nil {
		t.Fatal(err)
	}
	defer block.Release(base, size)
	for base -= base % 256; block.Readable(base - 256 + 8); base -= 256 {
	}
	if block.Readable(base) || block.InFirstRegion(base) {
		t.Errorf("the first address of the region, %#x, passes for a chunk's", base)
	}
	if !block.Readable(base + 8) {
		t.Errorf("the second word of the region, %#x, is not readable", base+8)
	}
}

func TestTrimReturnsFreeMemory(t *testing.T) {
	skipUnlessDiscardFrees(t)
	addr, size, err := block.Acquire(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	osmem.Bytes(addr, size)[5] = 1
	block.Release(addr, size)
	if returned := block.Trim(); returned < 8<<20 {
		t.Fatalf("Trim returned %d bytes, at least %d were free", returned, 8<<20)
	}
	if left := block.ReadStats().Retained; left > 64<<10 {
		t.Fatalf("%d bytes are still retained after Trim", left)
	}
	if again := block.Trim(); again != 0 {
		t.Fatalf("a second Trim returned %d bytes", again)
	}
}

// TestRetentionFollowsThePeak: what a burst used is retained for the next burst, and
// returned when no burst comes for two periods.
func TestRetentionFollowsThePeak(t *testing.T) {
	skipUnlessDiscardFrees(t)
	block.Trim()
	const piece, pieces, minRetention, period = 4 << 20, 40, 64 << 20, 1 << 14
	acquireRelease(t, piece, pieces)
	if s := block.ReadStats(); s.Retained < piece*pieces*3/4 {
		t.Fatalf("%d bytes retained right after a burst of %d", s.Retained, piece*pieces)
	}
	for range 3 * period {
		acquireRelease(t, 1<<10, 1)
	}
	eventually(t, "two quiet periods after a burst little is retained", func() bool {
		s := block.ReadStats()
		return s.Retained <= (minRetention+s.InUse)*17/16
	})
}

// TestCyclicUseIsRetained: what a service uses again and again, in pieces that do not
// fill a unit of a coarser level, is neither counted too high nor returned to the
// system.
func TestCyclicUseIsRetained(t *testing.T) {
	skipUnlessDiscardFrees(t)
	for _, cycle := range []struct{ piece, pieces uintptr }{{1 << 20, 70}, {16 << 20, 5}, {16 << 20, 17}} {
		if cycle.piece*cycle.pieces > 100<<20 && osmem.WideShift == 0 {
			continue // address space is short
		}
		block.Trim()
		all, discards := cycle.piece*cycle.pieces, system.discards.Load()
		for range 6 {
			acquireRelease(t, cycle.piece, int(cycle.pieces))
			if s := block.ReadStats(); s.Retained < all || s.Retained > all+all/8 { // another piece than before may be taken
				t.Fatalf("%d bytes retained after %d were in use", s.Retained, all)
			}
		}
		if n := system.discards.Load() - discards; n != 0 {
			t.Errorf("memory was returned to the system %d times, of %d bytes in cyclic use", n, all)
		}
	}
}

func TestAlignedBlocksBeginAtMultiplesOfTheirSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	var live []run
	for range 4000 {
		if len(live) > 100 {
			i := rng.IntN(len(live))
			block.Release(live[i].addr, live[i].size)
			live = slices.Delete(live, i, i+1)
		}
		if rng.IntN(2) == 0 {
			live = insert(t, live, randomSize(rng))
			continue
		}
		size := uintptr(block.MinSize) << rng.IntN(14)
		addr, err := block.AcquireAligned(size)
		if err != nil || addr%size != 0 {
			t.Fatalf("AcquireAligned(%d) = %#x, %v", size, addr, err)
		}
		live = place(t, live, addr, size)
	}
	for _, r := range live {
		block.Release(r.addr, r.size)
	}
	if _, err := block.AcquireAligned(3 << 10); !errors.Is(err, osmem.ErrNoMemory) {
		t.Errorf("AcquireAligned of 3 KiB: %v", err)
	}
}

// acquireRelease acquires n blocks and then releases them, the latest first, as the
// reset of a context does.
func acquireRelease(t *testing.T, size uintptr, n int) {
	t.Helper()
	var held []run
	for range n {
		addr, got, err := block.Acquire(size)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, run{addr, got})
	}
	for _, r := range slices.Backward(held) {
		block.Release(r.addr, r.size)
	}
}

func TestAcquireOfTooMuchIsRefused(t *testing.T) {
	before := block.ReadStats()
	if _, _, err := block.Acquire(^uintptr(0) >> 1); !errors.Is(err, osmem.ErrNoMemory) {
		t.Fatalf("Acquire of half the address space: %v", err)
	}
	if after := block.ReadStats(); after.InUse != before.InUse {
		t.Fatalf("a refused Acquire changed the figures: %+v, were %+v", after, before)
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	for b.Loop() {
		addr, size, err := block.Acquire(2048)
		if err != nil {
			b.Fatal(err)
		}
		block.Release(addr, size)
	}
}

func BenchmarkFind(b *testing.B) {
	addr, size, err := block.Acquire(2048)
	if err != nil {
		b.Fatal(err)
	}
	defer block.Release(addr, size)
	for b.Loop() {
		if _, ok := block.Find(addr + 1000); !ok {
			b.Fatal("not found")
		}
	}
}

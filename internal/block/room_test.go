package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// TestWhatIsWidenedCountsAsSold: to the byte, up to the room, and no more once it is
// sold back.
func TestWhatIsWidenedCountsAsSold(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	before := block.ReadStats()
	for range 300 {
		size := uintptr(1 + rng.IntN(200<<10))
		addr, got, room, err := block.AcquireGrowable(size, 8*size)
		if err != nil {
			t.Fatal(err)
		}
		for got < room {
			was := block.ReadStats().InUse
			more := block.Grow(addr, got, room, got+1+uintptr(rng.IntN(int(room-got))))
			if more <= got || more > room {
				t.Fatalf("a block of %d bytes, with room for %d, was widened to %d", got, room, more)
			}
			if sold := block.ReadStats().InUse - was; sold != more-got {
				t.Fatalf("%d bytes more are sold of a block that was widened from %d to %d", sold, got, more)
			}
			got = more
			osmem.Bytes(addr, got)[got-1] = 1
		}
		if sold := block.ReadStats().InUse - before.InUse; sold != room {
			t.Fatalf("%d bytes are sold, of one block that has %d", sold, room)
		}
		block.ReleaseGrowable(addr, got, room)
		if sold := block.ReadStats().InUse; sold != before.InUse {
			t.Fatalf("%d bytes are sold in the end, and were %d", sold, before.InUse)
		}
	}
	audit(t)
}

// TestAWideningIsPartOfThePeak: what a block was widened to is kept for the next.
func TestAWideningIsPartOfThePeak(t *testing.T) {
	returning(t)
	block.Trim()
	addr, got, room, err := block.AcquireGrowable(1<<20, 200<<20)
	if err != nil {
		t.Skip("address space is short: ", err)
	}
	got = block.Grow(addr, got, room, 150<<20)
	block.ReleaseGrowable(addr, got, room)
	if s := block.ReadStats(); s.Retained < 150<<20 {
		t.Errorf("%d bytes are retained right after a block was widened to %d", s.Retained, got)
	}
	block.Trim()
}

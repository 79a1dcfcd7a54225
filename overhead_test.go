package palloc_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc"
)

// Overhead: how much memory a context holds for each requested byte.

// TestAnAllocSetHoldsLittleMoreThanWasAsked allocates chunks of 1 to 1024 bytes, and
// compares the memory held with their sum. A Slab allocates 512 bytes each time.
func TestAnAllocSetHoldsLittleMoreThanWasAsked(t *testing.T) {
	mustBePlain(t)
	const most = 1.15
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, chunks := range []int{2_000, 20_000, 400_000} {
			if cramped() && chunks > 20_000 {
				continue // 200 MB
			}
			worst := 0.0
			for seed := range 3 {
				worst = max(worst, heldPerByte(newKind(newRoot(t), k, "c", 512), chunks, uint64(seed)))
			}
			t.Logf("%7d chunks: %.3f bytes held for a byte asked", chunks, worst)
			if k == palloc.KindAllocSet && worst > most {
				t.Errorf("%d chunks: %.3f bytes held for a byte asked, more than %.2f", chunks, worst, most)
			}
		}
	})
}

func heldPerByte(c palloc.Context, chunks int, seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	asked := 0
	for range chunks {
		size := 1 + r.IntN(1024)
		if c.Kind() == palloc.KindSlab {
			size = 512
		}
		c.Alloc(size)
		asked += size
	}
	held := c.Held()
	c.Reset()
	return float64(held) / float64(asked)
}

// TestAnAllocSetRoundsAsREADMESays checks that sizes are rounded up by at most a quarter up
// to 2 KiB, a half up to 8 KiB, and a sixth beyond; by 8 % on average up to 2 KiB.
func TestAnAllocSetRoundsAsREADMESays(t *testing.T) {
	mc := palloc.NewAllocSet(newRoot(t), "c")
	asked, got := 0, 0
	for size := 64; size <= 8<<10; size++ {
		p := mc.Alloc(size)
		usable := palloc.UsableSize(p)
		most := size / 4
		if size > 2<<10 {
			most = size / 2
		} else {
			asked, got = asked+size, got+usable
		}
		if more := usable - size; more > most {
			t.Errorf("%d bytes are rounded up by %d, more than %d", size, more, most)
		}
		palloc.FreePointer(p)
	}
	if more := float64(got)/float64(asked) - 1; more > 0.09 {
		t.Errorf("sizes up to 2 KiB are rounded up by %.3f on average", more)
	}
	for size := 8<<10 + 1; size < 24<<20; size += 1 + size/97 {
		p := mc.Alloc(size)
		if more := palloc.Footprint(p) - size; more > size/6+64 {
			t.Errorf("%d bytes take %d more, beyond a sixth", size, more)
		}
		palloc.FreePointer(p)
	}
	for size := 16 << 10; size <= 16<<20; size *= 2 {
		p := mc.Alloc(size)
		if more := palloc.Footprint(p) - size; more > size/8 {
			t.Errorf("%d bytes take %d more, beyond an eighth", size, more)
		}
		palloc.FreePointer(p)
	}
}

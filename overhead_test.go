package palloc_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc"
)

// Overhead: how much memory a context holds for each byte asked of it.

// TestAnAllocSetHoldsLittleMoreThanWasAsked sells chunks of 1 to 1024 bytes and
// compares. A Slab sells 512 bytes each time.
func TestAnAllocSetHoldsLittleMoreThanWasAsked(t *testing.T) {
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
	held := c.MemAllocated(false)
	c.Reset()
	return float64(held) / float64(asked)
}

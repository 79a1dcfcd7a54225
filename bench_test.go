package palloc_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gopalloc/palloc"
)

// Benchmarks of the hot paths. Each context is reset after a hundred chunks, so that its
// block stays in the processor's cache.

type words [8]uint64

func benchmarkNew(b *testing.B, mc palloc.Context) {
	defer mc.Delete()
	for range b.N/100 + 1 {
		for range 100 {
			palloc.New[words](mc)[0] = 1
		}
		mc.Reset()
	}
}

func BenchmarkNew64(b *testing.B) {
	b.Run("Bump", func(b *testing.B) { benchmarkNew(b, palloc.NewBump(palloc.Top(), "bench")) })
	b.Run("AllocSet", func(b *testing.B) { benchmarkNew(b, palloc.NewAllocSet(palloc.Top(), "bench")) })
	b.Run("Generation", func(b *testing.B) { benchmarkNew(b, palloc.NewGeneration(palloc.Top(), "bench")) })
	b.Run("Slab", func(b *testing.B) { benchmarkNew(b, palloc.NewSlab(palloc.Top(), "bench", 64)) })
	b.Run("GoHeap", func(b *testing.B) {
		for range b.N {
			kept = new(words)
		}
	})
}

var kept *words

func BenchmarkAlloc64(b *testing.B) {
	mc := palloc.NewBump(palloc.Top(), "bench")
	defer mc.Delete()
	for range b.N/100 + 1 {
		for range 100 {
			*(*uint64)(mc.Alloc(64)) = 1
		}
		mc.Reset()
	}
}

func benchmarkPair(b *testing.B, mc palloc.Context) {
	defer mc.Delete()
	for range b.N {
		palloc.FreePointer(mc.Alloc(64))
	}
}

func BenchmarkAllocFree64(b *testing.B) {
	b.Run("AllocSet", func(b *testing.B) { benchmarkPair(b, palloc.NewAllocSet(palloc.Top(), "bench")) })
	b.Run("Generation", func(b *testing.B) { benchmarkPair(b, palloc.NewGeneration(palloc.Top(), "bench")) })
	b.Run("Slab", func(b *testing.B) { benchmarkPair(b, palloc.NewSlab(palloc.Top(), "bench", 64)) })
}

// BenchmarkAligned allocates and frees a chunk of 100 bytes, as AllocAligned on some alignments and
// as Alloc, and reports what a thousand live ones of a size hold on 64, as bytes each and in
// percent of what they hold otherwise.
func BenchmarkAligned(b *testing.B) {
	b.Run("Pair", func(b *testing.B) {
		b.Run("Alloc", func(b *testing.B) {
			mc := palloc.NewAllocSet(newRoot(b), "bench")
			for range b.N {
				palloc.FreePointer(mc.Alloc(100))
			}
		})
		for _, align := range []int{16, 64, 4096} {
			b.Run(fmt.Sprint(align), func(b *testing.B) {
				mc := palloc.NewAllocSet(newRoot(b), "bench")
				for range b.N {
					palloc.FreePointer(mc.AllocAligned(100, align))
				}
			})
		}
	})
	for _, size := range []int{64, 100, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096} {
		b.Run(fmt.Sprint("Held/", size), func(b *testing.B) {
			plain, aligned := 0, 0
			for range b.N {
				plain, aligned = heldBy(b, size, 8), heldBy(b, size, 64)
			}
			b.ReportMetric(float64(aligned)/1000, "B/chunk")
			b.ReportMetric(100*float64(aligned)/float64(plain)-100, "%more")
		})
	}
}

// BenchmarkContextPerCall creates a context, allocates ten chunks, and deletes it.
func BenchmarkContextPerCall(b *testing.B) {
	b.Run("AllocSet", func(b *testing.B) {
		for range b.N {
			mc := palloc.NewAllocSet(palloc.Top(), "call")
			for range 10 {
				mc.Alloc(100)
			}
			mc.Delete()
		}
	})
	b.Run("Bump", func(b *testing.B) {
		for range b.N {
			mc := palloc.NewBump(palloc.Top(), "call")
			for range 10 {
				mc.Alloc(100)
			}
			mc.Delete()
		}
	})
}

// BenchmarkRequest builds the tree of a request, and deletes it with one call or context by
// context, on GOMAXPROCS goroutines: each below a context of its own.
func BenchmarkRequest(b *testing.B) {
	for name, parts := range map[string]bool{"AtOnce": false, "ByParts": true} {
		b.Run(name, func(b *testing.B) {
			top := newRoot(b)
			b.RunParallel(func(pb *testing.PB) {
				mine := palloc.NewAllocSet(top, "worker")
				for pb.Next() {
					request := palloc.NewAllocSet(mine, "request")
					request.Alloc(100)
					parse := palloc.NewAllocSet(request, "parse")
					parse.Alloc(100)
					run := palloc.NewAllocSet(request, "run")
					for range 3 {
						step := palloc.NewBump(run, "step")
						step.Alloc(100)
						step.Delete()
					}
					if parts {
						run.Delete()
						parse.Delete()
					}
					request.Delete()
				}
			})
		})
	}
}

// BenchmarkMillion creates, resets and deletes a million contexts, and reports
// the seconds of each.
func BenchmarkMillion(b *testing.B) {
	b.Run("Chain", func(b *testing.B) {
		benchmarkMillion(b, func(mc palloc.Context, n int) {
			for range n {
				mc = palloc.NewAllocSet(mc, "link")
			}
		})
	})
	b.Run("Siblings", func(b *testing.B) {
		benchmarkMillion(b, func(mc palloc.Context, n int) {
			for range n {
				palloc.NewAllocSet(mc, "sibling")
			}
		})
	})
}

func benchmarkMillion(b *testing.B, create func(mc palloc.Context, n int)) {
	var took [3]time.Duration
	for range b.N {
		mc := palloc.NewAllocSet(palloc.Top(), "million")
		for i, step := range []func(){func() { create(mc, 1_000_000) }, mc.ResetChildren, mc.Delete} {
			begin := time.Now()
			step()
			took[i] += time.Since(begin)
		}
	}
	for i, unit := range []string{"s/create", "s/reset", "s/delete"} {
		b.ReportMetric(took[i].Seconds()/float64(b.N), unit)
	}
}

// BenchmarkOnReset registers a callback and stops the one registered a thousand before: the
// context always has a thousand.
func BenchmarkOnReset(b *testing.B) {
	for _, n := range []int{1000, 40_000} {
		b.Run(fmt.Sprint(n, " callbacks"), func(b *testing.B) {
			mc := palloc.NewAllocSet(palloc.Top(), "bench")
			defer mc.Delete()
			for range n - 1000 {
				mc.BeforeReset(func() {})
			}
			ring := make([]func() bool, 1000)
			for i := range ring {
				ring[i] = mc.BeforeReset(func() {})
			}
			i := 0
			for b.Loop() {
				ring[i]()
				ring[i] = mc.BeforeReset(func() {})
				i = (i + 1) % len(ring)
			}
		})
	}
}

package palloc_test

import (
	"testing"

	"github.com/gopalloc/palloc"
)

type node64 struct{ a [8]uint64 }

func BenchmarkBumpNew(b *testing.B) {
	mc := palloc.NewBump(palloc.Top(), "bench")
	defer mc.Delete()
	i := 0
	for range b.N {
		p := palloc.New[node64](mc)
		p.a[0] = 1
		if i++; i == 100 {
			i = 0
			mc.Reset()
		}
	}
}

func BenchmarkAllocSetNew(b *testing.B) {
	mc := palloc.NewAllocSet(palloc.Top(), "bench")
	defer mc.Delete()
	i := 0
	for range b.N {
		p := palloc.New[node64](mc)
		p.a[0] = 1
		if i++; i == 100 {
			i = 0
			mc.Reset()
		}
	}
}

func BenchmarkPair(b *testing.B) {
	mc := palloc.NewAllocSet(palloc.Top(), "bench")
	defer mc.Delete()
	for range b.N {
		palloc.FreePointer(mc.Alloc(64))
	}
}

func BenchmarkContextPerCall(b *testing.B) {
	for range b.N {
		mc := palloc.NewAllocSet(palloc.Top(), "call")
		for range 10 {
			mc.Alloc(100)
		}
		mc.Delete()
	}
}

func BenchmarkContextPerCallBump(b *testing.B) {
	for range b.N {
		mc := palloc.NewBump(palloc.Top(), "call")
		for range 10 {
			mc.Alloc(100)
		}
		mc.Delete()
	}
}

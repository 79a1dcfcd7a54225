package simplepool_test

import (
	"testing"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/examples/simplepool"
	"github.com/gopalloc/palloc/examples/simplepool/cmalloc"
)

// One work for four allocators: 1000 chunks of 64 bytes, and then their end, one by one with malloc,
// all at once with a pool, by the collector on Go's heap. An op is one chunk.

const chunks, size = 1000, 64

func BenchmarkMalloc(b *testing.B) {
	if !cmalloc.Rounds(1, chunks, size) {
		b.Skip("no cgo, and so no malloc")
	}
	cmalloc.Rounds(b.N/chunks, chunks, size)
}

var sink [chunks]*[size]byte

func BenchmarkGoHeap(b *testing.B) {
	for i := range b.N {
		sink[i%chunks] = new([size]byte)
	}
}

func BenchmarkSimplePool(b *testing.B) {
	var p simplepool.Pool
	for i := range b.N {
		if i%chunks == 0 {
			p.Reset()
		}
		p.Alloc(size)[0] = 1
	}
}

func BenchmarkAllocSet(b *testing.B) {
	mc := palloc.NewAllocSet(palloc.Top(), "benchmark")
	defer mc.Delete()
	for i := range b.N {
		if i%chunks == 0 {
			mc.Reset()
		}
		*(*byte)(mc.Alloc(size)) = 1
	}
}

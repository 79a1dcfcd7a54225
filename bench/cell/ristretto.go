//go:build amd64 || arm64 || ppc64 || ppc64le || mips64 || mips64le || riscv64 || s390x

package cell

import (
	"encoding/binary"
	"unsafe"

	"github.com/dgraph-io/ristretto/v2/z"
)

// Ristretto's z.Allocator: a bump allocator on Go's heap (or on jemalloc, in
// builds that link it; this one does not), safe for several goroutines, which can
// be reset and released. Memory that must be cleared, or lie on a word, comes
// from AllocateAligned, which does both. Where an int has 32 bits it begins its
// first buffer anew when that is full, and is no allocator.
//
// Invariant: nodes point to nodes of the same allocator, whose buffers keep them
// alive. Cost: what is measured.

func init() {
	fill := func(time func(func(int)) figures, loop func(a *z.Allocator, n int)) workload {
		return plain(func() figures {
			a := z.NewAllocator(1<<10, "cell")
			defer a.Release()
			return time(func(n int) { loop(a, n) })
		})
	}
	join("ristretto", map[string]workload{
		"cached-64":        fill(cached, zCached),
		"cached-64-zeroed": fill(cached, zCachedZeroed),
		"million-16":       fill(million, func(a *z.Allocator, n int) { zFill(a, n, 16) }),
		"million-64":       fill(million, func(a *z.Allocator, n int) { zFill(a, n, 64) }),
		"million-256":      fill(million, func(a *z.Allocator, n int) { zFill(a, n, 256) }),
		"call":             plain(func() figures { return calls(zCalls) }),
		"trees-1":          plain(func() figures { return trees(zGrove) }),
		"trees-2":          plain(func() figures { return trees(zGrove, zGrove) }),
	})
}

// link writes the address of another chunk into a chunk.
func link(b, last []byte) {
	binary.NativeEndian.PutUint64(b, numberOf(unsafe.SliceData(last)))
}

// zFill allocates chunks and resets.
func zFill(a *z.Allocator, n, size int) {
	var last []byte
	for range n {
		b := a.Allocate(size)
		link(b, last)
		last = b
	}
	a.Reset()
}

func zCached(a *z.Allocator, rounds int) {
	for range rounds {
		zFill(a, perRound, 64)
	}
}

func zCachedZeroed(a *z.Allocator, rounds int) {
	for range rounds {
		var last []byte
		for range perRound {
			b := a.AllocateAligned(64)
			link(b, last)
			last = b
		}
		a.Reset()
	}
}

func zCalls(n int) {
	for range n {
		a := z.NewAllocator(1<<10, "call")
		var last []byte
		for range perCall {
			b := a.Allocate(100)
			link(b, last)
			last = b
		}
		a.Release()
	}
}

func zBuild(a *z.Allocator, depth int) *goNode {
	n := (*goNode)(begin(a.AllocateAligned(int(unsafe.Sizeof(goNode{})))))
	if depth > 0 {
		n.left = zBuild(a, depth-1)
		n.right = zBuild(a, depth-1)
	}
	return n
}

var zGrove = grove{
	plant: func(depth, trees int) (nodes int) {
		for range trees {
			a := z.NewAllocator(1<<10, "tree")
			nodes += zBuild(a, depth).count()
			a.Release()
		}
		return nodes
	},
	keep: func(depth int) func() int {
		a := z.NewAllocator(1<<10, "tree")
		n := zBuild(a, depth)
		return func() int {
			defer a.Release()
			return n.count()
		}
	},
}

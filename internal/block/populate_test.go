package block_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Fresh memory that is about to be used is populated, once, and no more of it than is used.

// watchPopulate returns the ranges that a function populates.
func watchPopulate(t *testing.T, f func()) (list []run) {
	t.Helper()
	if !osmem.Current().Populates() {
		t.Skip("the system has no call that populates memory")
	}
	system.onPopulate = func(addr, size uintptr) { list = append(list, run{addr, size}) }
	defer func() { system.onPopulate = nil }()
	f()
	if recorded, found := block.Audit(); recorded != found {
		t.Errorf("%d bytes are retained, and the pages have %d", recorded, found)
	}
	return list
}

func TestAFreshBlockIsPopulatedOnce(t *testing.T) {
	defer releaseAll(exhaust(t, 16<<10)) // so that there is fresh memory only
	const size = 40 << 10
	var addr uintptr
	list := watchPopulate(t, func() { addr = acquireGrowable(t, size, size).addr })
	if len(list) != 1 || list[0].addr > addr || list[0].addr+list[0].size < addr+size || list[0].size > size+2*osmem.PageSize() {
		t.Errorf("for a fresh block at %#x of %d bytes the ranges %#x were populated", addr, size, list)
	}
	if !block.KnownZero(addr) {
		t.Error("a populated block is not known to be zero")
	}
	list = watchPopulate(t, func() {
		block.Release(addr, size)
		addr = acquireGrowable(t, size, size).addr
	})
	if len(list) != 0 {
		t.Errorf("for a block that was used before %#x were populated", list)
	}
	block.Release(addr, size)
}

func TestLargeBlocksAreNotPopulated(t *testing.T) {
	defer releaseAll(exhaust(t, 16<<10))
	const size = 512 << 10
	var addr uintptr
	if list := watchPopulate(t, func() { addr = acquireGrowable(t, size, size).addr }); len(list) != 0 {
		t.Errorf("for a block of %d bytes %#x were populated", size, list)
	}
	block.Release(addr, size)
}

func TestSmallBlocksArePopulatedTogether(t *testing.T) {
	const n, size = 256, 1 << 10
	defer releaseAll(exhaust(t, size)) // so that there is fresh memory only
	var addrs []uintptr
	list := watchPopulate(t, func() {
		for range n {
			addrs = append(addrs, acquireGrowable(t, size, size).addr)
		}
	})
	seen := map[uintptr]bool{}
	for _, s := range list {
		if seen[s.addr] || s.size > max(16<<10, osmem.PageSize()) {
			t.Errorf("%#x was populated, after %#x", s, list)
		}
		seen[s.addr] = true
	}
	if len(list) == 0 || len(list) > n*size/(16<<10)+1 {
		t.Errorf("%d small blocks were populated in %d calls", n, len(list))
	}
	for _, addr := range addrs {
		block.Release(addr, size)
	}
}

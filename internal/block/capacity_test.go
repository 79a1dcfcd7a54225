package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
)

func TestCapacityAtIsThatOfTheBlock(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	var held []growable
	for range 3000 {
		if len(held) > 0 && r.IntN(2) == 0 {
			i := r.IntN(len(held))
			addr := held[i].addr
			held = releaseOne(held, i)
			if got := block.CapacityAt(addr); got != 0 {
				t.Fatalf("CapacityAt(%#x), of a released block, returns %d", addr, got)
			}
			continue
		}
		size := uintptr(1) << r.IntN(18)
		size += uintptr(r.Uint64()) % size
		capacity := size
		if r.IntN(10) == 0 {
			capacity = 2 << 20
		}
		held = append(held, acquireGrowable(t, size, capacity))
		for _, b := range held {
			if got := block.CapacityAt(b.addr); got != b.capacity {
				t.Fatalf("a block with a capacity of %d bytes at %#x: CapacityAt returns %d", b.capacity, b.addr, got)
			}
			for _, off := range []uintptr{1, 8, 256, b.capacity / 2, b.capacity - 8} {
				if got := block.CapacityAt(b.addr + off); off < b.capacity && got != 0 {
					t.Fatalf("%d bytes into the block at %#x: CapacityAt returns %d", off, b.addr, got)
				}
			}
		}
	}
	for _, b := range held {
		b.release()
	}
	for _, addr := range []uintptr{0, 8, ^uintptr(0), ^uintptr(0) - 7} {
		if got := block.CapacityAt(addr); got != 0 {
			t.Errorf("CapacityAt(%#x), an address of no region, returns %d", addr, got)
		}
	}
}

package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
)

func TestTheExtentOfABlockIsItsSize(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	type bought struct{ addr, size, room uintptr }
	var held []bought
	for range 3000 {
		if len(held) > 0 && r.IntN(2) == 0 {
			i := r.IntN(len(held))
			b := held[i]
			held[i] = held[len(held)-1]
			held = held[:len(held)-1]
			block.ReleaseGrowable(b.addr, b.size, b.room)
			if got := block.CapacityAt(b.addr); got != 0 {
				t.Fatalf("what was sold back at %#x has an extent of %d bytes", b.addr, got)
			}
			continue
		}
		size := uintptr(1) << r.IntN(18)
		size += uintptr(r.Uint64()) % size
		var b bought
		var err error
		if r.IntN(10) == 0 {
			b.addr, b.size, b.room, err = block.AcquireGrowable(size, 2<<20)
		} else {
			b.addr, b.size, err = block.Acquire(size)
			b.room = b.size
		}
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, b)
		for _, b := range held {
			if got := block.CapacityAt(b.addr); got != b.room {
				t.Fatalf("the block of %d bytes at %#x has an extent of %d", b.room, b.addr, got)
			}
			for _, off := range []uintptr{1, 8, 256, b.room / 2, b.room - 8} {
				if got := block.CapacityAt(b.addr + off); off < b.room && got != 0 {
					t.Fatalf("%d bytes into the block at %#x one of %d bytes begins", off, b.addr, got)
				}
			}
		}
	}
	for _, b := range held {
		block.ReleaseGrowable(b.addr, b.size, b.room)
	}
	for _, addr := range []uintptr{0, 8, ^uintptr(0), ^uintptr(0) - 7} {
		if got := block.CapacityAt(addr); got != 0 {
			t.Errorf("at %#x, which is none of ours, a block of %d bytes begins", addr, got)
		}
	}
}

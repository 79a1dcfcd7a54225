package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// growable is a block with a capacity that a test has acquired.
type growable struct{ addr, size, capacity uintptr }

// acquireGrowable acquires a block of size bytes: a growable one if capacity is more.
func acquireGrowable(t *testing.T, size, capacity uintptr) (b growable) {
	t.Helper()
	var err error
	if capacity > size {
		b.addr, b.size, b.capacity, err = block.AcquireGrowable(size, capacity)
	} else {
		b.addr, b.size, err = block.Acquire(size)
		b.capacity = b.size
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *growable) grow(size uintptr) { b.size = block.Grow(b.addr, b.size, b.capacity, size) }
func (b *growable) release()          { block.ReleaseGrowable(b.addr, b.size, b.capacity) }

// releaseOne releases block i of held, and returns the others.
func releaseOne(held []growable, i int) []growable {
	held[i].release()
	held[i] = held[len(held)-1]
	return held[:len(held)-1]
}

// TestGrowCountsAsInUse: to the byte, up to the capacity, until the block is released.
func TestGrowCountsAsInUse(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	before := block.ReadStats()
	for range 300 {
		size := uintptr(1 + rng.IntN(200<<10))
		addr, got, capacity, err := block.AcquireGrowable(size, 8*size)
		if err != nil {
			t.Fatal(err)
		}
		for got < capacity {
			was := block.ReadStats().InUse
			more := block.Grow(addr, got, capacity, got+1+uintptr(rng.IntN(int(capacity-got))))
			if more <= got || more > capacity {
				t.Fatalf("a block of %d bytes with a capacity of %d has grown to %d", got, capacity, more)
			}
			if grown := block.ReadStats().InUse - was; grown != more-got {
				t.Fatalf("%d bytes more are in use after a block has grown from %d to %d", grown, got, more)
			}
			got = more
			osmem.Bytes(addr, got)[got-1] = 1
		}
		if inUse := block.ReadStats().InUse - before.InUse; inUse != capacity {
			t.Fatalf("%d bytes are in use, of one block that has %d", inUse, capacity)
		}
		block.ReleaseGrowable(addr, got, capacity)
		if inUse := block.ReadStats().InUse; inUse != before.InUse {
			t.Fatalf("%d bytes are in use in the end, and were %d", inUse, before.InUse)
		}
	}
	audit(t)
}

// TestGrowRaisesThePeak: what a block has grown to is retained.
func TestGrowRaisesThePeak(t *testing.T) {
	skipUnlessDiscardFrees(t)
	block.Trim()
	addr, got, capacity, err := block.AcquireGrowable(1<<20, 200<<20)
	if err != nil {
		t.Skip("address space is short: ", err)
	}
	got = block.Grow(addr, got, capacity, 150<<20)
	block.ReleaseGrowable(addr, got, capacity)
	if s := block.ReadStats(); s.Retained < 150<<20 {
		t.Errorf("%d bytes are retained right after a block has grown to %d", s.Retained, got)
	}
	block.Trim()
}

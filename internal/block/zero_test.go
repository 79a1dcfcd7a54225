package block_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Blocks that are known to be zero are: whatever was acquired, written to, released and
// returned to the system before, and whether or not the system leaves zeros.

// fillWith sets all bytes of b to v.
func fillWith(b []byte, v byte) {
	b[0] = v
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

// isZero reports whether all bytes of b are zero.
func isZero(b []byte) bool { return b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

func TestKnownZeroBlocksAreZero(t *testing.T) {
	defer func() { system.scribbles = false }()
	defer block.SetRetention(block.MaxRetention)
	for _, system.scribbles = range []bool{false, osmem.Current().DiscardFrees()} {
		used := exhaust(t, 16<<10) // so that there is fresh memory
		rng := rand.New(rand.NewPCG(12, 13))
		var held []growable
		zero := 0
		for range 600 {
			switch k := rng.IntN(1000); {
			case k < 5:
				block.Trim()
			case k < 10:
				block.SetRetention(uintptr(rng.IntN(32 << 20)))
			case k < 520 && len(held) < 200:
				size := randomSize(rng)
				capacity := size
				if k < 100 {
					capacity *= 4
				}
				b := acquireGrowable(t, size, capacity)
				if block.KnownZero(b.addr) {
					zero++
					if !isZero(osmem.Bytes(b.addr, b.capacity)) {
						t.Fatalf("a block of %d bytes with a capacity of %d is known to be zero, and is not", b.size, b.capacity)
					}
				}
				fillWith(osmem.Bytes(b.addr, b.size), 0xff)
				held = append(held, b)
			case len(held) > 0:
				i := rng.IntN(len(held))
				b := &held[i]
				if k < 600 && b.size*2 <= b.capacity {
					b.grow(b.size * 2)
					fillWith(osmem.Bytes(b.addr, b.size), 0xff)
					break
				}
				held = releaseOne(held, i)
			}
		}
		for _, b := range held {
			b.release()
		}
		releaseAll(used)
		if zero == 0 {
			t.Error("no block was known to be zero")
		}
	}
}

// TestFreshMemoryIsKnownZero: that is, memory that the system just gave, or took back
// if it leaves zeros; not memory that was just released.
func TestFreshMemoryIsKnownZero(t *testing.T) {
	for _, size := range []uintptr{80 << 10, 1 << 20, 9 << 20, 30 << 20} {
		held := exhaust(t, size)
		acquire := func() (r run, zero bool) {
			addr, got, err := block.Acquire(size)
			if err != nil {
				t.Fatal(err)
			}
			zero = block.KnownZero(addr)
			fillWith(osmem.Bytes(addr, got), 1)
			return run{addr, got}, zero
		}
		r, zero := acquire()
		if !zero { // it began in a rest of the memory before
			held = append(held, r)
			r, zero = acquire()
		}
		if !zero {
			t.Errorf("a block of %d bytes that is fresh from the system is not known to be zero", size)
		}
		block.Release(r.addr, r.size)
		if r, zero = acquire(); zero {
			t.Errorf("a block of %d bytes that was just released is known to be zero", size)
		}
		block.Release(r.addr, r.size)
		releaseAll(held)
		if block.Trim(); !osmem.Current().DiscardFrees() || !osmem.Current().DiscardZeroes() {
			continue
		}
		if r, zero = acquire(); !zero {
			t.Errorf("a block of %d bytes whose memory was returned to the system is not known to be zero", size)
		}
		block.Release(r.addr, r.size)
	}
	for _, addr := range []uintptr{0, 8, ^uintptr(7)} {
		if block.KnownZero(addr) {
			t.Errorf("KnownZero(%#x), an address of no region, returns true", addr)
		}
	}
}

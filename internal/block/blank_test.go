package block_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Blocks that are said to be blank are: whatever was bought, written to, sold back and
// given back before, and whether or not the system leaves zeros.

func fillWith(b []byte, v byte) {
	b[0] = v
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

func isZero(b []byte) bool { return b[0] == 0 && bytes.Equal(b[1:], b[:len(b)-1]) }

func TestABlankBlockIsZero(t *testing.T) {
	defer func() { system.scribbles = false }()
	defer block.SetRetention(block.MaxRetention)
	for _, system.scribbles = range []bool{false, osmem.Current().DiscardFrees()} {
		used := exhaust(t, 16<<10) // so that there is something fresh
		rng := rand.New(rand.NewPCG(12, 13))
		type bought struct{ addr, size, room uintptr }
		var held []bought
		blank := 0
		for range 1500 {
			switch k := rng.IntN(1000); {
			case k < 5:
				block.Trim()
			case k < 10:
				block.SetRetention(uintptr(rng.IntN(32 << 20)))
			case k < 520 && len(held) < 200:
				var b bought
				var err error
				size := randomSize(rng)
				if k < 100 {
					b.addr, b.size, b.room, err = block.AcquireGrowable(size, 4*size)
				} else if b.addr, b.size, err = block.Acquire(size); err == nil {
					b.room = b.size
				}
				if err != nil {
					t.Fatal(err)
				}
				if block.KnownZero(b.addr) {
					blank++
					if !isZero(osmem.Bytes(b.addr, b.room)) {
						t.Fatalf("a block of %d bytes, room for %d, is said to be blank, and is not zero", b.size, b.room)
					}
				}
				fillWith(osmem.Bytes(b.addr, b.size), 0xff)
				held = append(held, b)
			case len(held) > 0:
				i := rng.IntN(len(held))
				b := &held[i]
				if k < 600 && b.size*2 <= b.room {
					b.size = block.Grow(b.addr, b.size, b.room, b.size*2)
					fillWith(osmem.Bytes(b.addr, b.size), 0xff)
					break
				}
				block.ReleaseGrowable(b.addr, b.size, b.room)
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
			}
		}
		for _, b := range held {
			block.ReleaseGrowable(b.addr, b.size, b.room)
		}
		sellAll(used)
		if blank == 0 {
			t.Error("no block was blank")
		}
	}
}

// TestFreshMemoryIsBlank: what the system just gave, and what it took back and leaves
// zero; not what was sold back a moment ago.
func TestFreshMemoryIsBlank(t *testing.T) {
	for _, size := range []uintptr{80 << 10, 1 << 20, 9 << 20, 30 << 20} {
		held := exhaust(t, size)
		buy := func() (r run, blank bool) {
			addr, got, err := block.Acquire(size)
			if err != nil {
				t.Fatal(err)
			}
			blank = block.KnownZero(addr)
			fillWith(osmem.Bytes(addr, got), 1)
			return run{addr, got}, blank
		}
		r, blank := buy()
		if !blank { // it began in what was left of the memory before
			held = append(held, r)
			r, blank = buy()
		}
		if !blank {
			t.Errorf("a block of %d bytes that is fresh from the system is not blank", size)
		}
		block.Release(r.addr, r.size)
		if r, blank = buy(); blank {
			t.Errorf("a block of %d bytes that was just sold back is blank", size)
		}
		block.Release(r.addr, r.size)
		sellAll(held)
		if block.Trim(); !osmem.Current().DiscardFrees() || !osmem.Current().DiscardZeroes() {
			continue
		}
		if r, blank = buy(); !blank {
			t.Errorf("a block of %d bytes whose memory went back to the system is not blank", size)
		}
		block.Release(r.addr, r.size)
	}
	for _, addr := range []uintptr{0, 8, ^uintptr(7)} {
		if block.KnownZero(addr) {
			t.Errorf("at %#x, which is none of ours, a block is blank", addr)
		}
	}
}

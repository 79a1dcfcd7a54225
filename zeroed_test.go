package palloc_test

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Zeroed memory is zero, although memory known to be zero is not cleared: after all kinds of
// use, resets, and trims.

// zeroing are the ways to get size zeroed bytes.
var zeroing = map[string]func(mc palloc.Context, size int) []byte{
	"AllocZeroed": func(mc palloc.Context, size int) []byte { return bytesAt(mc.AllocZeroed(size), size) },
	"TryAllocZeroed": func(mc palloc.Context, size int) []byte {
		p, err := mc.TryAllocZeroed(size)
		if err != nil {
			panic(err)
		}
		return bytesAt(p, size)
	},
	"MakeSlice": func(mc palloc.Context, size int) []byte { return palloc.MakeSlice[byte](mc, size, size) },
	"TryMakeSlice": func(mc palloc.Context, size int) []byte {
		s, err := palloc.TryMakeSlice[byte](mc, size, size)
		if err != nil {
			panic(err)
		}
		return s
	},
}

func TestZeroedMemoryIsZeroAfterAnyUse(t *testing.T) {
	makers := map[string]func(parent palloc.Context, size int) palloc.Context{
		"Shared": func(parent palloc.Context, _ int) palloc.Context {
			return palloc.NewAllocSet(parent, "c", palloc.Shared())
		},
	}
	for _, k := range kinds {
		makers[k.String()] = func(parent palloc.Context, size int) palloc.Context { return newKind(parent, k, "c", size) }
	}
	rounds := sized(12, 4)
	for name, create := range makers {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(14, 15))
			root := newRoot(t)
			for _, size := range []int{5000, 8192, 8193, 10_000, 40_000, 64 << 10, 300_000, 1 << 20, 3<<20 + 1} {
				c := create(root, size)
				for range rounds {
					for _, way := range zeroing {
						b := way(c, size)
						wantZero(t, b)
						soilAll(b)
						if b = bytesAt(c.Alloc(size), size); name != "Bump" && rng.IntN(2) == 0 {
							soilAll(b)
							palloc.FreePointer(unsafe.Pointer(&b[0]))
						}
					}
					if rng.IntN(3) == 0 {
						c.Reset()
					}
					if rng.IntN(4) == 0 {
						palloc.Trim()
					}
				}
				c.Delete()
			}
		})
	}
}

// TestZeroedChunksOfEverySizeAreZero allocates zeroed chunks of each size between others, in
// memory that was used before, and in chunks that were freed: all of each is zero, and
// nothing around it is written to.
func TestZeroedChunksOfEverySizeAreZero(t *testing.T) {
	const most, whole = 9000, 300 // of those larger than whole not every size is tried
	makers := map[string]func(parent palloc.Context, size int) palloc.Context{
		"Shared": func(parent palloc.Context, _ int) palloc.Context {
			return palloc.NewAllocSet(parent, "c", palloc.Shared())
		},
	}
	for _, k := range kinds {
		makers[k.String()] = func(parent palloc.Context, size int) palloc.Context {
			return newKind(parent, k, "c", max(size, 1))
		}
	}
	step := sized(7, 61)
	for name, create := range makers {
		t.Run(name, func(t *testing.T) {
			root := newRoot(t)
			for size := 0; size <= most; size++ {
				if size > whole {
					size += step
				}
				c := create(root, size)
				if name == "Slab" {
					size = max(size, 1) // its chunks have this size
				}
				for range 2 { // in used memory the second time
					for _, way := range zeroing {
						zeroedBetween(t, c, size, name != "Bump", way)
					}
					c.Reset()
				}
				c.Delete()
			}
		})
	}
}

// zeroedBetween allocates zeroed chunks between soiled ones, one that was freed among them
// if frees is true.
func zeroedBetween(t *testing.T, c palloc.Context, size int, frees bool, zeroed func(palloc.Context, int) []byte) {
	t.Helper()
	soiled := func() []byte {
		b := bytesAt(c.Alloc(size), size)
		if size > 0 {
			soilAll(b)
		}
		return b
	}
	before := soiled()
	if freed := soiled(); frees && size > 0 {
		palloc.FreePointer(unsafe.Pointer(&freed[0]))
	}
	b := zeroed(c, size)
	after := soiled()
	again := zeroed(c, size)
	for _, z := range [][]byte{b, again} {
		wantZero(t, z)
	}
	for _, d := range [][]byte{before, after} {
		for i, v := range d {
			if v != 0xff {
				t.Fatalf("byte %d of a chunk of %d next to a zeroed one is %#x", i, size, v)
			}
		}
	}
	wantSound(t, "with zeroed chunks", c)
}

func soilAll(b []byte) {
	b[0] = 0xff
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

func TestNewOfALargeTypeIsZeroAfterAnyUse(t *testing.T) {
	type large struct{ bytes [100_000]byte }
	c := palloc.NewAllocSet(newRoot(t), "c")
	for i := range 40 {
		p := palloc.New[large](c)
		q, err := palloc.TryNew[large](c)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{p.bytes[:], q.bytes[:]} {
			wantZero(t, b)
			soilAll(b)
		}
		palloc.Free(p)
		if i%7 == 0 {
			c.Reset()
			palloc.Trim()
		}
	}
}

// TestWhatAReallocAddsIsZero resizes in place, within reserved room, with a move, and after
// the chunk was larger before.
func TestWhatAReallocAddsIsZero(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		t.Run(k.String(), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(16, 17))
			c := newKind(newRoot(t), k, "c", 0)
			most := sized(4<<20, 1<<20)
			for range 30 {
				size := 1 + rng.IntN(20_000)
				p := c.Alloc(size)
				for size < most {
					old := palloc.UsableSize(p)
					if rng.IntN(2) == 0 {
						old = size
					}
					soilAll(bytesAt(p, palloc.UsableSize(p)))
					size = old + rng.IntN(2*old+10)
					p = palloc.ReallocZeroed(p, old, size)
					b := bytesAt(p, size)
					wantZero(t, b[old:])
					for i := 0; i < old; i += 97 {
						if b[i] != 0xff {
							t.Fatalf("byte %d of %d is lost", i, old)
						}
					}
					if rng.IntN(5) == 0 {
						soilAll(b)
						size = max(1, size/(1+rng.IntN(8)))
						p = palloc.Realloc(p, size)
					}
				}
				palloc.FreePointer(p)
				if rng.IntN(3) == 0 {
					palloc.Trim()
				}
			}
		})
	}
}

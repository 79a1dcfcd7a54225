package palloc_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Raw allocation: every chunk is usable in full, freed chunks are reused, and a resized
// chunk keeps its content.

// edges are sizes at the boundaries of size classes, limits and blocks.
var edges = []int{0, 1, 7, 8, 9, 15, 16, 17, 24, 25, 63, 64, 65, 100, 127, 128, 129, 255, 256, 1000, 1023, 1024, 1025,
	2047, 2048, 2049, 4095, 4096, 4097, 8191, 8192, 8193, 10_000, 32 << 10, 64<<10 - 40, 64 << 10, 100_000, 1 << 20, 3<<20 + 1}

func TestEverySizeIsUsableInFull(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, size := range edges {
			c := newKind(newRoot(t), k, "c", size)
			var chunks [5]unsafe.Pointer
			for i := range chunks {
				chunks[i] = c.Alloc(size)
				scribble(bytesAt(chunks[i], size), i)
			}
			for i, p := range chunks {
				if uintptr(p)%8 != 0 || !scribbled(bytesAt(p, size), i) {
					t.Errorf("%d bytes: chunk %d at %p is not a place of its own", size, i, p)
				}
				if k != palloc.KindBump {
					palloc.FreePointer(p)
				}
			}
			c.Reset()
			wantEmpty(t, c)
		}
	})
}

func TestChunksOfNoBytesDiffer(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		seen := map[unsafe.Pointer]bool{}
		for range 1000 {
			p := c.Alloc(0)
			if p == nil || seen[p] {
				t.Fatalf("a second chunk at %p", p)
			}
			seen[p] = true
		}
	})
}

func TestAllocZeroedClears(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, size := range edges {
			c := newKind(newRoot(t), k, "c", size)
			for range 3 {
				dirty := bytesAt(c.Alloc(size), size)
				for i := range dirty {
					dirty[i] = 0xff
				}
				c.Reset()
				wantZero(t, bytesAt(c.AllocZeroed(size), size))
				c.Reset()
			}
		}
	})
}

func wantZero(t *testing.T, b []byte) {
	t.Helper()
	for i, v := range b {
		if v != 0 {
			t.Fatalf("byte %d of %d is %#x", i, len(b), v)
		}
	}
}

func TestTryAllocIsAlloc(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, size := range edges {
			c := newKind(newRoot(t), k, "c", size)
			p, err := c.TryAlloc(size)
			q, other := c.TryAllocAligned(size, 8)
			if err != nil || other != nil || p == q {
				t.Fatalf("%d bytes: %v, %v", size, err, other)
			}
			scribble(bytesAt(p, size), 1)
			scribble(bytesAt(q, size), 2)
			if !scribbled(bytesAt(p, size), 1) {
				t.Errorf("%d bytes are not all usable", size)
			}
		}
	})
}

func TestTheChunkFreedLastIsAllocatedFirst(t *testing.T) {
	mustBePlain(t)
	c := palloc.NewAllocSet(newRoot(t), "c")
	for _, size := range []int{1, 8, 24, 100, 1000, 1025, 4096, 8192} {
		a, b, other := c.Alloc(size), c.Alloc(size), c.Alloc(size*2+8)
		palloc.FreePointer(a)
		palloc.FreePointer(other)
		palloc.FreePointer(b)
		if first, second := c.Alloc(size), c.Alloc(size); first != b || second != a {
			t.Errorf("%d bytes: freed %p and %p, then got %p and %p", size, a, b, first, second)
		}
	}
}

func TestFreedChunksAreCounted(t *testing.T) {
	c := palloc.NewAllocSet(newFresh(t), "c", palloc.BlockSizes(8<<10, 8<<10))
	var chunks []unsafe.Pointer
	for range 10 {
		chunks = append(chunks, c.Alloc(100))
	}
	before := c.Stats()
	for _, p := range chunks {
		palloc.FreePointer(p)
	}
	after := c.Stats()
	if after.FreeChunks != before.FreeChunks+10 || after.Free < before.Free+1000 || after.Held != before.Held {
		t.Errorf("ten chunks freed make %+v of %+v", after, before)
	}
	for range 10 {
		c.Alloc(100)
	}
	if now := c.Stats(); now != before {
		t.Errorf("and allocated again %+v of %+v", now, before)
	}
}

func TestFreeFindsTheContextByItself(t *testing.T) {
	mc := newRoot(t)
	var contexts []palloc.Context
	for i := range 30 {
		contexts = append(contexts, newKind(mc, freeing[i%len(freeing)], "c", 100))
	}
	var chunks []unsafe.Pointer
	for range 50 {
		for _, c := range contexts {
			chunks = append(chunks, c.Alloc(100))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
	for _, p := range chunks {
		palloc.FreePointer(p)
	}
	wantEmpty(t, contexts...)
}

func TestALargeChunkGoesBackAtOnce(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		c.Alloc(64)
		small := c.Held()
		p, q := c.Alloc(1<<20), c.Alloc(1<<20)
		if held := c.Held(); held < small+2<<20 || held > small+2<<20*8/7 {
			t.Errorf("%v: two chunks of 1 MiB take %d bytes", k, held-small)
		}
		palloc.FreePointer(p)
		palloc.FreePointer(q)
		if held := c.Held(); held != small {
			t.Errorf("%v: freed, they still take %d bytes", k, held-small)
		}
	}
}

func TestAGenerationGivesItsOldestBlocksBack(t *testing.T) {
	c := palloc.NewGeneration(newRoot(t), "queue")
	var queue []unsafe.Pointer
	most := int64(0)
	for i := range 50_000 {
		queue = append(queue, c.Alloc(100))
		if i >= 1000 {
			palloc.FreePointer(queue[0])
			queue = queue[1:]
		}
		most = max(most, c.Held())
	}
	if most > 1000*108*2 {
		t.Errorf("a queue of 1000 chunks of 100 bytes took %d", most)
	}
}

func TestOneLiveChunkOfAGenerationPinsLittle(t *testing.T) {
	c := palloc.NewGeneration(newRoot(t), "queue")
	var chunks []unsafe.Pointer
	for range 100_000 {
		chunks = append(chunks, c.Alloc(100))
	}
	pin := bytesAt(chunks[50_000], 100)
	scribble(pin, 1)
	for i, p := range chunks {
		if i != 50_000 {
			palloc.FreePointer(p)
		}
	}
	if held := c.Held(); held > 2*32<<10 || !scribbled(pin, 1) { // its block, and the current one
		t.Errorf("one chunk of 100 bytes pins %d", held)
	}
}

func TestASlabGivesEmptyBlocksBack(t *testing.T) {
	c := palloc.NewSlab(newRoot(t), "c", 100)
	var chunks []unsafe.Pointer
	for range 100_000 {
		chunks = append(chunks, c.Alloc(100))
	}
	full := c.Held()
	for _, p := range chunks {
		palloc.FreePointer(p)
	}
	if left := c.Held(); left > full/4 {
		t.Errorf("of %d bytes %d are held when all is free", full, left)
	}
	wantEmpty(t, c)
}

func TestReallocKeepsTheContent(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		t.Run(k.String(), func(t *testing.T) {
			c := newKind(newRoot(t), k, "c", 0)
			for i, from := range edges {
				for _, to := range edges {
					p := c.Alloc(from)
					scribble(bytesAt(p, from), i)
					p = palloc.Realloc(p, to)
					if !scribbled(bytesAt(p, min(from, to)), i) {
						t.Errorf("the content is lost on the way from %d to %d bytes", from, to)
					}
					scribble(bytesAt(p, to), 1)
					palloc.FreePointer(p)
				}
			}
			wantEmpty(t, c)
		})
	}
}

func TestAChunkMayChangeItsSizeManyTimes(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		for _, align := range []int{8, 64, 1024} {
			t.Run(fmt.Sprint(k, " on ", align), func(t *testing.T) {
				c := newKind(newRoot(t), k, "c", 0)
				r := rand.New(rand.NewPCG(uint64(align), 5))
				size := 10
				p := c.AllocAligned(size, align)
				scribble(bytesAt(p, size), 0)
				for i := range 2000 {
					next := r.IntN(200)
					if i%10 == 0 {
						next = r.IntN(50_000)
					}
					q, err := palloc.TryRealloc(p, next)
					if err != nil || uintptr(q)%uintptr(align) != 0 || !scribbled(bytesAt(q, min(size, next)), i) {
						t.Fatalf("step %d, from %d to %d bytes: at %p, %v", i, size, next, q, err)
					}
					p, size = q, next
					scribble(bytesAt(p, size), i+1)
				}
				palloc.FreePointer(p)
				wantEmpty(t, c)
			})
		}
	}
}

func TestASizeOfTheSameClassStaysInPlace(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	for _, move := range []struct {
		from, to int
		stays    bool
	}{
		{1, 8, true}, {8, 0, true}, {9, 16, true}, {100, 90, true}, {100, 112, true}, {1000, 1024, true},
		{8, 9, false}, {64, 65, false}, {128, 129, false}, {8192, 8193, false}, {8193, 50_000, false},
		{50_000, 30_000, true}, {1 << 20, 100, false},
	} {
		p := c.Alloc(move.from)
		c.Alloc(move.from) // a chunk behind it
		if q := palloc.Realloc(p, move.to); (q == p) != move.stays {
			t.Errorf("from %d to %d bytes: from %p to %p", move.from, move.to, p, q)
		}
	}
}

func TestALargeChunkThatShrinksGivesMemoryBack(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		p := c.Alloc(4 << 20)
		scribble(bytesAt(p, 1000), 1)
		p = palloc.Realloc(p, 1000)
		if held := c.Held(); held > 256<<10 || // a 32nd, after a keeper that is too small
			!scribbled(bytesAt(p, 1000), 1) {
			t.Errorf("%v: a chunk that went from 4 MiB to 1000 bytes holds %d", k, held)
		}
		p = palloc.Realloc(p, 4<<20)
		if !scribbled(bytesAt(p, 1000), 1) {
			t.Errorf("%v: the content is lost on the way back", k)
		}
	}
}

func TestAlignedChunksAreAligned(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		for align := 1; align <= 4096; align *= 2 {
			c := newKind(newRoot(t), k, "c", 0)
			for i, size := range edges {
				c.Alloc(i * 8) // so that the next chunk begins at an arbitrary place
				p := c.AllocAligned(size, align)
				q := c.AllocAligned(size, align)
				scribble(bytesAt(p, size), 1)
				scribble(bytesAt(q, size), 2)
				if uintptr(p)%uintptr(align) != 0 || uintptr(q)%uintptr(align) != 0 || !scribbled(bytesAt(p, size), 1) {
					t.Errorf("%d bytes on %d are at %p and %p", size, align, p, q)
				}
				if k != palloc.KindBump {
					palloc.FreePointer(p)
				}
			}
			c.Reset()
			wantEmpty(t, c)
		}
	})
}

func TestAlignedChunksAreFreedInAnyOrder(t *testing.T) {
	each(t, freeing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 200)
		r := rand.New(rand.NewPCG(3, 4))
		var chunks []unsafe.Pointer
		for range 2000 {
			align := 8
			if k != palloc.KindSlab {
				align <<= r.IntN(10)
			}
			p := c.AllocAligned(200, align)
			scribble(bytesAt(p, 200), 1)
			chunks = append(chunks, p)
			if len(chunks) > 20 {
				i := r.IntN(len(chunks))
				if !scribbled(bytesAt(chunks[i], 200), 1) {
					t.Fatal("a chunk was written over")
				}
				palloc.FreePointer(chunks[i])
				chunks[i] = chunks[len(chunks)-1]
				chunks = chunks[:len(chunks)-1]
			}
		}
		for _, p := range chunks {
			palloc.FreePointer(p)
		}
		wantEmpty(t, c)
	})
}

func TestABumpPacksChunksTightly(t *testing.T) {
	c := palloc.NewBump(newFresh(t), "c", palloc.BlockSizes(64<<10, 64<<10))
	p := uintptr(c.Alloc(24))
	for i := range 1000 {
		if q := uintptr(c.Alloc(17 + i%8)); q != p+24 {
			t.Fatalf("after %#x comes %#x", p, q)
		} else {
			p = q
		}
	}
}

func TestARandomProgramKeepsItsMemory(t *testing.T) {
	each(t, freeing, func(t *testing.T, k palloc.Kind) {
		for seed := range 4 {
			randomProgram(t, newKind(newRoot(t), k, "c", 300), rand.New(rand.NewPCG(uint64(seed), 6)))
		}
	})
}

// randomProgram allocates and frees, and checks the content of each chunk before it frees it.
func randomProgram(t *testing.T, c palloc.Context, r *rand.Rand) {
	type chunk struct {
		b    []byte
		seed int
	}
	var live []chunk
	for step := range 10_000 {
		if i := r.IntN(400); i < len(live) {
			if !scribbled(live[i].b, live[i].seed) {
				t.Fatalf("step %d: a chunk of %d bytes was written over", step, len(live[i].b))
			}
			palloc.FreePointer(unsafe.Pointer(&live[i].b[0]))
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
			continue
		}
		size := 300
		if c.Kind() != palloc.KindSlab {
			size = 1 + r.IntN(1<<r.IntN(15))
		}
		b := bytesAt(c.Alloc(size), size)
		scribble(b, step)
		live = append(live, chunk{b, step})
	}
	c.Reset()
	wantEmpty(t, c)
}

func TestBlockSizesAreKept(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, sizes := range []struct{ first, most, firstBlock int }{
			{0, 0, 1 << 10}, {1, 1, 1 << 10}, {1500, 1 << 20, 1 << 10}, {4 << 10, 4 << 10, 4 << 10}, {16 << 10, 0, 16 << 10},
		} {
			mc := newFresh(t)
			opt := palloc.BlockSizes(sizes.first, sizes.most)
			c := map[palloc.Kind]func() palloc.Context{
				palloc.KindAllocSet:   func() palloc.Context { return palloc.NewAllocSet(mc, "c", opt) },
				palloc.KindSlab:       func() palloc.Context { return palloc.NewSlab(mc, "c", 40, opt) },
				palloc.KindGeneration: func() palloc.Context { return palloc.NewGeneration(mc, "c", opt) },
				palloc.KindBump:       func() palloc.Context { return palloc.NewBump(mc, "c", opt) },
			}[k]()
			c.Alloc(40)
			if got := c.Held(); got != int64(sizes.firstBlock) {
				t.Errorf("BlockSizes(%d, %d): the first block has %d bytes", sizes.first, sizes.most, got)
			}
		}
	})
}

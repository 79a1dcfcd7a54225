package palloc_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Aligned chunks of an AllocSet, Shared or not: what they take, and that they and what lies
// before them serve again.

// alignedSets are the contexts whose aligned chunks are cut as others are.
var alignedSets = map[string]func(parent palloc.Context) palloc.Context{
	"AllocSet": func(parent palloc.Context) palloc.Context { return palloc.NewAllocSet(parent, "c") },
	"Shared":   func(parent palloc.Context) palloc.Context { return palloc.NewAllocSet(parent, "c", palloc.Shared()) },
}

// eachAlignedSet runs a test for each of them.
func eachAlignedSet(t *testing.T, test func(t *testing.T, c palloc.Context)) {
	for name, make := range alignedSets {
		t.Run(name, func(t *testing.T) { test(t, make(newRoot(t))) })
	}
}

// several returns n chunks of a size.
func several(c palloc.Context, n, size, align int) (chunks []unsafe.Pointer) {
	for range n {
		chunks = append(chunks, c.AllocAligned(size, align))
	}
	return chunks
}

// heldBy returns what a thousand chunks of a size hold.
func heldBy(t testing.TB, size, align int) int {
	c := palloc.NewAllocSet(newRoot(t), "thousand")
	defer c.Delete()
	several(c, 1000, size, align)
	return int(c.Held())
}

// TestAlignedChunksTakeLittleMore compares them with others: of each size they hold no more
// than the next multiple of the alignment, and on average over the sizes 12 % more at most.
func TestAlignedChunksTakeLittleMore(t *testing.T) {
	const align = 64
	sum, n := 0.0, 0
	for size := 64; size <= 4096; size += 64 {
		plain, aligned := heldBy(t, size, 8), heldBy(t, size, align)
		sum, n = sum+float64(aligned)/float64(plain), n+1
		if most := plain + plain/16 + 1000*align; aligned > most { // blocks grow in steps of a 32nd
			t.Errorf("%d bytes hold %d, aligned %d; at most %d", size, plain, aligned, most)
		}
	}
	average := sum / float64(n)
	if t.Logf("on average they hold %.3f times what others hold", average); average > 1.12 {
		t.Error("that is more than 1.12")
	}
}

// TestAFreedAlignedChunkServesTheNext checks that it does, also after others of its class
// were freed.
func TestAFreedAlignedChunkServesTheNext(t *testing.T) {
	eachAlignedSet(t, func(t *testing.T, c palloc.Context) {
		for _, size := range []int{0, 8, 64, 100, 1000, 3000, 8000} {
			for _, align := range []int{16, 64, 256, 4096} {
				p := c.AllocAligned(size, align)
				others := several(c, 5, size, 8)
				palloc.FreePointer(p)
				for _, q := range others {
					palloc.FreePointer(q)
				}
				held := c.Held()
				for range 1000 {
					q := c.AllocAligned(size, align)
					if uintptr(q)%uintptr(align) != 0 {
						t.Fatalf("%d bytes on %d are at %p", size, align, q)
					}
					palloc.FreePointer(q)
				}
				if c.Held() != held {
					t.Errorf("%d bytes on %d, a thousand times one after the other: %d are held, and then %d", size, align, held, c.Held())
				}
			}
		}
		wantEmpty(t, c)
		wantSound(t, "at the end", c)
	})
}

// TestTheGapBeforeAnAlignedChunkServesOthers allocates chunks of 64 bytes on 64, and then
// as many that fit between those.
func TestTheGapBeforeAnAlignedChunkServesOthers(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	several(c, 1000, 64, 64)
	held := c.Held()
	several(c, 990, 48, 8)
	if c.Held() != held {
		t.Errorf("%d bytes are held, and %d with what fits between", held, c.Held())
	}
	wantSound(t, "at the end", c)
}

// TestAlignedChunksServeAgainOnceTheyAreJoined frees every other chunk of many, joins them,
// and allocates as many again.
func TestAlignedChunksServeAgainOnceTheyAreJoined(t *testing.T) {
	eachAlignedSet(t, func(t *testing.T, c palloc.Context) {
		for _, size := range []int{16, 64, 100, 500, 3000} {
			for _, align := range []int{16, 64, 512} {
				chunks := several(c, 2000, size, align)
				held := c.Held()
				for range 4 {
					for i := 0; i < len(chunks); i += 2 {
						palloc.FreePointer(chunks[i])
					}
					c.Compact()
					wantSound(t, "after Compact", c)
					for i := 0; i < len(chunks); i += 2 {
						chunks[i] = c.AllocAligned(size, align)
						scribble(bytesAt(chunks[i], size), i)
					}
				}
				if more := c.Held() - held; more > held/8+64<<10 {
					t.Errorf("%d bytes on %d: %d are held, and %d more afterwards", size, align, held, more)
				}
				wantSound(t, "in use", c)
				for _, p := range chunks {
					palloc.FreePointer(p)
				}
				wantEmpty(t, c)
				if c.Compact(); c.Held() > 64<<10 {
					t.Errorf("%d bytes on %d: %d are held after all were freed", size, align, c.Held())
				}
			}
		}
	})
}

// TestAlignedChunksAmongOthersHoldNoMoreAndMore frees and allocates chunks, aligned and not,
// of the same classes at random.
func TestAlignedChunksAmongOthersHoldNoMoreAndMore(t *testing.T) {
	eachAlignedSet(t, func(t *testing.T, c palloc.Context) {
		r := rand.New(rand.NewPCG(4, 2))
		var live []*piece
		used := 0
		for round := range sized(60_000, 8_000) {
			if len(live) < 1000 {
				x := &piece{size: 50 + 50*r.IntN(8), align: 8, seed: round}
				if r.IntN(2) == 0 {
					x.align = 64
				}
				x.p = c.AllocAligned(x.size, x.align)
				scribble(bytesAt(x.p, x.size), x.seed)
				live, used = append(live, x), used+x.size
				continue
			}
			for range 1 + r.IntN(100) {
				n := r.IntN(len(live))
				x := live[n]
				x.check(t, "live", x.size)
				palloc.FreePointer(x.p)
				live[n] = live[len(live)-1]
				live, used = live[:len(live)-1], used-x.size
			}
		}
		wantSound(t, "in use", c)
		if held := int(c.Held()); held > 3*used {
			t.Errorf("%d bytes are in use, and %d held", used, held)
		}
	})
}

// TestAChunkBehindAGapIsNamed checks that a Fault says in which chunk an address lies, though
// a gap of a word lies before that.
func TestAChunkBehindAGapIsNamed(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	chunks := several(c, 4, 100, 64)
	clear(bytesAt(chunks[3], 100))
	f := faultOf(t, func() { palloc.FreePointer(unsafe.Add(chunks[3], 40)) })
	if want := fmt.Sprintf("40 bytes inside of the chunk at %p", chunks[3]); f == nil || !strings.Contains(f.Reason, want) {
		t.Errorf("%v does not say %q", f, want)
	}
}

// TestAlignedChunksAfterAReset checks that a reset forgets what lay between them.
func TestAlignedChunksAfterAReset(t *testing.T) {
	eachAlignedSet(t, func(t *testing.T, c palloc.Context) {
		for i := range 20 {
			chunks := several(c, 10+i*20, 100, 64)
			if c.Reset(); i%2 == 0 {
				if f := faultOf(t, func() { palloc.FreePointer(chunks[0]) }); f == nil {
					t.Error("a chunk is freed after a reset")
				}
			}
			wantEmpty(t, c)
			wantSound(t, "after a reset", c)
		}
	})
}

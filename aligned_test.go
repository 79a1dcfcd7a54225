package palloc_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Resizing aligned chunks: like other chunks, they grow in place when they can, and release
// memory when they shrink.

// aligners are the contexts whose aligned chunks have headers.
var aligners = []int{0, 1, 3} // of growers

// TestAlignedChunksMoveAsSeldomAsOthers checks that the same resizes move an aligned chunk
// about as often as one without an alignment.
func TestAlignedChunksMoveAsSeldomAsOthers(t *testing.T) {
	moves := func(c palloc.Context, from, step, align int) (n int) {
		p := c.AllocAligned(from, align)
		for size := from; size <= 256*step; size += step {
			q := palloc.Realloc(p, size)
			if q != p {
				n++
			}
			if p = q; uintptr(p)%uintptr(align) != 0 {
				t.Fatalf("on %d, %d bytes are at %p", align, size, p)
			}
		}
		palloc.FreePointer(p)
		return n
	}
	for _, i := range aligners {
		g := growers[i]
		mc := newRoot(t)
		for _, step := range []int{8, 256, 4 << 10, 64 << 10} {
			if step > 4<<10 && cramped() {
				continue
			}
			plain := moves(g.make(mc), step, step, 8)
			for _, align := range []int{16, 64, 4096} {
				// where in their blocks the chunks happen to lie decides over some moves
				if got := moves(g.make(mc), step, step, align); got > plain+8 {
					t.Errorf("%s: 256 steps of %d bytes on %d move %d times; without alignment %d times", g.name, step, align, got, plain)
				}
			}
		}
	}
}

// TestAlignedChunksThatShrinkGiveMemoryBack checks that the context then holds little more
// than a new chunk of the size needs.
func TestAlignedChunksThatShrinkGiveMemoryBack(t *testing.T) {
	for _, i := range aligners {
		g := growers[i]
		for _, align := range []int{8, 16, 64, 4096, 2 << 20} {
			for _, sizes := range [][2]int{{40_000, 1000}, {40_000, 0}, {1 << 20, 100}, {16 << 20, 1 << 20}, {64 << 20, 1000}} {
				if sizes[0] > 1<<20 && cramped() {
					continue
				}
				c := g.make(newRoot(t))
				fresh := int(c.Held())
				palloc.FreePointer(c.AllocAligned(sizes[1], align))
				fresh = int(c.Held()) - fresh
				p := c.AllocAligned(sizes[0], align)
				scribble(bytesAt(p, sizes[1]), align)
				p = palloc.Realloc(p, sizes[1])
				if !scribbled(bytesAt(p, sizes[1]), align) || uintptr(p)%uintptr(align) != 0 {
					t.Errorf("%s, on %d: %d bytes lost content or alignment when they became %d", g.name, align, sizes[0], sizes[1])
				}
				most := 4*(sizes[1]+align) + fresh + 32<<10 // a chunk that would waste three quarters moves
				if held := int(c.Held()); held > most || palloc.Footprint(p) > most {
					t.Errorf("%s, on %d: %d bytes became %d, and %d are held, the chunk takes %d; at most %d",
						g.name, align, sizes[0], sizes[1], held, palloc.Footprint(p), most)
				}
				palloc.FreePointer(p)
				wantEmpty(t, c)
				c.Delete()
			}
		}
	}
}

// TestAnAlignedChunkThatShrinksNeedsNoMemory checks that the chunk stays where it is when
// there is no memory for a smaller one.
func TestAnAlignedChunkThatShrinksNeedsNoMemory(t *testing.T) {
	for _, i := range aligners {
		for _, align := range []int{16, 4096} {
			c := growers[i].make(newRoot(t))
			p := c.AllocAligned(1<<20, align)
			scribble(bytesAt(p, 100), 3)
			c.SetLimit(c.TreeHeld())
			asked := 0
			c.OnPressure(func(palloc.Pressure) error { asked++; return nil })
			q, err := palloc.TryRealloc(p, 100)
			leave := c.EnterCritical()
			q = palloc.Realloc(q, 90)
			leave()
			if err != nil || asked != 0 || uintptr(q)%uintptr(align) != 0 || !scribbled(bytesAt(q, 90), 3) {
				t.Errorf("%s, on %d: %v, asked %d times", growers[i].name, align, err, asked)
			}
			if _, err := palloc.TryRealloc(q, 4<<20); err == nil {
				t.Error("the limit was passed")
			}
			if !scribbled(bytesAt(q, 90), 3) {
				t.Error("a refusal changed the chunk")
			}
			palloc.FreePointer(q)
			wantEmpty(t, c)
		}
	}
}

// A piece is an aligned chunk of a program of resizes.
type piece struct {
	p                 unsafe.Pointer
	size, align, seed int
}

func (x *piece) check(t *testing.T, when string, kept int) {
	t.Helper()
	if uintptr(x.p)%uintptr(x.align) != 0 || !scribbled(bytesAt(x.p, kept), x.seed) || palloc.UsableSize(x.p) < x.size {
		t.Fatalf("%s: %d bytes on %d at %p have a usable %d, or other content", when, x.size, x.align, x.p, palloc.UsableSize(x.p))
	}
}

// TestAlignedChunksKeepContentAndAlignment resizes many chunks of one context at random.
func TestAlignedChunksKeepContentAndAlignment(t *testing.T) {
	rounds := sized(3000, 400)
	for _, i := range aligners {
		t.Run(growers[i].name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			size := func() int { return r.IntN(1 << r.IntN(19)) }
			c := growers[i].make(newRoot(t))
			var live []*piece
			for round := range rounds {
				if len(live) < 30 {
					x := &piece{size: size(), align: 8 << r.IntN(19), seed: round}
					x.p = c.AllocAligned(x.size, x.align)
					scribble(bytesAt(x.p, x.size), x.seed)
					live = append(live, x)
				}
				n := r.IntN(len(live))
				x := live[n]
				x.check(t, "before", x.size)
				if r.IntN(4) == 0 {
					palloc.FreePointer(x.p)
					live[n] = live[len(live)-1]
					live = live[:len(live)-1]
					continue
				}
				old := x.p
				kept := x.size
				x.size = size()
				x.p = palloc.Realloc(x.p, x.size)
				x.check(t, fmt.Sprint("after ", kept), min(kept, x.size))
				scribble(bytesAt(x.p, x.size), x.seed)
				if old != x.p && faultOf(t, func() { palloc.FreePointer(old) }) == nil {
					t.Fatal("where it was is freed once more")
				}
				if round%500 == 0 {
					wantSound(t, fmt.Sprint("round ", round), c)
				}
			}
			for _, x := range live {
				x.check(t, "at the end", x.size)
				palloc.FreePointer(x.p)
			}
			wantEmpty(t, c)
			wantSound(t, "at the end", c)
		})
	}
}

// TestABumpAlignsForThePriceOfTheGap: what comes after an aligned chunk begins at its end.
func TestABumpAlignsForThePriceOfTheGap(t *testing.T) {
	mc := palloc.NewBump(newRoot(t), "bump", palloc.BlockSizes(64<<10, 64<<10))
	for n := range 20 {
		mc.Alloc(8 * (1 + n%7))
		aligned := uintptr(mc.AllocAligned(64, 64))
		if next := uintptr(mc.Alloc(8)); next != aligned+64 {
			t.Errorf("a chunk at %#x follows an aligned one of 64 bytes at %#x", next, aligned)
		}
	}
}

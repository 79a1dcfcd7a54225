package palloc_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Questions about a chunk: its size, its cost and its context.

func TestUsableSizeIsUsable(t *testing.T) {
	each(t, freeing, func(t *testing.T, k palloc.Kind) {
		for _, size := range edges {
			for _, align := range []int{8, 16, 32, 64, 4096} {
				if k == palloc.KindSlab && align > 8 {
					continue
				}
				c := newKind(newRoot(t), k, "c", size)
				var chunks [5][]byte
				for i := range chunks {
					p := c.AllocAligned(size, align)
					usable := palloc.UsableSize(p)
					if usable < size {
						t.Fatalf("%d bytes on %d: %d are usable", size, align, usable)
					}
					if palloc.ContextOf(p) != c {
						t.Errorf("%d bytes on %d: the context is %q", size, align, palloc.ContextOf(p).Path())
					}
					if takes := palloc.Footprint(p); takes < usable+8 {
						t.Errorf("%d bytes on %d: %d are usable, and it takes %d", size, align, usable, takes)
					}
					chunks[i] = bytesAt(p, usable)
					scribble(chunks[i], i)
				}
				for i, b := range chunks {
					if !scribbled(b, i) {
						t.Errorf("%d bytes on %d: chunk %d was overwritten", size, align, i)
					}
					palloc.FreePointer(unsafe.Pointer(unsafe.SliceData(b)))
				}
				wantEmpty(t, c)
			}
		}
	})
}

func TestAChunkThatGrowsIntoWhatIsUsableStays(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		for _, size := range edges {
			p := c.Alloc(size)
			usable := palloc.UsableSize(p)
			if q := palloc.Realloc(p, usable); q != p || palloc.UsableSize(q) != usable {
				t.Errorf("%v: %d bytes of which %d are usable moved", k, size, usable)
			}
			if usable <= 8192 {
				if q := palloc.Realloc(p, 1); q != p {
					t.Errorf("%v: %d bytes moved when they shrank", k, size)
				}
			}
		}
	}
}

// TestFootprintIsWhatAChunkTakes checks that the footprints of all chunks add up to the bytes
// used in Stats.
func TestFootprintIsWhatAChunkTakes(t *testing.T) {
	each(t, freeing, func(t *testing.T, k palloc.Kind) {
		for _, size := range []int{0, 1, 24, 100, 1000, 8192, 8193, 100_000} {
			c := newKind(newRoot(t), k, "c", size)
			var chunks []unsafe.Pointer
			sum := int64(0)
			for range 20 {
				before := c.Stats()
				p := c.Alloc(size)
				chunks = append(chunks, p)
				takes := int64(palloc.Footprint(p))
				sum += takes
				if grown := c.Stats().Held - before.Held; int64(size) > 1<<14 && k != palloc.KindSlab && grown != takes {
					t.Errorf("%d bytes with a block of their own took %d, and the context grew by %d", size, takes, grown)
				}
			}
			s := c.Stats()
			if heads := 64 * s.Blocks; sum > s.Used || s.Used > sum+heads+s.Blocks*int64(size) {
				t.Errorf("%d bytes: all chunks take %d, and the accounts are %+v", size, sum, s)
			}
			for _, p := range chunks {
				before, takes := c.Stats(), int64(palloc.Footprint(p))
				palloc.FreePointer(p)
				if k == palloc.KindAllocSet && before.Used-c.Stats().Used != takes {
					t.Errorf("%d bytes took %d, and %d fewer are used without them", size, takes, before.Used-c.Stats().Used)
				}
			}
		}
	})
}

// TestAnAlignedChunksFootprintIsWhatItTakes checks that it is that of any other chunk of the
// size, and has the gap before it only where nothing else can be allocated from that.
func TestAnAlignedChunksFootprintIsWhatItTakes(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	for _, align := range []int{8, 16, 64, 1024, 4096, 1 << 16} {
		before := c.Stats()
		p := c.AllocAligned(100, align)
		least := 120 // as Alloc
		if align > 4096 {
			least = align + 100
		}
		after := c.Stats()
		took, heads := after.Used-before.Used, 32*(after.Blocks-before.Blocks)
		if took < int64(palloc.Footprint(p)) || palloc.Footprint(p) < least || align <= 4096 && took > 120+8+heads {
			t.Errorf("on %d, it takes %d, and the context uses %d more", align, palloc.Footprint(p), took)
		}
	}
}

func TestALargeChunkThatGrewTakesWhatIsInUse(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	p := c.Alloc(100_000)
	for _, size := range []int{200_000, 300_000, 1_000_000, 500_000} {
		p = palloc.Realloc(p, size)
		usable, takes := palloc.UsableSize(p), palloc.Footprint(p)
		if s := c.Stats(); usable < size || takes != usable+40 || int64(takes) > s.Held {
			t.Errorf("%d bytes: %d are usable, it takes %d of %+v", size, usable, takes, s)
		}
	}
}

func TestABumpsChunkAnswersNothing(t *testing.T) {
	c := palloc.NewBump(newRoot(t), "c")
	p := c.AllocZeroed(64)
	p = unsafe.Add(p, 32) // after zeros, which are no valid header
	wantFault(t, func() { palloc.UsableSize(p) }, "UsableSize", "Top/test/c", "a Bump's chunks have no header")
	wantFault(t, func() { palloc.Footprint(p) }, "Footprint", "Top/test/c", "inspected by its pointer")
	wantFault(t, func() { palloc.ContextOf(p) }, "ContextOf", "Top/test/c", "a Bump's chunks have no header")
}

func TestContextOfFindsTheContext(t *testing.T) {
	mc := newRoot(t)
	c, to := palloc.NewAllocSet(mc, "c"), palloc.NewAllocSet(mc, "to")
	p := c.Alloc(8)
	c.SetParent(to)
	if got := palloc.ContextOf(p); got != c || got.Path() != "Top/test/to/c" {
		t.Errorf("the context is %q", got.Path())
	}
	c.Reset()
	wantFault(t, func() { palloc.ContextOf(p) }, "ContextOf", "Top/test/to/c", "reset")
}

// TestAnAlignedChunkOfNoBytesHasAPlace checks that the chunk does not begin at the end of
// its block.
func TestAnAlignedChunkOfNoBytesHasAPlace(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		for _, align := range []int{16, 32, 64, 128, 1024} {
			c := newKind(newRoot(t), k, "c", 0)
			var chunks []unsafe.Pointer
			for range 2000 {
				chunks = append(chunks, c.AllocAligned(0, align))
			}
			for _, p := range chunks {
				if palloc.UsableSize(p) == 0 || palloc.ContextOf(p) != c {
					t.Fatalf("%v on %d: the chunk at %p has no place", k, align, p)
				}
				palloc.FreePointer(p)
			}
			wantEmpty(t, c)
		}
	}
}

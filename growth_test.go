package palloc_test

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Growth: of chunks, and of contexts that need the same memory as earlier ones of the name.

// TestAChunkThatGrowsStaysWhereItIs checks that a growing chunk beyond the size classes
// reserves room to grow in place, and that the unused part of it is not held.
func TestAChunkThatGrowsStaysWhereItIs(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 4 || cramped() {
		t.Skip("address space is not plentiful here: a chunk that grows moves")
	}
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		p := c.Alloc(1 << 10)
		scribble(bytesAt(p, 1<<10), 7)
		moves := 0
		for size := 2 << 10; size <= 1<<20; size *= 2 {
			q := palloc.Realloc(p, size)
			if q != p && size > 32<<10 {
				moves++
			}
			p = q
			bytesAt(p, size)[size-1] = 1
			if held := c.Held(); held > int64(size)+int64(size)/7+16<<10 {
				t.Errorf("%v: %d bytes are held for a chunk of %d", k, held, size)
			}
		}
		if moves > 1 {
			t.Errorf("%v: a chunk moved %d times while it grew from 32 KiB to 1 MiB", k, moves)
		}
		if !scribbled(bytesAt(p, 1<<10), 7) {
			t.Errorf("%v: the content is lost", k)
		}
		palloc.FreePointer(p)
		wantEmpty(t, c)
	}
}

// TestABufferOfAGigabyteIsHardlyCopied doubles a buffer from 1 KiB to 1 GiB, which copies at
// most an eighth of the bytes that a copy at each step would.
func TestABufferOfAGigabyteIsHardlyCopied(t *testing.T) {
	if runtime.GOOS != "linux" || cramped() || !system.DiscardFrees() {
		t.Skip("address space is not plentiful here, or stays memory for ever: a chunk that grows moves")
	}
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		p := c.Alloc(1 << 10)
		scribble(bytesAt(p, 1<<10), 7)
		copied, all := 0, 0
		for size := 1 << 10; size < 1<<30; size *= 2 {
			q := palloc.Realloc(p, 2*size)
			if q != p {
				copied += size
			}
			all += size
			p = q
		}
		bytesAt(p, 1<<30)[1<<30-1] = 1
		if !scribbled(bytesAt(p, 1<<10), 7) {
			t.Errorf("%v: the content is lost", k)
		}
		t.Logf("%v: %d KiB were copied, 1/%d of %d", k, copied>>10, all/max(copied, 1), all>>10)
		if copied > all/8 {
			t.Errorf("%v: %d bytes were copied, more than an eighth of %d", k, copied, all)
		}
		palloc.FreePointer(p)
		wantEmpty(t, c)
	}
	palloc.Trim()
}

// TestTheChunkCutLastGrowsInPlace grows the last chunk of a block while the block has room.
func TestTheChunkCutLastGrowsInPlace(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "in place", 0)
		first := c.Alloc(8 << 10) // in a block of its own, or the first in a large one
		p := c.Alloc(10)
		scribble(bytesAt(p, 10), 3)
		grown := 10
		for size := 20; size <= 300; size += 30 {
			if q := palloc.Realloc(p, size); q == p {
				grown = size
			} else {
				p = q
			}
			scribble(bytesAt(p, size)[10:], size)
			if !scribbled(bytesAt(p, 10), 3) {
				t.Fatalf("%v: the content is lost at %d bytes", k, size)
			}
		}
		if grown < 290 {
			t.Errorf("%v: a chunk with room behind it grew in place to %d bytes", k, grown)
		}
		next := c.Alloc(100)
		scribble(bytesAt(next, 100), 4)
		scribble(bytesAt(p, 300), 5)
		if moved := palloc.Realloc(p, 400); moved == p || !scribbled(bytesAt(next, 100), 4) || !scribbled(bytesAt(moved, 300), 5) {
			t.Errorf("%v: a chunk grew over the next", k)
		} else {
			p = moved
		}
		for _, p := range []unsafe.Pointer{p, next, first} {
			palloc.FreePointer(p)
		}
		if k == palloc.KindGeneration {
			wantEmpty(t, c)
		}
	}
}

// TestGrowingInPlaceDoesNotPassFreedChunksBy checks that a program that repeatedly allocates
// a small chunk, grows it and frees it reuses the same chunks.
func TestGrowingInPlaceDoesNotPassFreedChunksBy(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c", palloc.BlockSizes(1<<20, 1<<20)) // one block for all
	for range 1000 {
		palloc.FreePointer(palloc.Realloc(c.Alloc(10), 100))
	}
	if n := c.Stats().FreeChunks; n > 2 {
		t.Errorf("after 1000 rounds with one chunk at a time there are %d freed chunks", n)
	}
}

// TestGrownChunksDoNotMeet grows chunks in turn, in place and beyond; all keep their content.
func TestGrownChunksDoNotMeet(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	const chunks, most = 5, 6 << 20
	var at [chunks]unsafe.Pointer
	size := 9 << 10
	for i := range at {
		at[i] = c.Alloc(size)
		scribble(bytesAt(at[i], size), i)
	}
	for ; size < most; size = size * 7 / 4 {
		next := size * 7 / 4
		for i := range at {
			at[i] = palloc.Realloc(at[i], next)
			if !scribbled(bytesAt(at[i], size), i) {
				t.Fatalf("chunk %d lost its content on the way from %d to %d bytes", i, size, next)
			}
			scribble(bytesAt(at[i], next), i)
		}
	}
	for _, p := range at {
		palloc.FreePointer(p)
	}
	wantEmpty(t, c)
}

// TestANameLearnsItsFirstBlock creates contexts of one name below ever new parents. After
// some of them, the first block holds all that the next one needs.
func TestANameLearnsItsFirstBlock(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindBump} {
		top, blocks := newRoot(t), int64(0)
		for i := range 6 {
			parent := palloc.NewAllocSet(top, fmt.Sprint("parent ", i%2))
			c := newKind(parent, k, fmt.Sprint("learns ", k), 0)
			for range 30 {
				c.Alloc(100)
			}
			blocks = c.Stats().Blocks
			parent.Delete()
		}
		if blocks != 1 {
			t.Errorf("%v: the sixth context of its name needs %d blocks", k, blocks)
		}
	}
}

// TestACachedNodeIsOfItsKindAndName checks that a context works as one of its kind,
// whichever context was deleted below the same parent before.
func TestACachedNodeIsOfItsKindAndName(t *testing.T) {
	top := newRoot(t)
	for round := range 40 {
		k := kinds[round%len(kinds)]
		c := newKind(top, k, []string{"one", "two", "three"}[round%3], 64)
		for i := range 50 {
			p := c.Alloc(64)
			scribble(bytesAt(p, 64), i)
			if i%3 == 0 && k != palloc.KindBump {
				palloc.FreePointer(p)
			}
		}
		if c.Kind() != k || c.Name() != []string{"one", "two", "three"}[round%3] || count(top) != 1 {
			t.Fatalf("round %d: a %v called %q among %d contexts", round, c.Kind(), c.Name(), count(top))
		}
		if round%5 == 0 {
			palloc.NewBump(c, "below").Alloc(10)
		}
		c.Delete()
	}
	wantEmpty(t, top)
}

func TestASlabHasLargeChunksToo(t *testing.T) {
	const size = 3 << 20
	c := palloc.NewSlab(newRoot(t), "c", size)
	p, q := c.Alloc(size), c.Alloc(size)
	scribble(bytesAt(p, size), 1)
	scribble(bytesAt(q, size), 2)
	palloc.FreePointer(p)
	if !scribbled(bytesAt(q, size), 2) {
		t.Error("a large chunk lost its content when another was freed")
	}
	if s := c.Stats(); s.Blocks != 1 || s.FreeChunks != 0 {
		t.Errorf("one large chunk is live: %+v", s)
	}
	wantFault(t, func() { palloc.FreePointer(p) }, "Free", "Top/test/c", "already free")
	c.Reset()
	wantEmpty(t, c)
}

// TestAChunkCannotGrowBeyondAllMemory grows to sizes that no system has, some of which
// overflow. Each is refused, and the chunk stays live.
func TestAChunkCannotGrowBeyondAllMemory(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	if unsafe.Sizeof(uintptr(0)) == 4 {
		t.Skip("a fraction of 32 bits of address space is a size that a system has")
	}
	for _, from := range []int{100, 20 << 10, 1 << 20} {
		p := c.Alloc(from)
		scribble(bytesAt(p, from), 3)
		for shift := 3; shift < 8; shift++ {
			if q, err := palloc.TryRealloc(p, int(^uint(0)>>shift)); err == nil {
				t.Fatalf("a chunk of %d bytes grew to %d at %p", from, ^uint(0)>>shift, q)
			}
		}
		if !scribbled(bytesAt(p, from), 3) {
			t.Error("a chunk that could not grow lost its content")
		}
		palloc.FreePointer(p)
	}
	wantEmpty(t, c)
}

// TestASlabOfLargeBlocksFreesItsChunks checks that a chunk leads to its block, for every
// size of blocks.
func TestASlabOfLargeBlocksFreesItsChunks(t *testing.T) {
	for _, size := range []int{1 << 10, 300 << 10, 1 << 20} {
		c := palloc.NewSlab(newRoot(t), "c", size, palloc.BlockSizes(1<<10, 64<<20))
		var list []unsafe.Pointer
		for range 12 {
			list = append(list, c.Alloc(size))
		}
		for _, p := range list {
			palloc.FreePointer(p)
		}
		wantEmpty(t, c)
	}
}

// TestRoomToGrowTakesLittleResidentMemory: the room of a chunk that grew a little takes no
// more than some times the chunk of the free memory that is resident, which others can use.
func TestRoomToGrowTakesLittleResidentMemory(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) == 4 || cramped() {
		t.Skip("address space is not plentiful here: a chunk that grows moves")
	}
	c := newRoot(t)
	palloc.FreePointer(c.Alloc(2<<20 - 256)) // is resident from then on
	p := c.Alloc(9 << 10)
	before := palloc.PageHeap().Retained
	p = palloc.Realloc(p, 12<<10)
	if taken := before - palloc.PageHeap().Retained; taken > 16*12<<10 {
		t.Errorf("%d resident bytes are taken for a chunk that grew to %d", taken, 12<<10)
	}
	palloc.FreePointer(p)
}

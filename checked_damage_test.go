package palloc_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/asan"
)

// Damage to checked chunks, byte by byte, and what looks at them meanwhile.

// TestEachByteAroundACheckedChunkIsWatched: one of the 16 bytes before a chunk, or of those between its end and the
// next one's, is overwritten.
func TestEachByteAroundACheckedChunkIsWatched(t *testing.T) {
	if asan.Enabled {
		t.Skip("AddressSanitizer ends the program at the store")
	}
	for _, size := range []int{1, 7, 8, 24, 61, 100, 300, 1000, 5000} {
		for at := -16; ; at++ {
			if at == 0 {
				at = size
			}
			if !damageOne(t, size, at) {
				break
			}
		}
	}
}

// damageOne damages the byte at an offset from a chunk between two others, and reports whether it belongs to what is
// watched for that chunk.
func damageOne(t *testing.T, size, at int) (watched bool) {
	t.Helper()
	mc := palloc.NewAllocSet(palloc.Top(), "damaged", palloc.Checked(), palloc.BlockSizes(32<<10, 32<<10))
	defer mc.Delete()
	var p [3]unsafe.Pointer
	for i := range p {
		p[i] = mc.Alloc(size)
		clear(bytesAt(p[i], size))
	}
	if at > size && uintptr(at) >= uintptr(p[2])-uintptr(p[1])-16 {
		return false
	}
	*(*byte)(unsafe.Add(p[1], at)) ^= 0x5a
	palloc.FreePointer(p[0])
	palloc.FreePointer(p[2])
	want := palloc.Overflow
	if at < 0 {
		want = palloc.Underflow
	}
	f := faultOf(t, func() { palloc.FreePointer(p[1]) })
	if f == nil || f.Mistake != want || f.Chunk != uintptr(p[1]) || f.Size != size {
		t.Fatalf("byte %d of a chunk of %d bytes was overwritten, and the Fault is %+v", at, size, f)
	}
	return true
}

// TestWhatAnOverflowReachesIsItsOwn: the bytes behind a chunk are overwritten up to where others are allocated later,
// which are whole.
func TestWhatAnOverflowReachesIsItsOwn(t *testing.T) {
	if asan.Enabled {
		t.Skip("AddressSanitizer ends the program at the store")
	}
	for beyond := 1; beyond < 400; beyond += 3 {
		mc := palloc.NewAllocSet(palloc.Top(), "reached", palloc.Checked())
		p := mc.Alloc(40)
		clear(unsafe.Slice((*byte)(p), 40+beyond))
		for range 10 {
			palloc.FreePointer(mc.Alloc(40)) // none of them is to blame
		}
		f := faultOf(t, func() { palloc.FreePointer(p) })
		if f == nil || f.Mistake != palloc.Overflow || f.Chunk != uintptr(p) {
			t.Fatalf("%d bytes behind a chunk were overwritten, and the Fault is %+v", beyond, f)
		}
		mc.Delete()
	}
}

// TestAnAddressInsideAZeroedChunkIsNoChunk, though what is before it would be the number of one.
func TestAnAddressInsideAZeroedChunkIsNoChunk(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "zeroed", palloc.Checked())
	defer mc.Delete()
	first := mc.AllocZeroed(200)
	for off := 1; off < 200; off++ {
		f := faultOf(t, func() { palloc.FreePointer(unsafe.Add(first, off)) })
		if f == nil || f.Mistake != palloc.BadPointer || f.Chunk != uintptr(first) {
			t.Fatalf("the Fault of the address at offset %d is %+v", off, f)
		}
	}
	palloc.FreePointer(first)
}

// TestCheckLooksAtPointersIntoABusyContext, which another goroutine is using. Neither is told of the other.
func TestCheckLooksAtPointersIntoABusyContext(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "busy", palloc.Checked())
	defer mc.Delete()
	own := palloc.NewAllocSet(mc, "own")
	r := palloc.New[row](own)
	r.name = palloc.CloneString(mc, strings.Repeat("x", 50))
	var all sync.WaitGroup
	all.Go(func() {
		for i := range 5000 {
			palloc.FreePointer(mc.Alloc(1 + i%1000))
		}
	})
	all.Go(func() {
		for range 500 {
			if err := own.Check(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	all.Wait()
}

// TestDamageThroughAFreedChunkHasOneCause: bytes are overwritten from behind a live chunk, or from inside a freed one,
// through freed chunks up to the words before a live one.
func TestDamageThroughAFreedChunkHasOneCause(t *testing.T) {
	if asan.Enabled {
		t.Skip("AddressSanitizer ends the program at the store")
	}
	for _, before := range []int{0, 253} { // the number of the last chunk's record begins with a zero, with either byte order
		for _, from := range []int{0, 1} {
			for _, first := range []int{0, 1, 2, 3} { // the chunk that is freed afterwards, or Check
				damageThrough(t, before, from, first)
			}
		}
	}
}

// damageThrough clears memory from the chunk from on, and wants the Fault of that chunk whichever is freed first.
func damageThrough(t *testing.T, before, from, first int) {
	mc := palloc.NewAllocSet(palloc.Top(), "through", palloc.Checked(), palloc.BlockSizes(64<<10, 64<<10))
	defer mc.Delete()
	for range before {
		mc.Alloc(40)
	}
	var p [4]unsafe.Pointer
	for i := range p {
		p[i] = mc.Alloc(40)
	}
	palloc.FreePointer(p[1])
	palloc.FreePointer(p[2])
	begin, want := unsafe.Add(p[from], 40), palloc.Overflow
	if from == 1 {
		begin, want = unsafe.Add(p[1], 8), palloc.WriteAfterFree
	}
	clear(unsafe.Slice((*byte)(begin), uintptr(p[3])-uintptr(begin)-4))
	var f *palloc.Fault
	if first == 0 || first == 3 {
		f = faultOf(t, func() { palloc.FreePointer(p[first]) })
	}
	err := mc.Check()
	if f == nil && !errors.As(err, &f) {
		t.Fatalf("%d before, from %d: nothing is found", before, from)
	}
	if f.Mistake != want || f.Chunk != uintptr(p[from]) {
		t.Errorf("%d before, from %d, first %d: the Fault is %v", before, from, first, f)
	}
	if err != nil && strings.Contains(err.Error(), "before its beginning") {
		t.Errorf("%d before, from %d, first %d: Check blames another chunk: %v", before, from, first, err)
	}
}

// TestADamagedChunkCanBeFreed: what was reported about it is not reported again, by a use that is right.
func TestADamagedChunkCanBeFreed(t *testing.T) {
	if asan.Enabled {
		t.Skip("AddressSanitizer ends the program at the store")
	}
	for _, byCheck := range []bool{false, true} {
		mc := palloc.NewAllocSet(newRoot(t), "damaged", palloc.Checked())
		culprit, neighbour, last := mc.Alloc(40), mc.Alloc(40), mc.Alloc(40)
		for i := range uintptr(last) - uintptr(culprit) - 60 { // into the neighbour, not through it
			*(*byte)(unsafe.Add(culprit, 40+i)) = 'A'
		}
		var f *palloc.Fault
		if byCheck {
			if err := mc.Check(); !errors.As(err, &f) {
				t.Fatalf("Check says %v", err)
			}
		} else {
			f = faultOf(t, func() { palloc.FreePointer(culprit) })
		}
		if f == nil || f.Mistake != palloc.Overflow || f.Chunk != uintptr(culprit) {
			t.Fatalf("the overflow is reported as %v", f)
		}
		f = faultOf(t, func() {
			if n := palloc.UsableSize(neighbour); n != 40 {
				t.Errorf("the neighbour has %d bytes", n)
			}
			neighbour = palloc.Realloc(neighbour, 400)
			if byCheck {
				palloc.FreePointer(culprit)
			}
			palloc.FreePointer(neighbour)
			palloc.FreePointer(last)
		})
		if f != nil {
			t.Errorf("uses that are right, of which the damage was reported: %v", f)
		}
		for _, p := range []unsafe.Pointer{culprit, neighbour, last} {
			if f := faultOf(t, func() { palloc.FreePointer(p) }); f == nil || f.Mistake != palloc.DoubleFree {
				t.Errorf("a double free is %v", f)
			}
		}
		if f := faultOf(t, mc.Delete); f != nil {
			t.Errorf("the deletion says %v", f)
		}
	}
}

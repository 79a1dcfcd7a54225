package palloc_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Slices and strings in a context.

func TestMakeSliceIsMake(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for range 3 {
			for _, lens := range [][2]int{{0, 0}, {0, 1}, {1, 1}, {3, 10}, {100, 100}, {7, 5000}, {20_000, 20_000}} {
				s := palloc.MakeSlice[uint32](c, lens[0], lens[1])
				if len(s) != lens[0] || cap(s) != lens[1] || s == nil {
					t.Errorf("asked for %v, got %d and %d", lens, len(s), cap(s))
				}
				for i, v := range s[:cap(s)] {
					if v != 0 {
						t.Fatalf("element %d of %v is %#x", i, lens, v)
					}
					s[:cap(s)][i] = 0xffffffff
				}
			}
			c.Reset()
		}
	})
}

func TestListsOfStringsAndPointersGrow(t *testing.T) {
	each(t, growing, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		list, nodes := palloc.MakeStrings(c, 0, 0), palloc.MakePointers[linkedNode](c, 0, 0)
		if list == nil || nodes == nil || cap(list) < 1 || cap(nodes) < 1 {
			t.Errorf("capacities of %d and %d", cap(list), cap(nodes))
		}
		for i := range 1000 {
			list = palloc.Append(c, list, palloc.Sprintf(c, "%d", i))
			nodes = palloc.Append(c, nodes, palloc.New[linkedNode](c))
		}
		runtime.GC()
		copied := palloc.Clone(c, list)
		for i, s := range copied {
			if s != strconv.Itoa(i) || list[i] != s || nodes[i] == nil {
				t.Fatalf("element %d is %q", i, s)
			}
		}
		zeroed := palloc.Grow(c, palloc.MakeStrings(c, 3, 20), 1000)
		if tried, err := palloc.TryMakePointers[linkedNode](c, 2, 5); err != nil || len(tried) != 2 || tried[1] != nil {
			t.Errorf("%v, %v", tried, err)
		}
		if len(zeroed) != 3 || strings.Join(zeroed[:cap(zeroed)], "") != "" {
			t.Errorf("%d elements: %q", len(zeroed), zeroed)
		}
		if k.Frees() {
			palloc.FreeSlice(zeroed)
			palloc.FreeSlice(list)
			palloc.FreeSlice(nodes)
		}
	})
}

func TestAListIsRefusedWhereNobodyPromised(t *testing.T) {
	mc := newRoot(t)
	var none []string
	for name, do := range map[string]func(){
		"Append[string]": func() { palloc.Append(mc, none, "x") },
		"Grow[string]":   func() { palloc.Grow(mc, []string{"on Go's heap"}, 1) },
		"Clone[string]":  func() { palloc.Clone(mc, []string{"on Go's heap"}) },
	} {
		wantFault(t, do, name, "", "palloc.MakeStrings(mc, len, cap)")
	}
	wantFault(t, func() { palloc.Append(mc, []*leaf{}, new(leaf)) }, "Append[*palloc_test.leaf]", "", "palloc.MakePointers[palloc_test.leaf](mc, len, cap)")
	wantFault(t, func() { palloc.MakePointers[holder](mc, 0, 1) }, "MakePointers[palloc_test.holder]", "", "holder.p")
	wantFault(t, func() { palloc.MakeStrings(mc, 2, 1) }, "MakeStrings", "Top/test", "length 2 and capacity 1")
	wantFault(t, func() { palloc.MakeStrings(mc, 0, -1) }, "MakeStrings", "Top/test", "capacity -1")
	wantEmpty(t, mc)
}

func TestCloneStringsCopiesTheStrings(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	was := []string{"one", "", strings.Repeat("x", 1000)}
	list := palloc.CloneStrings(c, was)
	if !slices.Equal(list, was) || unsafe.StringData(list[0]) == unsafe.StringData(was[0]) {
		t.Errorf("%q", list)
	}
	if list = palloc.Append(c, list, "constant"); len(list) != 4 {
		t.Errorf("%q", list)
	}
	palloc.FreeString(list[0])
	palloc.FreeString(list[2])
	palloc.FreeSlice(list)
	wantEmpty(t, c)
	c.SetLimit(8 << 10)
	list, err := palloc.TryCloneStrings(c, []string{"one", "two", strings.Repeat("x", 10_000)})
	var oom *palloc.OutOfMemoryError
	if !errors.As(err, &oom) || list != nil || oom.Op != "TryCloneStrings" {
		t.Errorf("%q, %v", list, err)
	}
	wantEmpty(t, c)
}

func TestCheckFollowsListsOfPointers(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c", palloc.Checked())
	list, nodes := palloc.MakeStrings(c, 0, 1), palloc.MakePointers[linkedNode](c, 0, 1)
	for range 20 {
		list = palloc.Append(c, list, palloc.CloneString(c, "right"), "constant")
		nodes = palloc.Append(c, nodes, palloc.New[linkedNode](c))
	}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
	palloc.FreeString(list[0])
	palloc.Free(nodes[7])
	err := c.Check()
	for _, part := range []string{"[0] of string", "[7] of *palloc_test.linkedNode", "freed by FreeString", "freed by Free"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in %v", part, err)
		}
	}
}

func TestASliceOfNothingTakesNoMemory(t *testing.T) {
	mc := newRoot(t)
	c := palloc.NewAllocSet(mc, "c")
	palloc.FreeSlice(palloc.MakeSlice[int](c, 0, 0))
	palloc.FreeSlice(palloc.Clone(c, []int(nil)))
	palloc.FreeSlice([]int(nil))
	palloc.FreeString(palloc.CloneString(c, ""))
	empties := palloc.MakeSlice[struct{}](c, 5, 1<<30)
	empties = palloc.Append(c, empties, struct{}{}, struct{}{})
	if len(empties) != 7 || cap(empties) != 1<<30 {
		t.Errorf("%d elements without size, %d in all", len(empties), cap(empties))
	}
	empties = palloc.Append(c, empties[:7:7], struct{}{})
	palloc.FreeSlice(empties)
	if len(empties) != 8 || !c.IsEmpty() {
		t.Errorf("%d elements take %+v", len(empties), c.Stats())
	}
}

func TestASlabHasSlicesOfItsSize(t *testing.T) {
	c := palloc.NewSlab(newRoot(t), "c", 64)
	s := palloc.MakeSlice[uint32](c, 3, 16)
	if s = palloc.Append(c, s, 1, 2); len(s) != 5 || s[4] != 2 {
		t.Errorf("%v", s)
	}
	palloc.FreeSlice(s)
	palloc.FreeSlice(palloc.Clone(c, make([]byte, 64)))
	wantEmpty(t, c)
}

// counted returns the first n numbers, appended one by one.
func counted(t *testing.T, mc palloc.Context, n int64) []int64 {
	t.Helper()
	s := palloc.MakeSlice[int64](mc, 0, 2)
	for i := range n {
		s = palloc.Append(mc, s, i)
	}
	for i, v := range s {
		if v != int64(i) {
			t.Fatalf("element %d is %d", i, v)
		}
	}
	return s
}

func TestAppendKeepsWhatItGrows(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		c := newKind(mc, k, "c", 0)
		var s, other []int
		for i := range 20_000 {
			s = palloc.Append(c, s, i)
			if i%7 == 0 {
				other = palloc.Append(c, other, -i, i)
			}
		}
		for i, v := range s {
			if v != i {
				t.Fatalf("element %d is %d", i, v)
			}
		}
		for i := 0; i < len(other); i += 2 {
			if other[i] != -i/2*7 || other[i+1] != i/2*7 {
				t.Fatalf("elements %d of the other are %v", i, other[i:i+2])
			}
		}
		if k != palloc.KindBump {
			palloc.FreeSlice(s)
			palloc.FreeSlice(other)
			wantEmpty(t, c)
		}
	})
}

func TestAppendGrowsSeldom(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	var s []byte
	grown := 0
	for range 1 << 20 {
		before := cap(s)
		if s = palloc.Append(c, s, 1); cap(s) != before {
			grown++
		}
	}
	if grown > 60 || cap(s) > 2<<20 {
		t.Errorf("a MiB, byte by byte, grew %d times, to %d", grown, cap(s))
	}
}

func TestAppendZeroesTheNewTail(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump} {
		c := newKind(newRoot(t), k, "c", 0)
		for _, size := range []int{1, 10, 100, 1000, 10_000, 100_000} {
			for range 3 {
				for range 4 { // memory for reuse, dirty
					b := bytesAt(c.Alloc(size), size)
					for i := range b {
						b[i] = 0xff
					}
				}
				c.Reset()
				s := palloc.MakeSlice[byte](c, size/2, size/2)
				s = palloc.Append(c, s, make([]byte, size-size/2)...)
				s = palloc.Append(c, s, 0)
				wantZero(t, s[:cap(s)])
				c.Reset()
			}
		}
	}
}

func TestAppendGrowsInPlaceWhereItCan(t *testing.T) {
	mustBePlain(t)
	mc := newFresh(t)
	bump := palloc.NewBump(mc, "bump", palloc.BlockSizes(64<<10, 64<<10))
	b := palloc.MakeSlice[byte](bump, 16, 16)
	where := &b[0]
	for range 1000 {
		b = palloc.Append(bump, b, 1)
	}
	if &b[0] != where {
		t.Error("the chunk allocated last moved in a Bump with room behind it")
	}
	bump.Alloc(8)
	if b = palloc.Append(bump, b[:cap(b)], 1); &b[0] == where {
		t.Error("a chunk grew over its neighbour in a Bump")
	}
}

func TestAppendUsesTheWholeChunk(t *testing.T) {
	mustBePlain(t)
	c := palloc.NewAllocSet(newRoot(t), "c")
	s := palloc.Append(c, []byte(nil), 1) // its chunk has 8 bytes
	first := &s[0]
	if cap(s) != 8 {
		t.Errorf("the capacity is %d", cap(s))
	}
	for range 7 {
		s = palloc.Append(c, s, 1)
	}
	if &s[0] != first {
		t.Error("a slice moved though its chunk had room")
	}
}

func TestAppendLeavesAForeignSliceAlone(t *testing.T) {
	mc := newRoot(t)
	here, there := palloc.NewAllocSet(mc, "here"), palloc.NewAllocSet(mc, "there")
	for name, original := range map[string][]uint64{
		"on Go's heap":          {1, 2, 3},
		"of another context":    palloc.Clone(there, []uint64{1, 2, 3}),
		"the middle of a chunk": palloc.Clone(here, []uint64{0, 1, 2, 3})[1:],
	} {
		t.Run(name, func(t *testing.T) {
			grown := palloc.Append(here, original, 4)
			grown[0] = 99
			if !slices.Equal(original, []uint64{1, 2, 3}) || !slices.Equal(grown, []uint64{99, 2, 3, 4}) {
				t.Errorf("the original is %v, the result %v", original, grown)
			}
			palloc.FreeSlice(grown)
		})
	}
	if there.IsEmpty() {
		t.Error("the other context's chunk was freed")
	}
}

func TestAppendTakesItselfAsValues(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for _, n := range []int{1, 8, 100, 1000, 10_000, 100_000} {
			s := palloc.MakeSlice[uint64](c, n, n)
			for i := range s {
				s[i] = uint64(i + 1)
			}
			s = palloc.Append(c, s, s...)
			for i := range s {
				if s[i] != uint64(i%n+1) {
					t.Errorf("%d elements appended to themselves: element %d is %d", n, i, s[i])
					break
				}
			}
		}
	})
}

func TestAppendFreesTheChunkItLeft(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		old := palloc.MakeSlice[uint64](c, 128, 128) // fills its chunk
		s := palloc.Append(c, old, 1)
		wantFault(t, func() { palloc.FreeSlice(old) }, "Free", "Top/test/c", "already free")
		palloc.FreeSlice(s)
		wantEmpty(t, c)
	}
}

func TestAppendToAFreedSliceIsAFault(t *testing.T) {
	for _, k := range []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration} {
		c := newKind(newRoot(t), k, "c", 0)
		s, other := palloc.MakeSlice[uint64](c, 8, 8), palloc.New[uint64](c)
		palloc.FreeSlice(s)
		wantFault(t, func() { palloc.Append(c, s, 1) }, "Append", "Top/test/c", "already free")
		palloc.Free(other)
	}
}

func TestAppendOfNothingChangesNothing(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	if s := palloc.Append(c, []int(nil)); s != nil {
		t.Errorf("nil and nothing make %v", s)
	}
	s := palloc.Clone(c, []int{1, 2})
	if r := palloc.Append(c, s); &r[0] != &s[0] || len(r) != 2 {
		t.Errorf("%v and nothing make %v", s, r)
	}
}

func TestTryTwinsOfSlices(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	made, err1 := palloc.TryMakeSlice[int](c, 2, 3)
	grown, err2 := palloc.TryAppend(c, made, 5, 6)
	within, err3 := palloc.TryAppend(c, palloc.MakeSlice[int](c, 0, 4), 7)
	clone, err4 := palloc.TryClone(c, grown)
	text, err5 := palloc.TryCloneString(c, "text")
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprint(grown, within, clone, []string{text}); got != "[0 0 5 6] [7] [0 0 5 6] [text]" {
		t.Errorf("got %s", got)
	}
}

func TestACloneIsACopy(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for _, n := range []int{1, 5, 1000, 50_000} {
			s := make([]uint16, n, n+10)
			for i := range s {
				s[i] = uint16(i + 1)
			}
			clone := palloc.Clone(c, s)
			if !slices.Equal(clone, s) || cap(clone) > n+n/4+150 {
				t.Errorf("the clone of %d elements has %d of %d", n, len(clone), cap(clone))
			}
			for i, v := range clone[n:cap(clone)] {
				if v != 0 {
					t.Fatalf("element %d behind the clone of %d is %d", i, n, v)
				}
			}
			clear(s)
			if clone[n-1] != uint16(n) {
				t.Error("the clone is the original")
			}
			if k != palloc.KindBump {
				palloc.FreeSlice(clone)
			}
		}
	})
}

func TestFreeSliceWantsTheStartOfAChunk(t *testing.T) {
	mc := newRoot(t)
	s := palloc.Clone(mc, []uint64{1, 2, 3, 4})
	wantFault(t, func() { palloc.FreeSlice(s[1:]) }, "Free", "Top/test", "not the start of a")
	wantFault(t, func() { palloc.FreeSlice([]uint64{1}) }, "Free", "", "belongs to no context")
	palloc.FreeSlice(s[:0]) // the length does not matter
	wantEmpty(t, mc)
}

// TestAppendLeavesWhatLiesBeyondTheCapacityAlone appends to a slice cut short with s[:n:n],
// which does not have all of its chunk. The result is another chunk, and the old one stays
// live for the slices that have more of it.
func TestAppendLeavesWhatLiesBeyondTheCapacityAlone(t *testing.T) {
	mustBePlain(t)
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		for _, size := range []int{1, 5, 16, 100, 111, 1024, 100_000} {
			for _, cut := range []int{0, 1, size / 2, size - 1} {
				s := palloc.Append(c, nil, make([]byte, size)...)
				if s = s[:cap(s)]; size%2 == 0 {
					s = palloc.MakeSlice[byte](c, size, size)
				}
				for i := range s {
					s[i] = byte(i%250) + 1
				}
				short := palloc.Append(c, s[:cut:cut], 255)
				for i := range s {
					if s[i] != byte(i%250)+1 {
						t.Fatalf("%d bytes cut to %d: byte %d is %d", size, cut, i, s[i])
					}
				}
				if len(short) != cut+1 || short[cut] != 255 {
					t.Fatalf("%d bytes cut to %d: the result is %d bytes", size, cut, len(short))
				}
				if k != palloc.KindBump {
					palloc.FreeSlice(s) // still live
					palloc.FreeSlice(short)
				}
			}
		}
	})
}

package palloc_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Statistics, and their text: the format is exactly PostgreSQL's.

// printed returns the lines that WriteStats prints.
func printed(t *testing.T, mc palloc.Context) []string {
	t.Helper()
	var b strings.Builder
	if err := mc.WriteStats(&b); err != nil {
		t.Fatal(err)
	}
	text, ended := strings.CutSuffix(b.String(), "\n")
	if !ended {
		t.Errorf("the text does not end with a newline: %q", b.String())
	}
	return strings.Split(text, "\n")
}

func wantLines(t *testing.T, mc palloc.Context, want ...string) {
	t.Helper()
	got := printed(t, mc)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Errorf("of %d lines, not %d, number %d is\n%q\nnot\n%q", len(got), len(want), i+1, lineOf(got, i), lineOf(want, i))
			return
		}
	}
}

func lineOf(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// figures returns the expected begin and end of a context's line, for every kind.
func figures(s palloc.Stats) string {
	return fmt.Sprintf("%d total in %d blocks; %d free (%d chunks); %d used", s.Held, s.Blocks, s.Free, s.FreeChunks, s.Used)
}

func grandTotal(s palloc.Stats) string {
	return fmt.Sprintf("Grand total: %d bytes in %d blocks; %d free (%d chunks); %d used",
		s.Held, s.Blocks, s.Free, s.FreeChunks, s.Used)
}

// sum adds up the statistics of contexts.
func sum(walk func(func(palloc.Context) bool)) (sum palloc.Stats) {
	for c := range walk {
		s := c.Stats()
		sum.Held += s.Held
		sum.Blocks += s.Blocks
		sum.Free += s.Free
		sum.FreeChunks += s.FreeChunks
		sum.Used += s.Used
	}
	return sum
}

// newFresh returns a context that begins without the block of an earlier context, as its
// descendants do.
func newFresh(t *testing.T) palloc.Context {
	palloc.Trim()
	return newRoot(t)
}

func TestEmptyContextsPrintZeros(t *testing.T) {
	mc := newFresh(t)
	palloc.NewAllocSet(mc, "set")
	palloc.NewGeneration(mc, "generation")
	palloc.NewSlab(mc, "slab", 100)
	palloc.NewBump(mc, "bump")
	wantLines(t, mc,
		"test: 0 total in 0 blocks; 0 free (0 chunks); 0 used",
		"  bump: 0 total in 0 blocks; 0 free; 0 used",
		"  slab: 0 total in 0 blocks; 0 empty blocks; 0 free (0 chunks); 0 used",
		"  generation: 0 total in 0 blocks (0 chunks); 0 free (0 chunks); 0 used",
		"  set: 0 total in 0 blocks; 0 free (0 chunks); 0 used",
		"Grand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used")
}

func TestEachKindPrintsItsOwnLine(t *testing.T) {
	mc := newFresh(t)
	set := palloc.NewAllocSet(mc, "set", palloc.BlockSizes(4<<10, 4<<10))
	generation := palloc.NewGeneration(set, "generation", palloc.BlockSizes(4<<10, 4<<10))
	slab := palloc.NewSlab(set, "slab", 100, palloc.BlockSizes(4<<10, 4<<10))
	bump := palloc.NewBump(mc, "bump", palloc.BlockSizes(4<<10, 4<<10))
	for _, c := range []palloc.Context{set, generation, slab} {
		c.Alloc(100)
		palloc.FreePointer(c.Alloc(100))
		c.Alloc(100)
	}
	palloc.FreePointer(generation.Alloc(100))
	bump.Alloc(100)
	g, s, b := generation.Stats(), slab.Stats(), bump.Stats()
	wantLines(t, set.Parent(),
		"test: 0 total in 0 blocks; 0 free (0 chunks); 0 used",
		fmt.Sprintf("  bump: 4096 total in 1 blocks; %d free; %d used", b.Free, b.Used),
		"  set: "+figures(set.Stats()),
		fmt.Sprintf("    slab: 4096 total in 1 blocks; 0 empty blocks; %d free (%d chunks); %d used", s.Free, s.FreeChunks, s.Used),
		fmt.Sprintf("    generation: 4096 total in 1 blocks (4 chunks); %d free (2 chunks); %d used", g.Free, g.Used),
		grandTotal(sum(mc.All())))
}

func TestTheAccountsSayWhatWasDone(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newFresh(t), k, "c", 100)
		last := c.Stats()
		for range 1000 {
			c.Alloc(100)
			s := c.Stats()
			if s.Used < last.Used+100 || s.Used+s.Free != s.Held || s.Held != c.Held() || s.Held < last.Held {
				t.Fatalf("a chunk more makes %+v of %+v", s, last)
			}
			last = s
		}
		if last.Blocks < 2 || last.Held%256 != 0 {
			t.Errorf("100,000 bytes are in %+v", last)
		}
		c.Reset()
		if s := c.Stats(); s.Blocks > 1 || s.Used > 200 || s.Used+s.Free != s.Held {
			t.Errorf("after a reset: %+v", s)
		}
	})
}

// TestFreedChunksAreFree checks that the bytes used are those of live chunks, for every kind.
func TestFreedChunksAreFree(t *testing.T) {
	each(t, freeing, func(t *testing.T, k palloc.Kind) {
		for _, size := range []int{8, 100, 1500, 5000} {
			c := newKind(newRoot(t), k, "c", size)
			var chunks []unsafe.Pointer
			for range 300 {
				chunks = append(chunks, c.Alloc(size))
			}
			full := c.Stats()
			taken := int64(palloc.Footprint(chunks[0]))
			for i, p := range chunks {
				if i%3 != 0 { // only blocks of one chunk become empty
					palloc.FreePointer(p)
				}
			}
			const head = 64
			s := c.Stats()
			if want := 100 * taken; s.Used < want || s.Used > want+s.Blocks*(head+128) || s.Used+s.Free != s.Held {
				t.Errorf("%d bytes: 100 chunks of 300 are left, which take %d, in %+v; all were in %+v", size, want, s, full)
			}
			for i := 0; i < 300; i += 3 {
				palloc.FreePointer(chunks[i])
			}
			if s := c.Stats(); s.Used > s.Blocks*(head+128) || !c.IsEmpty() {
				t.Errorf("%d bytes: none is left, in %+v; empty: %v", size, s, c.IsEmpty())
			}
		}
	})
}

func TestEmptyBlocksOfASlabAreCounted(t *testing.T) {
	mc := newFresh(t)
	c := palloc.NewSlab(mc, "slab", 100, palloc.BlockSizes(4<<10, 4<<10))
	palloc.FreePointer(c.Alloc(100))
	s := c.Stats()
	wantLines(t, c,
		fmt.Sprintf("slab: 4096 total in 1 blocks; 1 empty blocks; %d free (%d chunks); %d used", s.Free, s.FreeChunks, s.Used),
		grandTotal(s))
}

func TestMemAllocatedOfATreeIsTheSum(t *testing.T) {
	mc := newRoot(t)
	at := mc
	for i := range 50 {
		at = newKind(at, kinds[i%len(kinds)], "c", 100)
		for range i {
			at.Alloc(100)
		}
		palloc.NewBump(at, "aside").Alloc(i * 1000)
	}
	if got, want := mc.TreeHeld(), sum(mc.All()).Held; got != want || got < 50*49/2*1000 {
		t.Errorf("the tree has allocated %d bytes, its contexts %d", got, want)
	}
	if at.TreeHeld() <= at.Held() {
		t.Error("the last child is not counted")
	}
}

func TestAnIdentIsPrintedUpToAHundredBytes(t *testing.T) {
	hundred := strings.Repeat("0123456789", 10)
	for _, c := range []struct{ ident, want string }{
		{"", ""},
		{"portal 17", ": portal 17"},
		{"select\n\t1 \x00\x1f\x7f", ": select  1   \\x7f"},
		{hundred, ": " + hundred},
		{hundred + "x", ": " + hundred + "..."},
		{hundred[:99] + "ä", ": " + hundred[:99] + "..."},
		{hundred[:98] + "äx", ": " + hundred[:98] + "ä..."},
		{hundred[:97] + "€€", ": " + hundred[:97] + "€..."},
		{hundred[:98] + "€", ": " + hundred[:98] + "..."},
		{strings.Repeat("𝄞", 30), ": " + strings.Repeat("𝄞", 25) + "..."},
		{"name: 0 total", ": name: 0 total"},
	} {
		mc := newFresh(t)
		mc.SetIdent(c.ident)
		wantLines(t, mc, "test: 0 total in 0 blocks; 0 free (0 chunks); 0 used"+c.want,
			"Grand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used")
	}
}

func TestAHashTableIsCalledByItsIdent(t *testing.T) {
	mc := newFresh(t)
	palloc.NewAllocSet(mc, "dynahash").SetIdent("lock hash")
	palloc.NewAllocSet(mc, "dynahash")
	wantLines(t, mc,
		"test: 0 total in 0 blocks; 0 free (0 chunks); 0 used",
		"  dynahash: 0 total in 0 blocks; 0 free (0 chunks); 0 used",
		"  lock hash: 0 total in 0 blocks; 0 free (0 chunks); 0 used",
		"Grand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used")
}

func TestChildrenBeyondTheHundredthShareALine(t *testing.T) {
	mc := newFresh(t)
	parent := palloc.NewAllocSet(mc, "parent")
	after := palloc.NewAllocSet(mc, "after")
	after.SetParent(mc)
	var rest palloc.Stats
	for i := range 103 { // the newest are shown, the oldest are not
		c := palloc.NewAllocSet(parent, fmt.Sprint("c", 102-i))
		if i < 3 {
			c.Alloc(100)
			palloc.NewAllocSet(c, "below").Alloc(5000)
			rest = sum(parent.All())
		}
	}
	parent.SetParent(mc)
	zeros := " 0 total in 0 blocks; 0 free (0 chunks); 0 used"
	want := []string{"test:" + zeros, "  parent:" + zeros}
	for i := range 100 {
		want = append(want, fmt.Sprintf("    c%d:%s", i, zeros))
	}
	want = append(want, "    6 more child contexts containing "+figures(rest), "  after:"+zeros, grandTotal(rest))
	wantLines(t, mc, want...)
}

// TestADeepTreePrintsItsUpperLevels expects the children of the hundredth level in full, and
// their descendants summed up in a line, as PostgreSQL prints them.
func TestADeepTreePrintsItsUpperLevels(t *testing.T) {
	mc := newFresh(t)
	zeros := " 0 total in 0 blocks; 0 free (0 chunks); 0 used"
	want := []string{"test:" + zeros}
	at := mc
	var rest palloc.Stats
	for level := 2; level <= 110; level++ {
		at = palloc.NewAllocSet(at, fmt.Sprint("level", level))
		if level <= 101 {
			want = append(want, fmt.Sprintf("%*slevel%d:%s", 2*(level-1), "", level, zeros))
			continue
		}
		at.Alloc(100)
	}
	rest = sum(mc.All())
	palloc.NewAllocSet(mc, "after")
	lines := []string{want[0], "  after:" + zeros}
	lines = append(lines, want[1:]...)
	lines = append(lines, strings.Repeat(" ", 2*101)+"9 more child contexts containing "+figures(rest), grandTotal(rest))
	wantLines(t, mc, lines...)
}

// TestTheGrandTotalIsTheSum compares the grand total with the statistics of all contexts of
// a tree, and with the printed lines.
func TestTheGrandTotalIsTheSum(t *testing.T) {
	mc := newFresh(t)
	at := mc
	for i := range 120 {
		for j := range 3 {
			newKind(at, kinds[j], "leaf", 100).Alloc(100)
		}
		at = newKind(at, kinds[i%len(kinds)], "c", 100)
	}
	for range 150 {
		newKind(at, palloc.KindGeneration, "leaf", 100).Alloc(100)
	}
	lines := printed(t, mc)
	if last := lines[len(lines)-1]; last != grandTotal(sum(mc.All())) {
		t.Errorf("the last line is %q, the sum %+v", last, sum(mc.All()))
	}
	total := int64(0)
	for _, line := range lines[:len(lines)-1] {
		_, line, ok := strings.Cut(line, ": ")
		if !ok {
			_, line, _ = strings.Cut(strings.Join(lines, "\n"), "containing ")
		}
		var n int64
		if _, err := fmt.Sscan(line, &n); err != nil {
			t.Errorf("a line says %q: %v", line, err)
		}
		total += n
	}
	if want := mc.TreeHeld(); total != want {
		t.Errorf("the lines sum up to %d bytes, the tree holds %d", total, want)
	}
}

type fullDisk struct{ room int }

var errFull = errors.New("no space left")

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestWriteStatsReturnsTheWritersError(t *testing.T) {
	mc := newRoot(t)
	for range 99 {
		palloc.NewAllocSet(mc, "c")
	}
	for _, room := range []int{0, 100, 5000} {
		if err := mc.WriteStats(&fullDisk{room}); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: the error is %v", room, err)
		}
	}
	if err := mc.WriteStats(io.Discard); err != nil {
		t.Error(err)
	}
}

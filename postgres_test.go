package palloc_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The behaviour of PostgreSQL's memory contexts, point by point: where palloc does the same,
// and what it does instead. Each test says which.

func TestPostgres01ChunksOfAllSizes(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		for _, size := range []int{0, 1, 8, 9, 16, 17, 24, 100, 1000, 1024, 1025, 4096, 8192, 8193} {
			c := newKind(newRoot(t), k, "c", size)
			p := c.Alloc(size)
			scribble(bytesAt(p, size), size)
			if k == palloc.KindAllocSet || k == palloc.KindGeneration {
				if p = palloc.Realloc(p, 2*size+1); !scribbled(bytesAt(p, size), size) {
					t.Errorf("%d bytes: Realloc lost them", size)
				}
				p = palloc.Realloc(p, 0)
			}
			if k != palloc.KindBump {
				palloc.FreePointer(p)
				wantEmpty(t, c)
			}
		}
	})
}

func TestPostgres02FreedChunksAreReusedLatestFirst(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	a, b, other := c.Alloc(100), c.Alloc(100), c.Alloc(200)
	palloc.FreePointer(a)
	palloc.FreePointer(b)
	palloc.FreePointer(other)
	if n := c.Stats().FreeChunks; n != 3 {
		t.Errorf("%d free chunks, want 3", n)
	}
	if small := c.Alloc(20); small == a || small == b || small == other {
		t.Error("a freed chunk served another class")
	}
	if x, y := c.Alloc(100), c.Alloc(97); x != b || y != a {
		t.Errorf("freed %p and %p, reused %p and %p", a, b, x, y)
	}
	if n := c.Stats().FreeChunks; n != 1 {
		t.Errorf("%d free chunks, want the other one", n)
	}
}

// PostgreSQL cuts the rest of a block into powers of two; palloc into its size classes, the
// largest first.
func TestPostgres03TheRestOfABlockIsCutIntoChunks(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c", palloc.BlockSizes(1<<10, 8<<10))
	for c.Stats().Free < 200 || c.Stats().Free > 400 || c.Stats().Blocks == 0 {
		c.Alloc(56)
	}
	free, blocks := c.Stats().Free, c.Stats().Blocks
	c.Alloc(1000)
	s := c.Stats()
	if s.Blocks != blocks+1 || s.FreeChunks == 0 || s.FreeChunks > 4 {
		t.Fatalf("%d bytes were left, and now it is %+v", free, s)
	}
	for size := int(free); size > 0; size -= 8 {
		before := c.Stats()
		c.Alloc(size)
		if now := c.Stats(); now.Blocks == before.Blocks && now.FreeChunks < before.FreeChunks {
			return
		}
	}
	t.Errorf("the rest of the block was not used: %+v", s)
}

// PostgreSQL doubles its blocks; palloc's grow with the context, so that a small part is
// idle.
func TestPostgres04BlocksGrowUpToTheLargest(t *testing.T) {
	const maxBlock = 64 << 10
	c := palloc.NewAllocSet(newRoot(t), "c", palloc.BlockSizes(1<<10, maxBlock))
	last, grew := c.Stats(), 0
	for range 40_000 {
		c.Alloc(100)
		s := c.Stats()
		if size := s.Held - last.Held; size > 0 {
			if size > maxBlock+maxBlock/7 || last.Free > 112*(last.Blocks+1) { // a rest in each block
				t.Fatalf("a block of %d bytes while %d were free; the largest may have %d", size, last.Free, maxBlock)
			}
			if s.Free > last.Used/2+2<<10 {
				t.Fatalf("%d bytes are idle of %d", s.Free, s.Held)
			}
			grew++
		}
		last = s
	}
	if grew < 10 || last.Blocks < int64(grew) || last.Blocks > int64(grew)+1 { // it may begin with a keeper
		t.Errorf("%d blocks were acquired, and there are %d", grew, last.Blocks)
	}
	one := palloc.NewAllocSet(c, "one")
	one.Alloc(7000)
	if s := one.Stats(); s.Blocks != 1 || s.Held < 7000 || s.Held > 16<<10 {
		t.Errorf("a first chunk of 7000 bytes: %+v", s)
	}
}

func TestPostgres05ALargeChunkLeavesTheBlockInUse(t *testing.T) {
	each(t, []palloc.Kind{palloc.KindAllocSet, palloc.KindGeneration, palloc.KindBump}, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 0)
		a, b := c.Alloc(64), c.Alloc(64)
		c.Alloc(100_000)
		if next := c.Alloc(64); uintptr(next)-uintptr(b) != uintptr(b)-uintptr(a) {
			t.Errorf("chunks at %p and %p, and behind a large one at %p", a, b, next)
		}
	})
}

func TestPostgres06ReallocInPlace(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	p := c.Alloc(100_000)
	scribble(bytesAt(p, 100), 5)
	for _, size := range []int{99_000, 100_000, 300_000, 2 << 20, 50_000, 20_000} {
		p = palloc.Realloc(p, size)
		if held := c.Held(); held < int64(size) || held > 4*int64(size)+8<<10 || !scribbled(bytesAt(p, 100), 5) {
			t.Errorf("a chunk of %d bytes makes %d", size, held)
		}
	}
	p = palloc.Realloc(p, 0)
	palloc.FreePointer(p)
	p, next := c.Alloc(97), c.Alloc(97)
	scribble(bytesAt(p, 97), 6)
	if q := palloc.Realloc(p, 112); q != p {
		t.Error("a size of the same class moved")
	}
	if q := palloc.Realloc(p, 113); q == p || !scribbled(bytesAt(q, 97), 6) {
		t.Error("a chunk grew over the next one")
	}
	palloc.FreePointer(next)
}

func TestPostgres07ResetKeepsAKeeper(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", 100)
		for range 500 {
			c.Alloc(100)
		}
		c.Reset()
		s := c.Stats()
		if s.Blocks > 1 || s.Held > 8<<10 || c.Held() != s.Held || !c.IsEmpty() {
			t.Errorf("after a reset: %+v", s)
		}
		c.Reset()
		if again := c.Stats(); again != s {
			t.Errorf("a second reset makes %+v of %+v", again, s)
		}
		ran := 0
		c.BeforeReset(func() { ran++ })
		c.Reset()
		c.Reset()
		if ran != 1 {
			t.Errorf("a callback of an unused context ran %d times", ran)
		}
	})
}

func TestPostgres08DeletionGoesUpwards(t *testing.T) {
	root := newRoot(t)
	var order []string
	say := func(c palloc.Context, words ...string) {
		for _, w := range words {
			c.BeforeReset(func() {
				order = append(order, w)
				if w == "throws" {
					panic(w)
				}
			})
		}
	}
	p := palloc.NewAllocSet(root, "P")
	c1, c2 := palloc.NewAllocSet(p, "C1"), palloc.NewAllocSet(p, "C2")
	gc := palloc.NewAllocSet(c1, "GC")
	say(p, "P.1", "throws", "P.2")
	say(c1, "C1.1", "C1.2")
	say(c2, "C2.1")
	say(gc, "GC.1")
	stop := c1.BeforeReset(func() { order = append(order, "stopped") })
	say(c1, "C1.3")
	if !stop() {
		t.Error("a callback in the middle could not be stopped")
	}
	func() {
		defer func() {
			if recover() != "throws" {
				t.Error("the callback's panic was lost")
			}
		}()
		p.Delete()
	}()
	if !p.Live() || c1.Live() || c2.Live() {
		t.Error("a callback panicked: its context must live, those below it must not")
	}
	p.Delete()
	if want := "C2.1 GC.1 C1.3 C1.2 C1.1 P.2 throws P.1"; strings.Join(order, " ") != want {
		t.Errorf("the callbacks ran as %q, want %q", strings.Join(order, " "), want)
	}
}

func TestPostgres09TheRootStaysAndTreesHaveNoCycles(t *testing.T) {
	root := newRoot(t)
	wantFault(t, palloc.Top().Delete, "Delete", "Top", "root")
	a, b := palloc.NewAllocSet(root, "a"), palloc.NewAllocSet(root, "b")
	below := palloc.NewAllocSet(a, "below")
	a.SetParent(b)
	if below.Path() != b.Path()+"/a/below" || a.Parent() != b {
		t.Errorf("the subtree is at %q", below.Path())
	}
	wantFault(t, func() { b.SetParent(b) }, "SetParent", b.Path(), "cycle")
	wantFault(t, func() { b.SetParent(below) }, "SetParent", below.Path(), "cycle")
}

// PostgreSQL caches up to 100 deleted contexts, and a stale pointer may become valid for
// another context. palloc reuses nodes, too, but a stale handle is always refused.
func TestPostgres10DeletedContextsComeBackAsOthers(t *testing.T) {
	root := newRoot(t)
	old := make([]palloc.Context, 300)
	for i := range old {
		old[i] = palloc.NewAllocSet(root, "c", palloc.BlockSizes(1<<10, 8<<10))
		old[i].Alloc(10)
	}
	for _, c := range old {
		c.Delete()
	}
	for range old {
		c := palloc.NewAllocSet(root, "c")
		if slices.Contains(old, c) {
			t.Fatal("a deleted context is live again")
		}
		for range 3000 {
			c.Alloc(100)
		}
		if s := c.Stats(); s.Blocks > 60 { // with blocks of 8 KiB there were more
			t.Fatalf("the block sizes of an earlier life: %+v", s)
		}
		c.Reset()
	}
	for _, c := range old {
		if c.Live() {
			t.Fatal("a handle of a deleted context fits")
		}
	}
}

func TestPostgres11Slab(t *testing.T) {
	root := newRoot(t)
	c := palloc.NewSlab(root, "c", 100, palloc.BlockSizes(4<<10, 4<<10))
	for _, size := range []int{99, 101, 0, 200} {
		wantFault(t, func() { c.Alloc(size) }, "Alloc", c.Path(), "100")
	}
	p := c.Alloc(100)
	if palloc.Realloc(p, 100) != p {
		t.Error("Realloc to the same size moved")
	}
	wantFault(t, func() { palloc.Realloc(p, 101) }, "Realloc", c.Path(), "100")
	tiny := palloc.NewSlab(root, "tiny", 4) // PostgreSQL uses chunks of 8 bytes for 4
	scribble(bytesAt(tiny.Alloc(4), 4), 1)
	large := palloc.NewSlab(root, "large", 20_000, palloc.BlockSizes(1<<10, 1<<10)) // PostgreSQL refuses
	scribble(bytesAt(large.Alloc(20_000), 20_000), 1)

	var chunks []unsafe.Pointer
	for range 2000 {
		chunks = append(chunks, c.Alloc(100))
	}
	held := c.Held()
	for i, p := range chunks {
		if i%40 != 0 {
			palloc.FreePointer(p)
		}
	}
	if c.Held() > held {
		t.Error("freeing made it hold more")
	}
	for range 1000 {
		c.Alloc(100)
	}
	if now := c.Held(); now > held {
		t.Errorf("1950 chunks were freed, 1000 allocated, and %d bytes are held instead of %d", now, held)
	}
	c.Reset()
	for i := range chunks {
		chunks[i] = c.Alloc(100)
	}
	for _, p := range chunks {
		palloc.FreePointer(p)
	}
	if s := c.Stats(); s.Blocks > 4 || s.Held > held/4 {
		t.Errorf("all chunks are freed, and %+v", s)
	}
}

func TestPostgres12Generation(t *testing.T) {
	c := palloc.NewGeneration(newRoot(t), "c", palloc.BlockSizes(8<<10, 8<<10))
	var queue []unsafe.Pointer
	for range 200 {
		queue = append(queue, c.Alloc(200))
	}
	held := c.Held()
	for range 20_000 {
		palloc.FreePointer(queue[0])
		queue = append(queue[1:], c.Alloc(200))
		if now := c.Held(); now > held+16<<10 {
			t.Fatalf("a queue of %d chunks held %d bytes, and now %d", len(queue), held, now)
		}
	}
	for _, p := range queue {
		palloc.FreePointer(p)
	}
	wantEmpty(t, c)
	if s := c.Stats(); s.Blocks > 1 {
		t.Errorf("all chunks are freed, and %+v", s)
	}
	for range 10_000 { // the current block is rewound
		palloc.FreePointer(c.Alloc(200))
	}
	if s := c.Stats(); s.Blocks > 1 {
		t.Errorf("one chunk at a time: %+v", s)
	}
	palloc.FreePointer(c.Alloc(1 << 20))
	small, huge := c.Alloc(10), c.Alloc(5000)
	palloc.FreePointer(huge)
	palloc.FreePointer(small)
	if s := c.Stats(); s.Held > 16<<10 || s.Blocks > 1 {
		t.Errorf("a large chunk came and went: %+v", s)
	}
	wantEmpty(t, c)
}

func TestPostgres13Bump(t *testing.T) {
	c := palloc.NewBump(newRoot(t), "c")
	c.Alloc(100)
	a, b := c.Alloc(24), c.Alloc(24)
	if uintptr(b)-uintptr(a) != 24 {
		t.Errorf("chunks of 24 bytes lie %d apart", uintptr(b)-uintptr(a))
	}
	if x, y := c.Alloc(0), c.Alloc(0); x == y || x == c.Alloc(8) {
		t.Error("chunks of no bytes share an address") // in PostgreSQL they share it with the next chunk
	}
	for op, f := range map[string]func(){
		"Free":    func() { palloc.FreePointer(a) },
		"Realloc": func() { palloc.Realloc(a, 10) },
	} {
		wantFault(t, f, op, c.Path(), "a Bump") // in PostgreSQL the behaviour is undefined
	}
}

func TestPostgres14AlignedChunks(t *testing.T) {
	root := newRoot(t)
	each(t, anySize, func(t *testing.T, k palloc.Kind) {
		c := newKind(root, k, "c", 0)
		for align := 8; align <= 4096; align *= 2 {
			p := c.AllocAligned(100, align)
			scribble(bytesAt(p, 100), align)
			if uintptr(p)%uintptr(align) != 0 {
				t.Fatalf("%p is not aligned to %d", p, align)
			}
			if k == palloc.KindBump {
				continue
			}
			if p = palloc.Realloc(p, 5000); uintptr(p)%uintptr(align) != 0 || !scribbled(bytesAt(p, 100), align) {
				t.Fatalf("Realloc of a chunk aligned to %d gives %p", align, p)
			}
			palloc.FreePointer(p)
		}
		if c.Delete(); k == palloc.KindAllocSet {
			c = palloc.NewAllocSet(root, "limited, aligned") // a name of its own: no keeper waits for it
			c.SetLimit(4 << 10)
			if p, err := c.TryAllocAligned(100, 4096); p != nil || err == nil {
				t.Errorf("TryAllocAligned below a limit: %p, %v", p, err)
			}
		}
	})
	slab := palloc.NewSlab(root, "slab", 100)
	wantFault(t, func() { slab.AllocAligned(100, 64) }, "AllocAligned", slab.Path(), "Slab")
}

// PostgreSQL's limit is a gigabyte without a flag; palloc's is half the address space.
func TestPostgres15Limits(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	for _, size := range []int{-1, math.MinInt, math.MaxInt} {
		wantFault(t, func() { c.Alloc(size) }, "Alloc", c.Path(), "is not a size")
		wantFault(t, func() { c.TryAlloc(size) }, "TryAlloc", c.Path(), "is not a size") // an invalid size is not a lack of memory
	}
	p := c.Alloc(10)
	wantFault(t, func() { palloc.Realloc(p, -1) }, "Realloc", c.Path(), "is not a size")
	wantFault(t, func() { palloc.MakeSlice[[1 << 20]byte](c, 0, math.MaxInt/2) }, "MakeSlice", c.Path(), "")
}

func TestPostgres16RunningOut(t *testing.T) {
	root := newRoot(t)
	each(t, anySize, func(t *testing.T, k palloc.Kind) {
		c := newKind(root, k, "c", 0)
		c.SetIdent("the seventh")
		p := c.Alloc(100)
		scribble(bytesAt(p, 100), 3)
		i := &injection{forGood: true}
		i.inject()
		defer i.end()
		oom := shortOf(t, func() { c.Alloc(100_000) })
		if oom == nil || oom.Size != 100_000 || oom.Context != c.Path() || !strings.Contains(oom.Error(), "the seventh") {
			t.Fatalf("running out: %v", oom)
		}
		if rows := oom.Tree.Rows; len(rows) == 0 || rows[0].Name != "Top" || !slices.ContainsFunc(rows, func(r palloc.Row) bool { return r.Name == "c" }) {
			t.Errorf("the error's tree is %+v", rows)
		}
		if k == palloc.KindBump {
			return
		}
		if q, err := palloc.TryRealloc(p, 100_000); q != nil || err == nil || !scribbled(bytesAt(p, 100), 3) {
			t.Errorf("TryRealloc: %p, %v", q, err)
		}
		palloc.FreePointer(p)
	})
}

func TestPostgres17InvalidPointers(t *testing.T) {
	c := palloc.NewAllocSet(newRoot(t), "c")
	p := c.Alloc(256)
	clear(bytesAt(p, 256))
	goBytes := make([]byte, 256)
	for name, q := range map[string]unsafe.Pointer{
		"zeroed memory": unsafe.Add(p, 64),
		"Go's heap":     unsafe.Pointer(&goBytes[64]),
		"a misaligned":  unsafe.Add(p, 3),
		"nil":           nil,
	} {
		for op, f := range map[string]func(){"Free": func() { palloc.FreePointer(q) }, "Realloc": func() { palloc.Realloc(q, 8) }} {
			if f := faultOf(t, f); f == nil || !strings.Contains(f.Op, op) {
				t.Errorf("%s of %s pointer: %v", op, name, f)
			}
		}
	}
	for i := range bytesAt(p, 256) {
		bytesAt(p, 256)[i] = 0x7f
	}
	if faultOf(t, func() { palloc.FreePointer(unsafe.Add(p, 64)) }) == nil {
		t.Error("memory that was wiped passes for a chunk")
	}
}

// PostgreSQL's checking builds store the requested size; every build of palloc detects the
// mistakes that can be detected without it.
func TestPostgres18MistakesAreNoticed(t *testing.T) {
	root := newRoot(t)
	c := palloc.NewAllocSet(root, "c")
	p, q := c.Alloc(64), c.Alloc(64)
	if err := root.Check(); err != nil {
		t.Fatalf("nothing is wrong, and Check says %v", err)
	}
	header := (*uint64)(unsafe.Add(q, -8))
	was := *header
	scribble(unsafe.Slice((*byte)(p), 72), 1) // beyond the end, into the next header
	if err := root.Check(); err == nil || !strings.Contains(err.Error(), c.Path()) {
		t.Errorf("a chunk was written beyond its end, and Check says %v", err)
	}
	*header = was
	if err := root.Check(); err != nil {
		t.Errorf("all is well again, and Check says %v", err)
	}
	palloc.FreePointer(p)
	wantFault(t, func() { palloc.FreePointer(p) }, "Free", c.Path(), "already free")
	wantFault(t, func() { palloc.Realloc(p, 10) }, "Realloc", c.Path(), "already free")
}

func TestPostgres19StatisticsArePrinted(t *testing.T) {
	mc := newFresh(t)
	a := palloc.NewAllocSet(mc, "dynahash")
	a.SetIdent("Table")
	b := palloc.NewBump(a, "b")
	b.SetIdent(strings.Repeat("é", 60) + "\n")
	for range 3 {
		palloc.NewBump(b, "leaf")
	}
	s := palloc.TakeSnapshot(mc)
	text := func(write func(io.Writer) error) string {
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const set, bump = "0 total in 0 blocks; 0 free (0 chunks); 0 used", "0 total in 0 blocks; 0 free; 0 used"
	clipped := strings.Repeat("é", 50) + "..."
	if got, want := text(func(w io.Writer) error { return s.WriteText(w, 2, 100) }),
		"test: "+set+"\n  Table: "+set+"\n    b: "+bump+": "+clipped+"\n      3 more child contexts containing "+set+
			"\nGrand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used\n"; got != want {
		t.Errorf("two levels below the top:\n%swant\n%s", got, want)
	}
	if got, want := text(func(w io.Writer) error { return s.WriteText(w, 100, 1) }),
		"test: "+set+"\n  Table: "+set+"\n    b: "+bump+": "+clipped+"\n      leaf: "+bump+"\n      2 more child contexts containing "+set+
			"\nGrand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used\n"; got != want {
		t.Errorf("one child of each:\n%swant\n%s", got, want)
	}
	for _, bounds := range [][2]int{{0, 0}, {0, 9}, {9, 0}} {
		sums := "test: " + set + "\n  5 more child contexts containing " + set + "\nGrand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used\n"
		if got := text(func(w io.Writer) error { return mc.WriteStatsDetail(w, bounds[0], bounds[1]) }); got != sums {
			t.Errorf("with bounds of %v:\n%swant\n%s", bounds, got, sums)
		}
	}
	if got := text(func(w io.Writer) error { return s.WriteText(w, math.MaxInt, math.MaxInt) }); strings.Count(got, "leaf: ") != 3 {
		t.Errorf("without bounds:\n%s", got)
	}
	if got, want := text(s.WriteLog),
		"level: 1; test: "+set+"\nlevel: 2; Table: "+set+"\nlevel: 3; b: "+bump+": "+clipped+"\n"+strings.Repeat("level: 4; leaf: "+bump+"\n", 3)+
			"Grand total: 0 bytes in 0 blocks; 0 free (0 chunks); 0 used\n"; got != want {
		t.Errorf("the log:\n%swant\n%s", got, want)
	}
}

func TestPostgres20RowsAreNumberedByLevel(t *testing.T) {
	mc := newRoot(t)
	a := palloc.NewAllocSet(mc, "a")
	palloc.NewAllocSet(a, "aa")
	b := palloc.NewSlab(mc, "b", 10)
	ba := palloc.NewGeneration(b, "ba")
	ba.Alloc(1000)
	ba.SetIdent(strings.Repeat("x", 5000))
	s := palloc.TakeSnapshot(mc)
	var got []string
	for i, r := range s.Rows {
		got = append(got, fmt.Sprint(r.Name, r.Kind, r.ID, r.Parent, r.Level, s.Path(i)))
		if r.Used != r.Held-r.Free {
			t.Errorf("%s: %+v", r.Name, r.Stats)
		}
	}
	want := []string{"testAllocSet1 0 1 [1]", "bSlab2 1 2 [1 2]", "baGeneration4 2 3 [1 2 4]", "aAllocSet3 1 2 [1 3]", "aaAllocSet5 3 3 [1 3 5]"}
	for i := range want {
		if i >= len(got) || strings.ReplaceAll(got[i], " ", "") != strings.ReplaceAll(want[i], " ", "") {
			t.Errorf("row %d is %q, want %q", i, got, want)
			break
		}
	}
	if s.Rows[2].Chunks != 1 || len(s.Rows[2].Ident) != 5000 { // in full: only the printed text cuts it
		t.Errorf("the row of the Generation: %+v", s.Rows[2])
	}
}

func TestPostgres21AccountsAddUp(t *testing.T) {
	mc := newRoot(t)
	a := palloc.NewAllocSet(mc, "a")
	b := palloc.NewGeneration(a, "b")
	a.Alloc(3000)
	chunks := []unsafe.Pointer{b.Alloc(50_000), b.Alloc(1000)}
	s := palloc.TakeSnapshot(mc)
	if total := s.Sum(); total.Held != mc.TreeHeld() || total != sum(mc.All()) || s.Rows[0].Held != mc.Held() {
		t.Errorf("the snapshot sums up to %+v, the tree holds %d", total, mc.TreeHeld())
	}
	mc.ResetPeak()
	peak := mc.Peak()
	palloc.FreePointer(chunks[0])
	if mc.Peak() != peak || mc.Budget().Held >= peak {
		t.Errorf("a free made a peak of %d %d, and %+v", peak, mc.Peak(), mc.Budget())
	}
	other := palloc.NewAllocSet(mc.Parent(), "other")
	defer other.Delete()
	held := other.Peak()
	if palloc.FreePointer(chunks[1]); other.Budget().Held != held {
		t.Error("a free was counted with another")
	}
}

func TestPostgres22DeepAndWide(t *testing.T) {
	deep, wide, large := 100_000, 10_000, 3000
	if cramped() {
		deep, wide, large = 5000, 1000, 200
	}
	mc := newRoot(t)
	at := mc
	for range deep {
		at = palloc.NewAllocSet(at, "deep")
	}
	at.Alloc(10)
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
	mc.ResetChildren()
	mc.DeleteChildren()
	siblings := make([]palloc.Context, wide)
	for i := range siblings {
		siblings[i] = palloc.NewAllocSet(mc, "wide")
	}
	for i := range siblings { // neither first nor last first
		siblings[(i*7919+13)%wide].Delete()
	}
	if count(mc) != 0 {
		t.Error("siblings are left")
	}
	chunks := make([]unsafe.Pointer, large)
	for i := range chunks {
		chunks[i] = mc.Alloc(9000)
	}
	for i := range chunks {
		palloc.FreePointer(chunks[(i*7919+13)%large])
	}
	if s := mc.Stats(); s.Blocks > 2 {
		t.Errorf("large chunks are left: %+v", s)
	}
}

// An asking is a writer that writes statistics itself while statistics are written to it.
type asking struct {
	mc    palloc.Context
	asked int
}

func (a *asking) Write(b []byte) (int, error) {
	if a.asked++; a.asked < 3 {
		return len(b), a.mc.WriteStats(a)
	}
	return len(b), nil
}

// PostgreSQL ignores a request during a request; palloc's requests are independent.
func TestPostgres23StatisticsWhileStatistics(t *testing.T) {
	mc := newRoot(t)
	palloc.NewAllocSet(mc, "c")
	a := &asking{mc: mc}
	if err := mc.WriteStats(a); err != nil || a.asked < 3 {
		t.Errorf("asked %d times: %v", a.asked, err)
	}
	failing := errors.New("full")
	if err := mc.WriteStats(writerFunc(func([]byte) (int, error) { return 0, failing })); !errors.Is(err, failing) {
		t.Errorf("the writer's error became %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

package palloc_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/asan"
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Checked contexts of correct programs: nothing is found, and what they take is bounded.

// footprintOfProcess returns the resident bytes of the process, and its address space.
func footprintOfProcess(t *testing.T) (rss, virtual int) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("this system does not tell what is resident: ", err)
	}
	f := strings.Fields(string(text))
	virtual, _ = strconv.Atoi(f[0])
	rss, _ = strconv.Atoi(f[1])
	return rss * os.Getpagesize(), virtual * os.Getpagesize()
}

// TestFreedLargeChunksOfManySizesTakeBoundedMemory: each chunk is freed before the next is allocated.
func TestFreedLargeChunksOfManySizesTakeBoundedMemory(t *testing.T) {
	if !osmem.Current().DiscardFrees() {
		t.Skip("Go's heap, where contexts are here, takes no memory back")
	}
	mc := palloc.NewAllocSet(palloc.Top(), "sizes", palloc.Checked())
	defer mc.Delete()
	before, virtual := footprintOfProcess(t)
	for i := range 300 {
		palloc.FreePointer(mc.Alloc(100<<10 + i*8192))
	}
	after, late := footprintOfProcess(t)
	t.Logf("resident %d MiB more, virtual %d MiB more", (after-before)>>20, (late-virtual)>>20)
	if after-before > 100<<20 {
		t.Errorf("%d MiB are resident after chunks of at most 3 MiB, one at a time", (after-before)>>20)
	}
}

// TestAHugeCheckedRequestTakesNoMemory until it is written to, or is refused. It does not end the process.
func TestAHugeCheckedRequestTakesNoMemory(t *testing.T) {
	if strconv.IntSize == 32 || !osmem.Current().Protects() {
		t.Skip("memory is committed when it is reserved here")
	}
	mc := palloc.NewAllocSet(palloc.Top(), "huge", palloc.Checked())
	defer mc.Delete()
	allocated := 0
	for range 3 {
		for shift := 30; shift < 62; shift++ {
			p, err := mc.TryAlloc(1 << shift)
			if err != nil {
				continue
			}
			allocated++
			*(*byte)(unsafe.Add(p, 1<<shift-1)) = 1
			palloc.FreePointer(palloc.Realloc(p, 1<<(shift-1)))
		}
	}
	if allocated < 3 {
		t.Errorf("%d requests were allocated", allocated)
	}
	if asan.Enabled {
		return // the sanitizer ends the program at the write
	}
	p := mc.Alloc(200 << 20)
	*(*byte)(unsafe.Add(p, -100)) = 1
	if f := faultOf(t, func() { palloc.FreePointer(p) }); f == nil || f.Mistake != palloc.Underflow {
		t.Errorf("a write before a huge chunk: %v", f)
	}
}

// TestARefusedTypeIsForgotten: the chunk after a refused one holds bytes, not values of its type.
func TestARefusedTypeIsForgotten(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "refused", palloc.Checked())
	defer mc.Delete()
	mc.Alloc(8)
	mc.SetLimit(mc.TreeHeld())
	for {
		if _, err := palloc.TryNew[row](mc); err != nil {
			break
		}
	}
	mc.SetLimit(palloc.NoLimit)
	p := (*[8]uintptr)(mc.Alloc(64))
	heap := new([4]int)
	for i := range p {
		p[i] = uintptr(unsafe.Pointer(heap))
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
	runtime.KeepAlive(heap)
}

// TestAChunkOfASharedContextIsMeasuredWhileOthersAllocate, with -race.
func TestAChunkOfASharedContextIsMeasuredWhileOthersAllocate(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "shared", palloc.Checked(), palloc.Shared())
	defer mc.Delete()
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			var s []int
			for range 2000 {
				p := mc.Alloc(rng.IntN(300))
				palloc.Footprint(p)
				palloc.ContextOf(p)
				p = palloc.ReallocZeroed(p, palloc.UsableSize(p), palloc.UsableSize(p)+rng.IntN(50))
				palloc.FreePointer(p)
				s = palloc.Append(mc, s, 1)
			}
			palloc.FreeSlice(s)
		})
	}
	all.Wait()
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

// TestCheckLooksAtPointersIntoASharedContext while other goroutines allocate there, with -race.
func TestCheckLooksAtPointersIntoASharedContext(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "dictionary", palloc.Checked(), palloc.Shared())
	defer mc.Delete()
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			own := palloc.NewAllocSet(mc, "own")
			defer own.Delete()
			for range 100 {
				r := palloc.New[row](own)
				r.name = palloc.CloneString(mc, strings.Repeat("x", 50))
				for range 20 {
					palloc.FreePointer(mc.Alloc(200))
				}
				if err := own.Check(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestTheNextChunkIsOfNoType: what is allocated after a typed value may have any bytes.
func TestTheNextChunkIsOfNoType(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "types", palloc.Checked("checked", "-stacks"))
	defer mc.Delete()
	for range 3 {
		palloc.New[row](mc).name = palloc.CloneString(mc, "a name")
		raw := (*uintptr)(mc.Alloc(int(unsafe.Sizeof(row{}))))
		for i := range unsafe.Sizeof(row{}) / unsafe.Sizeof(*raw) {
			*(*uintptr)(unsafe.Add(unsafe.Pointer(raw), i*unsafe.Sizeof(*raw))) = uintptr(unsafe.Pointer(t)) // a number here
		}
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

// TestSampleAloneChecks: Checked("sample=N") guards chunks.
func TestSampleAloneChecks(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "sampled", palloc.Checked("sample=1"))
	defer mc.Delete()
	if !mc.IsChecked() {
		t.Error(`Checked("sample=1") makes an ordinary context`)
	}
}

// TestWhatUsableSizeSaysMayBeWritten, for a chunk of no bytes, too.
func TestWhatUsableSizeSaysMayBeWritten(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "usable", palloc.Checked())
	defer mc.Delete()
	for size := range 100 {
		p := mc.Alloc(size)
		clear(unsafe.Slice((*byte)(p), palloc.UsableSize(p)))
		palloc.FreePointer(p)
	}
}

// TestEveryWordOfChecksServesEveryRequest: chunks of all sizes and alignments, freed and allocated again, with the
// checks that say where a chunk is placed.
func TestEveryWordOfChecksServesEveryRequest(t *testing.T) {
	for _, checks := range [][]string{{"checked"}, {"checked", "-stacks"}, {"checked", "sample=3"}, {"checked", "-owner"},
		{"redzone", "poison"}, {"checked", "-quarantine"}, {"guard"}, {"owner"}} {
		t.Run(strings.Join(checks, ","), func(t *testing.T) {
			option := palloc.Checked(checks...)
			serveEveryRequest(t, palloc.NewAllocSet(palloc.Top(), "an AllocSet", option))
			serveEveryRequest(t, palloc.NewAllocSet(palloc.Top(), "a Shared one", option, palloc.Shared()))
			serveEveryRequest(t, palloc.NewGeneration(palloc.Top(), "a Generation", option))
			serveEveryRequest(t, palloc.NewBump(palloc.Top(), "a Bump", option))
		})
	}
}

func serveEveryRequest(t *testing.T, mc palloc.Context) {
	defer mc.Delete()
	r := rand.New(rand.NewPCG(1, 2))
	var live [32][]byte
	steps := 3000
	if testing.Short() {
		steps = 500
	}
	for step := range steps {
		at := &live[r.IntN(len(live))]
		if *at != nil && !scribbled(*at, len(*at)) {
			t.Fatalf("%s: a chunk of %d bytes has lost its content at step %d", mc.Name(), len(*at), step)
		}
		if *at != nil && mc.Kind() != palloc.KindBump {
			palloc.FreePointer(unsafe.Pointer(unsafe.SliceData(*at)))
		}
		size, align := 1+r.IntN(8<<r.IntN(10)), 8<<r.IntN(7)
		if r.IntN(2) == 0 {
			align = 8
		}
		p := mc.AllocAligned(size, align)
		if uintptr(p)%uintptr(align) != 0 {
			t.Fatalf("%s: a chunk of %d bytes aligned to %d is at %p", mc.Name(), size, align, p)
		}
		*at = bytesAt(p, size)
		scribble(*at, size)
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

// TestABlockWandersBetweenContexts of several goroutines, with -race: what the first one remembers of it does
// not meet what the second one does.
func TestABlockWandersBetweenContexts(t *testing.T) {
	var all sync.WaitGroup
	for g := range 3 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			mc := palloc.NewAllocSet(palloc.Top(), "own", palloc.Checked("-stacks"), palloc.BlockSizes(8<<10, 64<<10))
			defer mc.Delete()
			var live []unsafe.Pointer
			for range 20 {
				for range 600 {
					live = append(live, mc.Alloc(rng.IntN(200)))
				}
				rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
				for _, p := range live[20:] {
					palloc.FreePointer(p)
				}
				live = live[:20]
			}
		})
	}
	all.Wait()
}

// TestSlotsLeaveWithTheirBlock: those of aligned chunks are not allocated again, and are not counted.
func TestSlotsLeaveWithTheirBlock(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "aligned", palloc.Checked("-stacks"), palloc.BlockSizes(64<<10, 64<<10))
	defer mc.Delete()
	for range 10_000 {
		palloc.FreePointer(mc.AllocAligned(100, 64))
	}
	for _, when := range []string{"freed", "compacted"} {
		freed := int64(0)
		for _, b := range mc.Layout().Blocks {
			for _, p := range b.Parts {
				if p.Use == palloc.PartFreed {
					freed++
				}
			}
		}
		if s := mc.Stats(); s.FreeChunks > freed {
			t.Errorf("%s: FreeChunks is %d, and the blocks have %d", when, s.FreeChunks, freed)
		}
		mc.Compact()
	}
}

// TestAnySampleIsServed: the largest number guards no chunk that a process comes to.
func TestAnySampleIsServed(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "sample", palloc.Checked("sample=9223372036854775807"))
	defer mc.Delete()
	for range 100 {
		palloc.FreePointer(mc.Alloc(40))
	}
}

// TestAPanicInsideLetsOthersIn: no lock stays behind.
func TestAPanicInsideLetsOthersIn(t *testing.T) {
	for _, opts := range [][]palloc.Option{{palloc.Checked()}, {palloc.Checked(), palloc.Shared()}} {
		mc := palloc.NewAllocSet(palloc.Top(), "panic", opts...)
		func() {
			defer func() { recover() }()
			block.AcquireHook = func(uintptr) error { panic("inside") }
			defer func() { block.AcquireHook = nil }()
			mc.Alloc(40)
		}()
		palloc.FreePointer(mc.Alloc(40))
		mc.Delete()
	}
}

// TestALargeFirstBlockTakesFewRecords until it has chunks.
func TestALargeFirstBlockTakesFewRecords(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "large", palloc.Checked(), palloc.BlockSizes(64<<20, 64<<20))
	defer mc.Delete()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	mc.Alloc(40)
	runtime.ReadMemStats(&after)
	if !osmem.Current().Protects() {
		t.Skip("blocks are on Go's heap here")
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("the first chunk takes %d bytes of Go's heap", grown)
	}
}

// TestResetsTakeBoundedMemoryOfGosHeap for the records of what waits.
func TestResetsTakeBoundedMemoryOfGosHeap(t *testing.T) {
	if testing.Short() || !osmem.Current().Protects() {
		t.Skip("it takes some seconds where memory is not protected, and nothing waits for long")
	}
	mc := palloc.NewAllocSet(palloc.Top(), "reset", palloc.Checked("-stacks"))
	defer mc.Delete()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 1000 {
		for range 9000 {
			mc.Alloc(0)
		}
		mc.Reset()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc - before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d MiB of Go's heap are kept for chunks that were reset", grown>>20)
	}
}

// TestZeroedMemoryOfACheckedContextEndsAtItsSize: it is cleared by words, and what is behind it is verified.
func TestZeroedMemoryOfACheckedContextEndsAtItsSize(t *testing.T) {
	mc := palloc.NewAllocSet(newRoot(t), "zeroed", palloc.Checked())
	for size := range 300 {
		p := mc.AllocZeroed(size)
		for i, v := range bytesAt(p, size) {
			if v != 0 {
				t.Fatalf("byte %d of %d is %#x", i, size, v)
			}
		}
		if f := faultOf(t, func() { palloc.FreePointer(p) }); f != nil {
			t.Fatalf("%d bytes: %v", size, f)
		}
	}
}

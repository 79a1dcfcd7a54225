package palloc_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Shared contexts: many goroutines allocate, free each other's chunks and read statistics at
// once.

func newShared(t testing.TB, opts ...palloc.Option) palloc.Context {
	return palloc.NewAllocSet(newRoot(t), "shared", append(opts, palloc.Shared())...)
}

// A parcel is a chunk on its way from one goroutine to another.
type parcel struct {
	p    unsafe.Pointer
	size int
	seed int
}

func TestGoroutinesFreeEachOthersChunks(t *testing.T) {
	mc := newShared(t)
	const goroutines = 16
	rounds := sized(4000, 600)
	parcels := make(chan parcel, 256)
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			for i := range rounds {
				size := 1 + rng.IntN(600)
				if i%100 == 0 {
					size = 20_000
				}
				n := parcel{mc.Alloc(size), size, g*rounds + i}
				scribble(bytesAt(n.p, size), n.seed)
				if i%7 == 0 {
					if n.p = palloc.Realloc(n.p, 2*size); !scribbled(bytesAt(n.p, size), n.seed) {
						t.Error("Realloc lost the content")
					}
				}
				if i%50 == 0 {
					if s := mc.Stats(); s.Used < 0 || mc.TreeHeld() <= 0 {
						t.Errorf("the accounts are %+v", s)
					}
				}
				parcels <- n
				got := <-parcels
				if !scribbled(bytesAt(got.p, got.size), got.seed) {
					t.Error("a chunk came with another's content")
				}
				palloc.FreePointer(got.p)
			}
		})
	}
	group.Wait()
	for len(parcels) > 0 {
		palloc.FreePointer((<-parcels).p)
	}
	wantEmpty(t, mc)
	mc.Reset()
	if s := mc.Stats(); s.Used > 64*16 || s.Held != mc.Held() {
		t.Errorf("after a reset: %+v", s)
	}
}

func TestASharedContextIsAnAllocSet(t *testing.T) {
	mc := newShared(t)
	if mc.Kind() != palloc.KindAllocSet || !mc.IsShared() || mc.Parent().IsShared() {
		t.Errorf("a shared context is of kind %v, IsShared says %v", mc.Kind(), mc.IsShared())
	}
	var chunks []unsafe.Pointer
	for i, size := range edges {
		p, q, r := mc.Alloc(size), mc.AllocAligned(size, 64), mc.AllocZeroed(size)
		if uintptr(q)%64 != 0 {
			t.Errorf("%d bytes aligned to 64 lie at %p", size, q)
		}
		for _, p := range []unsafe.Pointer{p, q, r} {
			scribble(bytesAt(p, size), i)
		}
		chunks = append(chunks, p, q, r)
	}
	for i, p := range chunks {
		if size := edges[i/3]; !scribbled(bytesAt(p, size), i/3) {
			t.Errorf("a chunk of %d bytes lost its content", size)
		}
		if p = palloc.Realloc(p, edges[i/3]+100); i%3 == 1 && uintptr(p)%64 != 0 {
			t.Errorf("Realloc took the alignment away: %p", p)
		}
		palloc.FreePointer(p)
		if f := faultOf(t, func() { palloc.FreePointer(p) }); f == nil || !saysOneOf(f.Reason, "already free|no context holds this memory") {
			t.Errorf("%d bytes freed twice: %v", edges[i/3], f)
		}
	}
	wantEmpty(t, mc)

	n := palloc.New[[5]int64](mc)
	s := counted(t, mc, 10_000)
	palloc.FreeSlice(s)
	palloc.Free(n)
	palloc.FreeString(palloc.CloneString(mc, "a string"))
	wantEmpty(t, mc)
}

func TestTheChunksOfADeletedSharedContextAreGone(t *testing.T) {
	root := newRoot(t)
	for range 50 {
		mc := palloc.NewAllocSet(root, "shared", palloc.Shared())
		p, q := mc.Alloc(100), mc.Alloc(50_000)
		child := palloc.NewAllocSet(mc, "child")
		child.Alloc(10)
		mc.Delete()
		for _, p := range []unsafe.Pointer{p, q} {
			if faultOf(t, func() { palloc.FreePointer(p) }) == nil {
				t.Error("a chunk outlived its context")
			}
		}
		if mc.Live() || child.Live() {
			t.Error("the contexts live on")
		}
	}
	if held := root.TreeHeld(); held != root.Held() {
		t.Errorf("the root holds %d bytes, with what is below %d", root.Held(), held)
	}
}

func TestOnlyAnAllocSetCanBeShared(t *testing.T) {
	root := newRoot(t)
	for name, create := range map[string]func(){
		"NewSlab":       func() { palloc.NewSlab(root, "x", 10, palloc.Shared()) },
		"NewGeneration": func() { palloc.NewGeneration(root, "x", palloc.Shared()) },
		"NewBump":       func() { palloc.NewBump(root, "x", palloc.Shared()) },
	} {
		wantFault(t, create, name, "", "only an AllocSet")
	}
	if count(root) != 0 {
		t.Error("a context was created nevertheless")
	}
}

func TestASharedContextKeepsItsLimit(t *testing.T) {
	mc := newShared(t)
	const limit = 24 << 10 // less than one goroutine requests
	mc.SetLimit(limit)
	var group sync.WaitGroup
	var refused [8]int
	for g := range 8 {
		group.Go(func() {
			var chunks []unsafe.Pointer
			for i := range 3000 {
				p, err := mc.TryAlloc(10 + (g*i)%300)
				if err != nil {
					refused[g]++
				} else {
					chunks = append(chunks, p)
				}
				if len(chunks) > 200 || err != nil && len(chunks) > 0 {
					palloc.FreePointer(chunks[0])
					chunks = chunks[1:]
				}
			}
			for _, p := range chunks {
				palloc.FreePointer(p)
			}
		})
	}
	group.Wait()
	if b := mc.Budget(); b.Peak > limit || b.Held != holds(mc) || b.Peak < limit/2 || refused == [8]int{} {
		t.Errorf("%+v, and a walk finds %d; refusals %v", b, holds(mc), refused)
	}
	wantEmpty(t, mc)
}

func TestAlignedChunksGrowInManyGoroutines(t *testing.T) {
	mc := newShared(t)
	rounds := sized(3000, 300)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range rounds {
				size := 1 + (g+i*17)%300
				p, q := mc.AllocAligned(size, 64), mc.Alloc(size)
				scribble(bytesAt(p, size), i)
				if p = palloc.Realloc(p, size+200); !scribbled(bytesAt(p, size), i) || uintptr(p)%64 != 0 {
					t.Error("Realloc lost the content, or the alignment")
				}
				palloc.FreePointer(q)
				palloc.FreePointer(p)
			}
		})
	}
	group.Wait()
	wantEmpty(t, mc)
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

// TestOfTwoWhoTakeAChunkOneIsRefused has two goroutines free or resize the same chunk: one
// succeeds and the other is refused.
func TestOfTwoWhoTakeAChunkOneIsRefused(t *testing.T) {
	if raced {
		t.Skip("such a program has a data race")
	}
	mc := newShared(t)
	free := func(p unsafe.Pointer) { palloc.FreePointer(p) }
	grow := func(p unsafe.Pointer) { palloc.FreePointer(palloc.Realloc(p, 700)) }
	for i := range 4000 {
		p := mc.Alloc(100)
		mc.Alloc(1) // so that p cannot grow in place
		var faults [2]*palloc.Fault
		var group sync.WaitGroup
		for g, take := range [][2]func(unsafe.Pointer){{free, grow}, {grow, grow}}[i%2] {
			group.Go(func() { faults[g] = faultOf(t, func() { take(p) }) })
		}
		group.Wait()
		if (faults[0] == nil) == (faults[1] == nil) {
			t.Fatalf("the two get %v and %v", faults[0], faults[1])
		}
	}
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

// TestASoftLimitRefusesNoRequest has many goroutines acquire blocks at once: none takes the
// memory that another was granted.
func TestASoftLimitRefusesNoRequest(t *testing.T) {
	mc := newShared(t)
	mc.SetSoftLimit(1)
	mc.OnPressure(func(palloc.Pressure) error { runtime.Gosched(); return nil })
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 500 {
				p, err := mc.TryAlloc(20_000)
				if err != nil {
					t.Error(err)
					return
				}
				palloc.FreePointer(p)
			}
		})
	}
	group.Wait()
}

// BenchmarkShared allocates and frees a pair of chunks. With -cpu 1,2 it shows how that
// scales.
func BenchmarkShared(b *testing.B) {
	b.Run("pair", func(b *testing.B) {
		mc := newShared(b)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				p := mc.Alloc(64)
				*(*uint64)(p) = 1
				palloc.FreePointer(p)
			}
		})
	})
	b.Run("hundred", func(b *testing.B) {
		mc := newShared(b)
		b.RunParallel(func(pb *testing.PB) {
			var chunks [100]unsafe.Pointer
			for i := 0; pb.Next(); i++ {
				at := &chunks[i*37%100]
				if *at != nil {
					palloc.FreePointer(*at)
				}
				*at = mc.Alloc(16 + i*29%500)
			}
		})
	})
}

// TestANodeThatWasAShardAllocatesAsAnyOther creates contexts after a shared one, which get
// the nodes of its shards.
func TestANodeThatWasAShardAllocatesAsAnyOther(t *testing.T) {
	mc := newRoot(t)
	shared := palloc.NewAllocSet(mc, "shared", palloc.Shared())
	palloc.FreePointer(shared.Alloc(100))
	shared.Delete()
	for range 100 {
		c := palloc.NewAllocSet(mc, "c") // none is deleted before the end: each has another node
		p := c.AllocAligned(100, 64)
		if palloc.ContextOf(p) != c {
			t.Error("a chunk is another context's")
		}
		palloc.FreePointer(p)
		palloc.FreePointer(c.Alloc(100))
	}
}

func TestASharedContextLeavesNothingForTheCollector(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates where the program does not")
	}
	mc := newShared(t)
	if n := testing.AllocsPerRun(1000, func() {
		p := palloc.Realloc(mc.Alloc(64), 300)
		palloc.FreePointer(p)
		palloc.Free(palloc.New[[100]int64](mc))
	}); n != 0 {
		t.Errorf("%v objects on Go's heap", n)
	}
}

// TestANodeThatWasAShardGetsItsOldNameBack checks that the name is written into such a node
// again, which is skipped where a node still has it.
func TestANodeThatWasAShardGetsItsOldNameBack(t *testing.T) {
	mc := newRoot(t)
	for range 2 {
		for range 50 {
			palloc.NewAllocSet(mc, "named")
		}
		if err := mc.Check(); err != nil {
			t.Fatal(err)
		}
		mc.DeleteChildren()
		palloc.NewAllocSet(mc, "shared", palloc.Shared()).Delete()
	}
}

package backend_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The back ends: the true allocators keep every promise over every recording,
// the floor keeps none, and palloc ends up with the tree that was recorded.

func TestAllocatorsKeepTheirPromises(t *testing.T) {
	names, err := filepath.Glob("../../../shared/traces/*.mctrace.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("no recordings beside the repository, in ../shared/traces")
	}
	for _, name := range names {
		if info, err := os.Stat(name); testing.Short() && err == nil && info.Size() > 150_000 {
			continue
		}
		tr, err := trace.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for title, b := range map[string]trace.Backend{
			"palloc":                    new(backend.Palloc),
			"palloc, trace's own sizes": &backend.Palloc{TraceBlockSizes: true},
			"goheap":                    new(backend.GoHeap),
		} {
			t.Run(filepath.Base(name)+"/"+title, func(t *testing.T) {
				if err := trace.Verify(tr, b); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// family records a small tree of every kind that a trace has, with a chunk in
// each context.
func family(t *testing.T) *trace.Trace {
	t.Helper()
	r := trace.NewRecorder()
	parent := trace.None
	for _, c := range []trace.Context{
		{Kind: trace.AllocSet, Name: "Top", InitSize: 8192, MaxSize: 8 << 20},
		{Kind: trace.Generation, Name: "Tuples", InitSize: 8192, MaxSize: 8192},
		{Kind: trace.Slab, Name: "Nodes", BlockSize: 8192, ChunkSize: 40},
		{Kind: trace.Bump, Name: "Sort", InitSize: 8192, MaxSize: 8192},
	} {
		mc, err := r.Create(parent, c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Alloc(mc, 40, trace.Zero); err != nil {
			t.Fatal(err)
		}
		parent = mc
	}
	if err := r.SetIdent(parent, "portal 17"); err != nil {
		t.Fatal(err)
	}
	return r.Trace()
}

func TestPallocBuildsTheRecordedTree(t *testing.T) {
	tr := family(t)
	b := new(backend.Palloc)
	b.Begin(tr)
	b.Play(tr.Ops())
	var text strings.Builder
	if err := b.Root().WriteStats(&text); err != nil {
		t.Fatal(err)
	}
	b.End()
	lines := strings.Split(text.String(), "\n")
	for i, want := range []string{"replay: ", "  Top: ", "    Tuples: ", "      Nodes: ", "        Sort: "} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("line %d does not start with %q:\n%s", i, want, text.String())
		}
	}
	if !strings.HasSuffix(lines[4], ": portal 17") {
		t.Errorf("the ident is not in %q", lines[4])
	}
}

func TestPallocGivesEverythingBack(t *testing.T) {
	before := palloc.Top().TreeHeld()
	tr := family(t)
	b := new(backend.Palloc)
	b.Begin(tr)
	b.Play(tr.Ops())
	during := palloc.Top().TreeHeld()
	b.End()
	if after := palloc.Top().TreeHeld(); during <= before || after != before {
		t.Errorf("palloc holds %d bytes before a pass, %d during and %d after; want it to grow and go back", before, during, after)
	}
}

// spoiler writes before the first chunk at an ident, where no recorded program would
// notice.
type spoiler struct{ backend.Palloc }

func (b *spoiler) Play(ops []trace.Op) {
	b.Palloc.Play(ops)
	if ops[0].Code() == trace.OpSetIdent {
		b.spoil()
	}
}

func (b *spoiler) spoil() { *(*byte)(unsafe.Add(b.Chunk(0), -1)) ^= 0x10 }

func TestAReplayNoticesWhatPallocDoes(t *testing.T) {
	var bad *palloc.CorruptionError
	b := new(spoiler)
	err := trace.Verify(family(t), b)
	first := b.Chunk(0)
	b.spoil() // writes it back
	b.End()
	if !errors.As(err, &bad) || bad.Context != "Top/replay/Top" || bad.Address != uintptr(first) {
		t.Errorf("the error is %v, want the first chunk of Top", err)
	}
}

func TestFloorIsNoAllocator(t *testing.T) {
	var bad *trace.VerifyError
	err := trace.Verify(family(t), new(backend.Floor))
	if !errors.As(err, &bad) || !strings.Contains(bad.Problem, "overlaps") {
		t.Errorf("the error is %v, want an overlap", err)
	}
}

// both records a chunk of 5 zeroed bytes that is resized to 4.
func both(t *testing.T) *trace.Trace {
	t.Helper()
	r := trace.NewRecorder()
	mc, err := r.Create(trace.None, trace.Context{Name: "Top"})
	if err != nil {
		t.Fatal(err)
	}
	id, err := r.Alloc(mc, 5, trace.Zero)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Realloc(id, 4, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Alloc(mc, 0, trace.Zero); err != nil {
		t.Fatal(err)
	}
	return r.Trace()
}

func TestAReplayWritesToBothEnds(t *testing.T) {
	tr := both(t)
	for _, b := range []trace.Backend{new(backend.Palloc), new(backend.GoHeap), new(backend.Floor)} {
		b.Begin(tr)
		b.Play(tr.Ops()[:2])
		if got := unsafe.Slice((*byte)(b.Chunk(0)), 5); string(got) != "\x01\x00\x00\x00\x01" {
			t.Errorf("%T: an allocation leaves % x", b, got)
		}
		b.Play(tr.Ops()[2:])
		if got := unsafe.Slice((*byte)(b.Chunk(0)), 4); string(got) != "\x01\x00\x00\x01" {
			t.Errorf("%T: a resize leaves % x", b, got)
		}
		b.End()
	}
}

func TestAReplayMakesNoGarbage(t *testing.T) {
	tr := both(t)
	for _, b := range []trace.Backend{new(backend.Palloc), new(backend.Floor)} {
		backend.Pass(tr, b)
		if n := testing.AllocsPerRun(10, func() { backend.Pass(tr, b) }); n != 0 {
			t.Errorf("%T: a pass allocates %v times, want none", b, n)
		}
	}
}

func TestGoHeapKeepsWhatLives(t *testing.T) {
	r := trace.NewRecorder()
	mc, _ := r.Create(trace.None, trace.Context{})
	r.Alloc(mc, 64, 0)
	r.Release(trace.OpReset, mc, 0)
	tr, b := r.Trace(), new(backend.GoHeap)
	b.Begin(tr)
	b.Play(tr.Ops()[:2])
	chunk := weak.Make((*[64]byte)(b.Chunk(0)))
	runtime.GC()
	if chunk.Value() == nil {
		t.Error("a live chunk was collected")
	}
	b.Play(tr.Ops()[2:])
	runtime.GC()
	if chunk.Value() != nil {
		t.Error("a reset keeps its chunk")
	}
	runtime.KeepAlive(b)
}

func TestTimingCountsPasses(t *testing.T) {
	tr, err := backend.OffHeap(both(t))
	if err != nil {
		t.Fatal(err)
	}
	b := new(backend.Palloc)
	if err := backend.Prepare(tr, b); err != nil {
		t.Fatal(err)
	}
	if cold := backend.Pass(tr, b); cold <= 0 {
		t.Errorf("a pass took %v", cold)
	}
	if median, passes := backend.Warm(tr, b, 4, 0); passes != 4 || median <= 0 {
		t.Errorf("%d passes of %v, want 4", passes, median)
	}
}

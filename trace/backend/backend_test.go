package backend_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/backend"
)

// The back ends: the true allocators keep every promise over every recording,
// the floor keeps none, and palloc ends up with the tree that was recorded.

// verify replays tr with every check.
func verify(t *testing.T, tr *trace.Trace, b trace.Backend) error {
	t.Helper()
	r, err := trace.NewReplay(tr, b)
	if err != nil {
		t.Fatal(err)
	}
	return r.Verify()
}

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
				if err := verify(t, tr, b); err != nil {
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
	r, err := trace.NewReplay(tr, b)
	if err != nil {
		t.Fatal(err)
	}
	r.Begin()
	r.Play(tr.Ops())
	var text strings.Builder
	if err := b.Root().WriteStats(&text); err != nil {
		t.Fatal(err)
	}
	r.End()
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
	before := palloc.Top().MemAllocated(true)
	tr := family(t)
	r, err := trace.NewReplay(tr, new(backend.Palloc))
	if err != nil {
		t.Fatal(err)
	}
	r.Begin()
	r.Play(tr.Ops())
	during := palloc.Top().MemAllocated(true)
	r.End()
	if after := palloc.Top().MemAllocated(true); during <= before || after != before {
		t.Errorf("palloc holds %d bytes before a pass, %d during and %d after; want it to grow and go back", before, during, after)
	}
}

// spoiler writes before the first chunk, where no recorded program would notice.
type spoiler struct {
	backend.Palloc
	first unsafe.Pointer
}

func (b *spoiler) Alloc(mc uint32, size int, zero bool) unsafe.Pointer {
	p := b.Palloc.Alloc(mc, size, zero)
	if b.first == nil {
		b.first = p
	}
	return p
}

func (b *spoiler) SetIdent(uint32, string) { *(*byte)(unsafe.Add(b.first, -1)) ^= 0x10 }

func TestAReplayNoticesWhatPallocDoes(t *testing.T) {
	var bad *palloc.CorruptionError
	b := new(spoiler)
	err := verify(t, family(t), b)
	b.SetIdent(0, "") // writes it back
	b.End()
	if !errors.As(err, &bad) || bad.Context != "Top/replay/Top" || bad.Address != uintptr(b.first) {
		t.Errorf("the error is %v, want the first chunk of Top", err)
	}
}

func TestFloorIsNoAllocator(t *testing.T) {
	var bad *trace.VerifyError
	err := verify(t, family(t), new(backend.Floor))
	if !errors.As(err, &bad) || !strings.Contains(bad.Problem, "overlaps") {
		t.Errorf("the error is %v, want an overlap", err)
	}
}

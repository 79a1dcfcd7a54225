package flat_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopalloc/palloc/bench/flat"
	"github.com/gopalloc/palloc/trace"
)

const recording = "../../cmd/palloc/recording/pgbench_tpcb.mctrace.gz"

// both are a recording and its flat trace.
func both(t *testing.T) (*trace.Trace, *flat.Trace) {
	t.Helper()
	r, err := trace.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := flat.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return r, load(t, b.Bytes())
}

func load(t *testing.T, content []byte) *flat.Trace {
	t.Helper()
	f, err := flat.Load(file(t, content))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func file(t *testing.T, content []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.flat")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestCountsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	type counts struct{ slots, replayed, largest, contexts, ops int }
	got := counts{f.Slots(), f.Replayed(), f.Largest(), len(f.Contexts()), len(f.Ops())}
	c := r.Counts()
	want := counts{c.MaxLive, r.Replayed(), int(r.Largest()), c.Contexts,
		c.Ops - r.Count(trace.OpSpace) - r.Count(trace.OpMemAllocated)}
	if got != want {
		t.Errorf("%+v, the recording has %+v", got, want)
	}
}

func TestContextsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	named := 0
	for _, o := range f.Ops() {
		if o.Code != flat.Create {
			continue
		}
		named++
		got, want := f.Contexts()[o.Context], r.Context(o.Context)
		sizes := [3]uint64{uint64(want.MinSize), uint64(want.InitSize), uint64(want.MaxSize)}
		if want.Kind == trace.Slab {
			sizes = [3]uint64{uint64(want.BlockSize), uint64(want.ChunkSize)}
		}
		if got.Kind != uint64(want.Kind) || got.Sizes != sizes || f.Text(got.Name, o.Size) != want.Name {
			t.Fatalf("context %d is %+v, named %q; recorded %+v", o.Context, got, f.Text(got.Name, o.Size), want)
		}
	}
	if named != len(f.Contexts()) {
		t.Errorf("%d contexts are created, %d described", named, len(f.Contexts()))
	}
}

// seen is all that an op says, from either side.
type seen struct {
	code    flat.Code
	mc, arg uint32
	size    int64
	old     int64
	cleared bool
	text    string
}

func TestOpsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	ops := f.Ops()
	for _, o := range r.Ops() {
		if o.Code() == trace.OpSpace || o.Code() == trace.OpMemAllocated {
			continue
		}
		if got, want := ofFlat(f, ops[0]), ofRecording(r, o); got != want {
			t.Fatalf("op %d is %+v, recorded %+v", len(f.Ops())-len(ops), got, want)
		}
		ops = ops[1:]
	}
	if len(ops) != 0 {
		t.Errorf("%d ops too many", len(ops))
	}
}

func ofRecording(r *trace.Trace, o trace.Op) seen {
	s := seen{code: flat.Code(o.Code()), mc: o.Context(), size: o.Size()}
	switch o.Code() {
	case trace.OpAlloc:
		s.arg, s.cleared = o.Slot(), o.Flags()&trace.Zero != 0
	case trace.OpFree:
		s.arg = o.Slot()
	case trace.OpRealloc:
		s.arg = o.Slot()
		s.mc, s.old = r.Resize(o)
	case trace.OpCreate, trace.OpSetParent:
		s.arg = o.Parent()
	case trace.OpSetIdent:
		s.text = r.Ident(o)
	}
	return s
}

func ofFlat(f *flat.Trace, o flat.Op) seen {
	s := seen{code: o.Code, mc: o.Context, arg: o.Arg, size: int64(o.Size), old: int64(o.Old), cleared: o.Flags == flat.Cleared}
	switch {
	case o.Code == flat.SetIdent && o.Arg != flat.None:
		s.text = f.Text(uint64(o.Arg), o.Size)
		s.arg, s.size = 0, 0
	case o.Code == flat.SetIdent:
		s.arg = 0
	case o.Code == flat.Create:
		s.size = 0
	}
	return s
}

func TestDeathsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	compareDeaths(t, r, f)
}

// A tree whose contexts move, and chunks that outlive a reset of their parent.
func TestDeathsFollowMovesAndResets(t *testing.T) {
	rec := trace.NewRecorder()
	must := func(n uint32, err error) uint32 {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
		return n
	}
	create := func(parent uint32) uint32 { return must(rec.Create(parent, trace.Context{Name: "x"})) }
	alloc := func(mc uint32) uint32 { return must(rec.Alloc(mc, 8, 0)) }
	release := func(how trace.Code, mc uint32) { must(0, rec.Release(how, mc, 0)) }
	top := create(trace.None)
	a, b := create(top), create(top)
	below := create(a)
	for _, mc := range []uint32{top, a, b, below, below} {
		alloc(mc)
	}
	must(0, rec.Free(alloc(below)))
	must(0, rec.SetParent(below, b))
	must(0, rec.SetParent(below, a))
	must(0, rec.SetParent(below, b))
	release(trace.OpReset, a)
	release(trace.OpResetChildren, b)
	alloc(below)
	release(trace.OpResetOnly, b)
	release(trace.OpDeleteChildren, top)
	release(trace.OpDelete, top)
	var buffer bytes.Buffer
	must(0, flat.Write(&buffer, rec.Trace()))
	compareDeaths(t, rec.Trace(), load(t, buffer.Bytes()))
}

func compareDeaths(t *testing.T, r *trace.Trace, f *flat.Trace) {
	t.Helper()
	d, err := f.Deaths()
	if err != nil {
		t.Fatal(err)
	}
	release := 0
	for _, o := range r.Ops() {
		if !o.Code().Releases() {
			continue
		}
		got, want := slices.Sorted(slices.Values(d.Of(release))), slices.Sorted(slices.Values(r.Deaths(o).Slots))
		if !slices.Equal(got, want) {
			t.Fatalf("release %d (%v) ends slots %v, recorded %v", release, o.Code(), got, want)
		}
		release++
	}
}

func TestDamageIsRefused(t *testing.T) {
	rec := trace.NewRecorder()
	if _, err := rec.Create(trace.None, trace.Context{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := flat.Write(&b, rec.Trace()); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	huge := bytes.Clone(whole)
	huge[14] = 0xff
	other := bytes.Clone(whole)
	other[0]++
	for name, c := range map[string]struct {
		content []byte
		says    string
	}{
		"empty":     {nil, "has 0 bytes"},
		"short":     {whole[:63], "has 63 bytes"},
		"cut":       {whole[:len(whole)-1], "its header names"},
		"longer":    {append(bytes.Clone(whole), 0), "its header names"},
		"huge":      {huge, "its header names"},
		"not a one": {other, "is no flat trace"},
	} {
		if _, err := flat.Load(file(t, c.content)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, which does not say %q", name, err, c.says)
		}
	}
	if _, err := flat.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

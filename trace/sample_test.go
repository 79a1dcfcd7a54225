package trace_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gopalloc/palloc/trace"
)

// The traces that tests work on: a small one that has every op, and the shared
// recordings next to the repository.

// sample records every op and every flag at least once.
func sample(t testing.TB) *trace.Trace {
	t.Helper()
	r := trace.NewRecorder()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(parent uint32, c trace.Context) uint32 {
		mc, err := r.Create(parent, c)
		must(err)
		return mc
	}
	alloc := func(mc uint32, size int64, flags trace.Flags) uint32 {
		id, err := r.Alloc(mc, size, flags)
		must(err)
		return id
	}
	r.SetMeta("workload", "sample")
	top := create(trace.None, trace.Context{Kind: trace.AllocSet, Name: "Top", InitSize: 8192, MaxSize: 8 << 20})
	slab := create(top, trace.Context{Kind: trace.Slab, Name: "Nodes", BlockSize: 8192, ChunkSize: 40})
	gen := create(top, trace.Context{Kind: trace.Generation, Name: "Tuples", MinSize: 1, InitSize: 2, MaxSize: 3})
	bump := create(gen, trace.Context{Kind: trace.Bump, Name: "Sort", InitSize: 8192, MaxSize: 8192})
	r.Fork()
	a := alloc(top, 100, trace.Zero)
	b := alloc(top, 0, trace.Current)
	alloc(slab, 40, 0)
	c := alloc(gen, 5000, trace.Zero|trace.Huge)
	alloc(bump, 7, trace.NoOOM)
	must(r.Realloc(a, 3000, trace.Huge|trace.NoOOM))
	must(r.Space(a))
	must(r.Realloc(c, 6, 0))
	must(r.Free(b))
	must(r.SetIdent(gen, "portal 17"))
	must(r.SetIdent(gen, ""))
	must(r.BeforeReset(gen))
	must(r.MemAllocated(top, trace.Recurse))
	must(r.MemAllocated(top, 0))
	must(r.Release(trace.OpResetChildren, top, 0))
	must(r.Release(trace.OpReset, slab, trace.NoOp))
	alloc(bump, 64, trace.Zero)
	alloc(gen, 32, 0)
	must(r.SetParent(bump, slab))
	must(r.SetParent(bump, trace.None))
	must(r.SetParent(bump, gen))
	must(r.Release(trace.OpReset, gen, 0))
	alloc(gen, 33, 0)
	must(r.Release(trace.OpResetOnly, gen, 0))
	must(r.Release(trace.OpDeleteChildren, top, 0))
	alloc(top, 1, 0)
	alloc(top, 2, 0)
	must(r.Release(trace.OpDelete, top, 0))
	last := create(trace.None, trace.Context{Kind: trace.AllocSet, Name: "Survivor"})
	alloc(last, 12, 0)
	return r.Trace()
}

// plain returns the trace in the plain format.
func plain(t testing.TB, tr *trace.Trace) []byte { return written(t, tr, trace.Write) }

// zipped returns the trace in the gzip'd format.
func zipped(t testing.TB, tr *trace.Trace) []byte { return written(t, tr, trace.WriteGzip) }

func written(t testing.TB, tr *trace.Trace, write func(io.Writer, *trace.Trace) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, tr); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// recordings returns the shared recordings, or skips. With -short the large ones
// are left out.
func recordings(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("../../shared/traces/*.mctrace.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Skip("no recordings next to the repository, in ../shared/traces")
	}
	if testing.Short() {
		names = slices.DeleteFunc(names, func(name string) bool {
			info, err := os.Stat(name)
			return err != nil || info.Size() > 150_000
		})
	}
	return names
}

// forEachRecording runs a test on each shared recording.
func forEachRecording(t *testing.T, test func(t *testing.T, name string, tr *trace.Trace)) {
	for _, name := range recordings(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			tr, err := trace.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			test(t, name, tr)
		})
	}
}

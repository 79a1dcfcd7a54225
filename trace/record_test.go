package trace_test

import (
	"strings"
	"testing"

	"github.com/gopalloc/palloc/trace"
)

// The recorder: what it hands out, and what it refuses to record.

func TestRecorderRefuses(t *testing.T) {
	r := trace.NewRecorder()
	top, _ := r.Create(trace.None, trace.Context{Name: "top"})
	id, _ := r.Alloc(top, 8, 0)
	before := r.Trace().Counts()
	create := func(parent uint32, c trace.Context) error { _, err := r.Create(parent, c); return err }
	alloc := func(mc uint32, size int64, flags trace.Flags) error { _, err := r.Alloc(mc, size, flags); return err }
	for _, c := range []struct {
		name string
		err  error
		says string
	}{
		{"an unknown parent", create(7, trace.Context{}), "parent 7 does not exist"},
		{"an unknown kind", create(top, trace.Context{Kind: 4}), "kind 4"},
		{"a NUL in a name", create(top, trace.Context{Name: "a\x00b"}), "NUL byte at 1"},
		{"a negative block size", create(top, trace.Context{MaxSize: -1}), "-1 bytes"},
		{"an unknown context", alloc(9, 1, 0), "context 9 does not exist"},
		{"a negative size", alloc(top, -1, 0), "-1 bytes"},
		{"a size of 2^46", alloc(top, 1<<46, 0), "2^46-1"},
		{"a flag of RESET", alloc(top, 1, trace.NoOp), "do not belong"},
		{"Zero on a resize", r.Realloc(id, 9, trace.Zero), "do not belong"},
		{"an unknown chunk", r.Free(5), "chunk 5 does not exist"},
		{"an ALLOC as a release", r.Release(trace.OpAlloc, top, 0), "neither a reset nor a delete"},
		{"a NoOp with work to do", r.Release(trace.OpReset, top, trace.NoOp), "nothing to do"},
		{"a context as its parent", r.SetParent(top, top), "itself"},
		{"the ident of an unknown", r.SetIdent(3, "x"), "context 3"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: the error is %v, want %q", c.name, c.err, c.says)
		}
	}
	if r.Trace().Counts() != before {
		t.Errorf("refused calls changed the counts from %+v to %+v", before, r.Trace().Counts())
	}
}

func TestRecorderCutsIdents(t *testing.T) {
	r := trace.NewRecorder()
	mc, _ := r.Create(trace.None, trace.Context{Name: "top"})
	if err := r.SetIdent(mc, strings.Repeat("x", 200)); err != nil {
		t.Fatal(err)
	}
	tr := readBack(t, plain(t, r.Trace()))
	if got := tr.Ident(tr.Ops()[1]); got != strings.Repeat("x", 120) {
		t.Errorf("an ident of 200 bytes is kept as %d", len(got))
	}
}

func TestRecorderMeta(t *testing.T) {
	r := trace.NewRecorder()
	r.SetMeta("note", "first")
	r.SetMeta("note", "second")
	tr := readBack(t, plain(t, r.Trace()))
	if tr.Meta("note") != "second" || len(tr.Metas()) != 1 || tr.Meta("server") != "" {
		t.Errorf("the meta is %q, want one note, the second", tr.Metas())
	}
}

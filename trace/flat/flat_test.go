package flat_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/gopalloc/palloc/trace"
	"github.com/gopalloc/palloc/trace/flat"
)

// A flat trace holds what its recording holds.

// header, context and op are the rows of a flat trace.
type (
	header  struct{ Magic, Ops, Slots, Contexts, Text, Replayed, Largest, _ uint64 }
	context struct {
		Kind, Name uint64
		Sizes      [3]uint64
	}
	op struct {
		Code, Flags       uint8
		_                 uint16
		Context, Arg, Old uint32
		Size              uint64
	}
)

// file is a flat trace, read back.
type file struct {
	header
	contexts []context
	ops      []op
	text     []byte
}

// both returns a recording and its flat trace.
func both(t *testing.T) (r *trace.Trace, f file) {
	t.Helper()
	r, err := trace.ReadFile("../../cmd/palloc/recording/pgbench_tpcb.mctrace.gz")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := flat.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	read := func(rows any) {
		if err := binary.Read(&b, binary.LittleEndian, rows); err != nil {
			t.Fatal(err)
		}
	}
	read(&f.header)
	f.contexts, f.ops, f.text = make([]context, f.Contexts), make([]op, f.Ops), make([]byte, f.Text)
	read(f.contexts)
	read(f.ops)
	read(f.text)
	if b.Len() != 0 {
		t.Errorf("%d bytes follow the strings", b.Len())
	}
	return r, f
}

// string returns a string, which ends with a zero byte.
func (f *file) string(offset, size uint64) string {
	if f.text[offset+size] != 0 {
		return "no zero byte at its end"
	}
	return string(f.text[offset : offset+size])
}

func TestCountsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	c := r.Counts()
	ops := c.Ops - r.Count(trace.OpSpace) - r.Count(trace.OpMemAllocated)
	want := header{Magic: 0x31544c4650, Ops: uint64(ops), Slots: uint64(c.MaxLive), Contexts: uint64(c.Contexts),
		Text: f.Text, Replayed: uint64(r.Replayed()), Largest: uint64(r.Largest())}
	if f.header != want {
		t.Errorf("%+v, the recording has %+v", f.header, want)
	}
}

func TestContextsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	named := 0
	for _, o := range f.ops {
		if trace.Code(o.Code) != trace.OpCreate {
			continue
		}
		named++
		got, want := f.contexts[o.Context], r.Context(o.Context)
		sizes := [3]uint64{uint64(want.MinSize), uint64(want.InitSize), uint64(want.MaxSize)}
		if want.Kind == trace.Slab {
			sizes = [3]uint64{uint64(want.BlockSize), uint64(want.ChunkSize)}
		}
		if name := f.string(got.Name, o.Size); got.Kind != uint64(want.Kind) || got.Sizes != sizes || name != want.Name {
			t.Fatalf("context %d is %+v, named %q; recorded %+v", o.Context, got, name, want)
		}
	}
	if named != len(f.contexts) {
		t.Errorf("%d contexts are created, %d described", named, len(f.contexts))
	}
}

// seen is the content of an op, of either form.
type seen struct {
	code    trace.Code
	mc, arg uint32
	size    int64
	old     int64
	cleared bool
	text    string
}

func TestOpsAreThoseOfTheRecording(t *testing.T) {
	r, f := both(t)
	ops := f.ops
	for _, o := range r.Ops() {
		if o.Code() == trace.OpSpace || o.Code() == trace.OpMemAllocated {
			continue
		}
		if got, want := ofFlat(f, ops[0]), ofRecording(r, o); got != want {
			t.Fatalf("op %d is %+v, recorded %+v", len(f.ops)-len(ops), got, want)
		}
		ops = ops[1:]
	}
	if len(ops) != 0 {
		t.Errorf("%d ops too many", len(ops))
	}
}

func ofRecording(r *trace.Trace, o trace.Op) seen {
	s := seen{code: o.Code(), mc: o.Context(), size: o.Size()}
	switch o.Code() {
	case trace.OpAlloc:
		s.arg, s.cleared = o.Slot(), o.Zeroed()
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

func ofFlat(f file, o op) seen {
	s := seen{code: trace.Code(o.Code), mc: o.Context, arg: o.Arg, size: int64(o.Size), old: int64(o.Old), cleared: o.Flags == 1}
	switch {
	case s.code == trace.OpSetIdent && o.Arg != trace.None:
		s.text = f.string(uint64(o.Arg), o.Size)
		s.arg, s.size = 0, 0
	case s.code == trace.OpSetIdent:
		s.arg = 0
	case s.code == trace.OpCreate:
		s.size = 0
	}
	return s
}

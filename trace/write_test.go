package trace_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"reflect"
	"testing"

	"github.com/gopalloc/palloc/trace"
)

// The writer: what it writes reads back equal, and the recordings come out as
// they went in, byte for byte.

// wantRoundTrip writes tr plain and gzip'd and wants both to read back equal.
func wantRoundTrip(t testing.TB, tr *trace.Trace) {
	t.Helper()
	for _, data := range [][]byte{plain(t, tr), zipped(t, tr)} {
		wantSame(t, readBack(t, data), tr)
	}
}

// wantSame wants two traces to agree in all that can be asked of them.
func wantSame(t testing.TB, got, want *trace.Trace) {
	t.Helper()
	if got.Counts() != want.Counts() || got.PeakOps() != want.PeakOps() || got.Largest() != want.Largest() {
		t.Errorf("the counts are %+v, want %+v", got.Counts(), want.Counts())
	}
	if !reflect.DeepEqual(got.Metas(), want.Metas()) {
		t.Errorf("the meta is %q, want %q", got.Metas(), want.Metas())
	}
	for mc := range uint32(want.Counts().Contexts) {
		if got.Context(mc) != want.Context(mc) {
			t.Errorf("context %d is %+v, want %+v", mc, got.Context(mc), want.Context(mc))
		}
	}
	for i, o := range want.Ops() {
		if got.Ops()[i] != o || particulars(got, o) != particulars(want, o) {
			t.Fatalf("op %d is %+v, want %+v", i, got.Ops()[i], o)
		}
	}
}

// particulars digests what a trace keeps for an op in other tables.
func particulars(tr *trace.Trace, o trace.Op) (p struct {
	mc, slots, contexts uint32
	old                 int64
	ident               string
}) {
	switch {
	case o.Code() == trace.OpRealloc:
		p.mc, p.old = tr.Resize(o)
	case o.Code() == trace.OpSetIdent:
		p.ident = tr.Ident(o)
	case o.Code().Releases():
		d := tr.Deaths(o)
		for _, s := range d.Slots {
			p.slots = p.slots*31 + s + 1
		}
		for _, c := range d.Contexts {
			p.contexts = p.contexts*31 + c + 1
		}
	}
	return p
}

func readBack(t testing.TB, data []byte) *trace.Trace {
	t.Helper()
	tr, err := trace.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("what was written does not read back: %v", err)
	}
	return tr
}

func TestSampleRoundTrips(t *testing.T) {
	tr := sample(t)
	for c := trace.OpAlloc; c <= trace.OpMemAllocated; c++ {
		if tr.Count(c) == 0 {
			t.Errorf("the sample has no %s", c)
		}
	}
	wantRoundTrip(t, tr)
}

func TestRecordingsRoundTrip(t *testing.T) {
	forEachRecording(t, func(t *testing.T, name string, tr *trace.Trace) {
		written := plain(t, tr)
		if !bytes.Equal(written, unzip(t, name)) {
			t.Error("the recording is not written as it was read")
		}
		wantSame(t, readBack(t, written), tr)
	})
}

// unzip returns the plain bytes of a gzip'd file.
func unzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fullDisk is a writer with room for a few bytes.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.room -= len(p); d.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriteReportsAFullDisk(t *testing.T) {
	tr := sample(t)
	if err := trace.Write(&fullDisk{room: 50}, tr); err != io.ErrShortWrite {
		t.Errorf("Write returned %v, want the writer's error", err)
	}
	if err := trace.WriteGzip(&fullDisk{room: 50}, tr); err != io.ErrShortWrite {
		t.Errorf("WriteGzip returned %v, want the writer's error", err)
	}
}

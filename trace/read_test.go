package trace_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gopalloc/palloc/trace"
)

// The reader against files made by hand, so that it cannot agree with the writer
// on a mistake: what it accepts, what it refuses, at which byte, and that damage
// of any sort ends in an error.

// file puts a file together: n_ops, n_allocs, n_ctxs, max_live, peak_bytes and
// fork_op, the strings "a" and "bc", no meta, the ops and an END.
func file(counts [6]uint64, ops ...byte) []byte {
	b := []byte("MCTRACE\x01")
	for _, n := range counts {
		b = binary.AppendUvarint(b, n)
	}
	b = append(b, 2, 1, 'a', 2, 'b', 'c', 0)
	b = append(b, ops...)
	return append(b, 0)
}

func TestReadByHand(t *testing.T) {
	tr, err := trace.Read(bytes.NewReader(file([6]uint64{7, 2, 2, 2, 130, 1},
		0x04, 0, 0, 1, 2, 3, // CREATE AllocSet "a" under none
		0x14, 1, 1, 64, 30, // CREATE Slab "bc" under 0
		0x31, 0, 0x64, // ALLOC ZERO CURRENT 100 bytes in 0
		0x41, 3, 1, 30, // ALLOC HUGE NO_OOM 30 bytes in 1
		0x43, 1, 1, 0x32, // REALLOC HUGE, age 1, 50 bytes
		0x0b, 1, 2, // SETIDENT 1 "bc"
		0x08, 0))) // DELETE 0
	if err != nil {
		t.Fatal(err)
	}
	if want := (trace.Counts{Ops: 7, Allocs: 2, Contexts: 2, MaxLive: 2, PeakBytes: 130, ForkOp: 1}); tr.Counts() != want {
		t.Errorf("counts are %+v, want %+v", tr.Counts(), want)
	}
	if want := (trace.Context{Kind: trace.AllocSet, Name: "a", MinSize: 1, InitSize: 2, MaxSize: 3}); tr.Context(0) != want {
		t.Errorf("context 0 is %+v, want %+v", tr.Context(0), want)
	}
	if want := (trace.Context{Kind: trace.Slab, Name: "bc", BlockSize: 64, ChunkSize: 30}); tr.Context(1) != want {
		t.Errorf("context 1 is %+v, want %+v", tr.Context(1), want)
	}
	ops := tr.Ops()
	if o := ops[2]; o.Code() != trace.OpAlloc || o.Flags() != trace.Zero|trace.Current ||
		o.Size() != 100 || o.Context() != 0 || o.Slot() != 0 {
		t.Errorf("op 2 is %+v", o)
	}
	if o := ops[3]; o.Flags() != trace.Huge|trace.NoOOM || o.Size() != 30 || o.Context() != 1 || o.Slot() != 1 {
		t.Errorf("op 3 is %+v", o)
	}
	if mc, old := tr.Resize(ops[4]); mc != 0 || old != 100 || ops[4].Slot() != 0 || ops[4].Size() != 50 {
		t.Errorf("op 4 is %+v, of context %d, %d bytes before", ops[4], mc, old)
	}
	if got := tr.Ident(ops[5]); got != "bc" {
		t.Errorf("the ident is %q, want bc", got)
	}
	d := tr.Deaths(ops[6])
	if !slices.Equal(d.Contexts, []uint32{1, 0}) || !slices.Equal(d.Slots, []uint32{1, 0}) {
		t.Errorf("the delete ends %+v, want the child and its chunk first", d)
	}
	if tr.PeakOps() != 4 || tr.Largest() != 100 || tr.Replayed() != 6 || tr.Count(trace.OpAlloc) != 2 {
		t.Errorf("peak after %d ops, largest %d, replayed %d, allocs %d; want 4, 100, 6, 2",
			tr.PeakOps(), tr.Largest(), tr.Replayed(), tr.Count(trace.OpAlloc))
	}
}

func TestWithoutQuestions(t *testing.T) {
	tr, err := trace.Read(bytes.NewReader(file([6]uint64{7, 2, 1, 2, 130, 4},
		0x04, 0, 0, 1, 2, 3, // CREATE AllocSet "a" under none
		0x01, 0, 100, // ALLOC 100 bytes in 0
		0x0d, 0, // SPACE of it
		0x0e, 0, // MEMALLOCATED of 0
		0x01, 0, 30, // ALLOC 30 bytes in 0
		0x0d, 0, // SPACE of that
		0x08, 0))) // DELETE 0
	if err != nil {
		t.Fatal(err)
	}
	short := tr.WithoutQuestions()
	var codes []trace.Code
	for _, o := range short.Ops() {
		codes = append(codes, o.Code())
	}
	if want := []trace.Code{trace.OpCreate, trace.OpAlloc, trace.OpAlloc, trace.OpDelete}; !slices.Equal(codes, want) {
		t.Errorf("the ops are %v, want %v", codes, want)
	}
	if c := short.Counts(); c.Ops != 4 || c.ForkOp != 2 || short.PeakOps() != 3 || short.Replayed() != tr.Replayed() {
		t.Errorf("%+v, the peak after %d ops, %d replayed; want 4 ops, a fork at 2, 3, %d",
			c, short.PeakOps(), short.Replayed(), tr.Replayed())
	}
	if len(tr.Ops()) != 7 || tr.PeakOps() != 5 {
		t.Errorf("the trace that it was made of has %d ops now, the peak after %d", len(tr.Ops()), tr.PeakOps())
	}
	wantVerified(t, short, &honest{})
}

func TestReadAcceptsLongNumbers(t *testing.T) {
	// Ten bytes for a zero are legal, if not short.
	long := []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}
	ops := append(append([]byte{0x04}, long...), 0, 1, 2, 3)
	tr, err := trace.Read(bytes.NewReader(file([6]uint64{1, 0, 1, 0, 0, 0}, ops...)))
	if err != nil {
		t.Fatal(err)
	}
	if tr.Ops()[0].Parent() != trace.None {
		t.Errorf("the parent is %d, want none", tr.Ops()[0].Parent())
	}
}

// opsAt is the offset of the first op in a file whose counts are below 128.
const opsAt = 8 + 6 + 7

func TestReadRefuses(t *testing.T) {
	set := []byte{0x04, 0, 0, 1, 2, 3}   // context 0, AllocSet, 6 bytes
	slab := []byte{0x14, 0, 0, 64, 30}   // context 0, Slab of 30, 5 bytes
	child := []byte{0x04, 1, 0, 1, 2, 3} // context 1 under 0, 6 bytes
	chunk := []byte{0x01, 0, 8}          // 8 bytes in context 0, 3 bytes
	with := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	over := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}
	elevenBytes := bytes.Repeat([]byte{0x80}, 10)
	for _, c := range []struct {
		name   string
		counts [6]uint64
		ops    []byte
		offset int64
		says   string
	}{
		{"reserved op", [6]uint64{1}, []byte{0x0f}, opsAt, "reserved"},
		{"early END", [6]uint64{2, 0, 1}, with(set), opsAt + 6, "END"},
		{"no END", [6]uint64{0, 0, 1}, with(set), opsAt, "END"},
		{"unknown flag", [6]uint64{1}, []byte{0x12, 0}, opsAt, "flag bits"},
		{"unknown CREATE flag", [6]uint64{1}, []byte{0x44, 0, 0, 1, 2, 3}, opsAt, "flag bits"},
		{"unknown ext bit", [6]uint64{2, 1, 1}, with(set, []byte{0x41, 4, 0, 8}), opsAt + 7, "ext byte"},
		{"number beyond 64 bits", [6]uint64{1}, with([]byte{0x05}, over), opsAt + 1, "64 bits"},
		{"number of 11 bytes", [6]uint64{1}, with([]byte{0x05}, elevenBytes, []byte{0}), opsAt + 1, "10 bytes"},
		{"SAMECTX at first", [6]uint64{2, 1, 1}, with(set, []byte{0x81, 8}), opsAt + 6, "there was none"},
		{"SAMECTX of the dead", [6]uint64{4, 2, 1}, with(set, chunk, []byte{0x08, 0, 0x81, 8}), opsAt + 11, "deleted"},
		{"unknown context", [6]uint64{2, 1, 1}, with(set, []byte{0x01, 1, 8}), opsAt + 6, "does not exist"},
		{"dead context", [6]uint64{3, 0, 1}, with(set, []byte{0x08, 0, 0x05, 0}), opsAt + 8, "deleted"},
		{"dead child", [6]uint64{4, 0, 2}, with(set, child, []byte{0x05, 0, 0x05, 1}), opsAt + 14, "deleted"},
		{"unknown parent", [6]uint64{1, 0, 1}, with(child), opsAt, "parent 0 does not exist"},
		{"dead parent", [6]uint64{3, 0, 2}, with(set, []byte{0x08, 0}, child), opsAt + 8, "parent 0 has been deleted"},
		{"unknown name", [6]uint64{1, 0, 1}, []byte{0x04, 0, 2, 1, 2, 3}, opsAt, "string 2"},
		{"unknown ident", [6]uint64{2, 0, 1}, with(set, []byte{0x0b, 0, 3}), opsAt + 6, "string 2"},
		{"unknown chunk", [6]uint64{3, 1, 1}, with(set, chunk, []byte{0x02, 1}), opsAt + 10, "age 1"},
		{"freed chunk", [6]uint64{4, 1, 1}, with(set, chunk, []byte{0x02, 0, 0x02, 0}), opsAt + 11, "freed"},
		{"reset chunk", [6]uint64{4, 1, 1}, with(set, chunk, []byte{0x06, 0, 0x03, 0, 9}), opsAt + 11, "freed"},
		{"space of a dead chunk", [6]uint64{4, 1, 1}, with(set, chunk, []byte{0x02, 0, 0x0d, 0}), opsAt + 11, "freed"},
		{"own parent", [6]uint64{2, 0, 1}, with(set, []byte{0x0a, 0, 1}), opsAt + 6, "itself"},
		{"own ancestor", [6]uint64{3, 0, 2}, with(set, child, []byte{0x0a, 0, 2}), opsAt + 12, "descendant"},
		{"odd size in a Slab", [6]uint64{2, 1, 1}, with(slab, []byte{0x01, 0, 31}), opsAt + 5, "30 bytes only"},
		{"resize in a Slab", [6]uint64{3, 1, 1}, with(slab, []byte{0x01, 0, 30, 0x03, 0, 30}), opsAt + 8, "Slab"},
		{"NOOP with a child", [6]uint64{3, 0, 2}, with(set, child, []byte{0x15, 0}), opsAt + 12, "nothing to do"},
		{"NOOP with a chunk", [6]uint64{3, 1, 1}, with(set, chunk, []byte{0x15, 0}), opsAt + 9, "nothing to do"},
		{"size of 2^46", [6]uint64{2, 1, 1}, with(set, []byte{0x01, 0}, binary.AppendUvarint(nil, 1<<46)), opsAt + 6, "2^46"},
		{"resize to 2^46", [6]uint64{3, 1, 1}, with(set, chunk, []byte{0x03, 0}, binary.AppendUvarint(nil, 1<<46)), opsAt + 9, "2^46"},
		{"block size of 2^46", [6]uint64{1, 0, 1}, with([]byte{0x04, 0, 0, 0, 0}, binary.AppendUvarint(nil, 1<<46)), opsAt, "2^46"},
		{"n_allocs", [6]uint64{2, 2, 1, 1, 8}, with(set, chunk), opsAt + 10, "n_allocs = 2"},
		{"n_ctxs", [6]uint64{2, 1, 2, 1, 8}, with(set, chunk), opsAt + 10, "n_ctxs = 2"},
		{"max_live", [6]uint64{2, 1, 1, 2, 8}, with(set, chunk), opsAt + 10, "max_live = 2"},
		{"peak_bytes", [6]uint64{2, 1, 1, 1, 9}, with(set, chunk), opsAt + 10, "peak_bytes = 9"},
		{"fork_op", [6]uint64{2, 1, 1, 1, 8, 3}, with(set, chunk), 13, "fork_op is 3"},
		{"trailing data", [6]uint64{1, 0, 1}, with(set, []byte{0}), opsAt + 7, "follows the END"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFormatError(t, file(c.counts, c.ops...), c.offset, c.says)
		})
	}
}

// wantFormatError reads data and wants a one-line error of that offset and text.
func wantFormatError(t *testing.T, data []byte, offset int64, says string) {
	t.Helper()
	_, err := trace.Read(bytes.NewReader(data))
	var bad *trace.FormatError
	if !errors.As(err, &bad) {
		t.Fatalf("the error is %v, want a *FormatError", err)
	}
	if bad.Offset != offset || !strings.Contains(bad.Error(), says) || strings.Contains(bad.Error(), "\n") {
		t.Errorf("the error is %q at %d, want one line with %q at %d", bad, bad.Offset, says, offset)
	}
}

func TestReadRefusesForeignFiles(t *testing.T) {
	nul := slices.Concat([]byte("MCTRACE\x01"), make([]byte, 6), []byte{1, 2, 'a', 0, 0, 0})
	wantFormatError(t, nil, 0, "cut off")
	wantFormatError(t, []byte("MCTRACE\x02, the next version"), 0, "starts with")
	wantFormatError(t, []byte("PK\x03\x04 something else"), 0, "starts with")
	wantFormatError(t, nul, 17, "NUL")
	wantFormatError(t, []byte{0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9}, 0, "gzip")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte("some other text, gzip'd"))
	z.Close()
	wantFormatError(t, b.Bytes(), 0, "starts with")
}

func TestReadRefusesEveryTruncation(t *testing.T) {
	whole := plain(t, sample(t))
	for n := range whole {
		wantFormatError(t, whole[:n], int64(n), "cut off")
	}
	whole = zipped(t, sample(t))
	for n := range whole {
		_, err := trace.Read(bytes.NewReader(whole[:n]))
		if bad := new(trace.FormatError); !errors.As(err, &bad) {
			t.Fatalf("the first %d of %d bytes give %v, want a *FormatError", n, len(whole), err)
		}
	}
}

func TestReadSurvivesEveryFlippedBit(t *testing.T) {
	whole := plain(t, sample(t))
	refused := 0
	for i := range 8 * len(whole) {
		data := slices.Clone(whole)
		data[i/8] ^= 1 << (i % 8)
		tr, err := trace.Read(bytes.NewReader(data))
		if bad := new(trace.FormatError); err != nil && !errors.As(err, &bad) {
			t.Fatalf("bit %d flipped gives %v, want a *FormatError", i, err)
		}
		if err != nil {
			refused++
			continue
		}
		wantRoundTrip(t, tr)
	}
	if refused < 4*len(whole) {
		t.Errorf("%d of %d flipped bits were noticed, want at least half", refused, 8*len(whole))
	}
}

func TestReadBlamesGzip(t *testing.T) {
	whole := zipped(t, sample(t))
	for i := range 8 * len(whole) {
		if i/8 >= 3 && i/8 < 10 {
			continue // flags, time and system of the gzip header carry no data
		}
		data := slices.Clone(whole)
		data[i/8] ^= 1 << (i % 8)
		tr, err := trace.Read(bytes.NewReader(data))
		if err == nil {
			wantSame(t, tr, sample(t)) // a bit of padding
			continue
		}
		var bad *trace.FormatError
		if !errors.As(err, &bad) {
			t.Fatalf("bit %d flipped gives %v, want a *FormatError", i, err)
		}
		if i/8 >= 10 && !strings.Contains(bad.Error(), "gzip wrapper is damaged") {
			t.Fatalf("bit %d flipped gives %q, want gzip to be blamed", i, bad)
		}
	}
}

func TestReadBelievesNoCount(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<31-1)
	head := []byte("MCTRACE\x01")
	for name, data := range map[string][]byte{
		"n_ops":     slices.Concat(head, huge, make([]byte, 9)),
		"n_strings": slices.Concat(head, make([]byte, 6), huge),
		"a string":  slices.Concat(head, make([]byte, 6), []byte{1}, huge),
		"n_meta":    slices.Concat(head, make([]byte, 7), huge),
		"a key":     slices.Concat(head, make([]byte, 7), []byte{1}, huge),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := trace.Read(bytes.NewReader(data))
		runtime.ReadMemStats(&after)
		if bad := new(trace.FormatError); !errors.As(err, &bad) {
			t.Errorf("%s of 2^31-1: the error is %v, want a *FormatError", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
			t.Errorf("%s of 2^31-1: reading %d bytes allocated %d bytes", name, len(data), got)
		}
	}
	beyond := slices.Concat(head, binary.AppendUvarint(nil, 1<<31))
	wantFormatError(t, beyond, 8, "n_ops is 2147483648")
}

func TestReadTellsAFailingReaderFromADamagedFile(t *testing.T) {
	broken := errors.New("the disk is on fire")
	for _, data := range [][]byte{plain(t, sample(t)), zipped(t, sample(t))} {
		r := io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken))
		_, err := trace.Read(r)
		if bad := new(trace.FormatError); errors.As(err, &bad) || !errors.Is(err, broken) {
			t.Errorf("the error is %v, want the reader's own", err)
		}
	}
}

func TestReadTakesBytesOneByOne(t *testing.T) {
	want := sample(t)
	for _, data := range [][]byte{plain(t, want), zipped(t, want)} {
		got, err := trace.Read(iotest.OneByteReader(bytes.NewReader(data)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Ops(), want.Ops()) {
			t.Error("a trace read byte by byte has other ops")
		}
	}
}

func TestReadFileNamesTheFile(t *testing.T) {
	_, err := trace.ReadFile("read_test.go")
	if bad := new(trace.FormatError); !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), "read_test.go: trace: byte 0:") {
		t.Errorf("the error is %v, want read_test.go and the offset", err)
	}
	if _, err := trace.ReadFile("no such file"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the error is %v, want the missing file named", err)
	}
}

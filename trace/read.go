package trace

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// The reader: bytes to Trace.
//
// Invariant: what it returns keeps every rule of the format, because the builder
// checks each op, and the counts of the header are compared with the stream. Cost: some 100 ns an op, gunzip included; memory in proportion to the
// bytes that arrive, whatever the header claims.

// ReadFile reads the trace in the named file, plain or gzip'd. An error names
// the file; see [Read] for what it wraps.
func ReadFile(name string) (*Trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

// Read reads one trace, plain or gzip'd, up to the end of r. It checks every
// rule of the format: a file that is cut off, damaged or something else gives a
// [*FormatError]; an error of r itself is wrapped.
func Read(r io.Reader) (*Trace, error) {
	d := &decoder{input: newInput(r), builder: newBuilder(), current: None}
	claimed := d.header()
	d.strings()
	d.meta()
	d.ops(claimed.Ops)
	d.end()
	d.check(claimed)
	if d.blame(); d.err != nil {
		return nil, d.err
	}
	return d.t, nil
}

type decoder struct {
	*input
	*builder
	current uint32 // context of the last ALLOC, or None
}

// header reads the magic and returns the counts that the file claims.
func (d *decoder) header() (claimed Counts) {
	got := d.input.bytes(nil, uint64(len(magic)), "the magic of a trace")
	if d.err == nil && string(got) != magic {
		d.fail(0, "the file starts with %q, a trace with %q", got, magic)
	}
	claimed.Ops = int(d.bounded(maxCount, "the count n_ops"))
	claimed.Allocs = int(d.bounded(maxCount, "the count n_allocs"))
	claimed.Contexts = int(d.bounded(maxCount, "the count n_ctxs"))
	claimed.MaxLive = int(d.bounded(maxCount, "the count max_live"))
	claimed.PeakBytes = int64(d.bounded(maxBytes, "the count peak_bytes"))
	claimed.ForkOp = int(d.bounded(uint64(claimed.Ops), "the count fork_op"))
	d.t.counts.ForkOp = claimed.ForkOp
	return claimed
}

func (d *decoder) strings() {
	var buf []byte
	for n := d.bounded(maxCount, "the count n_strings"); n > 0 && d.err == nil; n-- {
		room := uint64(maxCount - len(d.t.text.text))
		length := d.bounded(room, "the length of a string")
		start := d.off
		buf = d.input.bytes(buf[:0], length, "a string")
		if i := bytes.IndexByte(buf, 0); i >= 0 {
			d.fail(start+int64(i), "a string holds a NUL byte")
		}
		d.t.text.add(buf)
	}
}

func (d *decoder) meta() {
	for n := d.bounded(maxCount, "the count n_meta"); n > 0 && d.err == nil; n-- {
		key := d.input.bytes(nil, d.bounded(maxCount, "the length of a meta key"), "a meta key")
		value := d.input.bytes(nil, d.bounded(maxCount, "the length of a meta value"), "a meta value")
		d.t.meta = append(d.t.meta, Meta{string(key), string(value)})
	}
}

// ops reads n ops and the END after them.
func (d *decoder) ops(n int) {
	d.t.ops = make([]Op, 0, min(n, 64<<10))
	for d.op = 0; d.op < n && d.err == nil; d.op++ {
		start := d.off
		opcode := d.byte("an op")
		if err := d.one(opcode); err != nil {
			d.fail(start, "%s: %v", Code(opcode&0x0f), err)
		}
	}
	d.op = -1
	start := d.off
	if b := d.byte("the END of the ops"); b != byte(OpEnd) {
		d.fail(start, "the byte %#02x stands where END (0x00) must, after the %d ops the header counts", b, n)
	}
}

// one reads the operands of one op and appends it with the builder. After an
// error of the input nothing is appended.
func (d *decoder) one(opcode byte) error {
	code := Code(opcode & 0x0f)
	flags, err := flagsOf(opcode)
	if d.err != nil || err != nil {
		return err
	}
	switch code {
	case OpAlloc:
		return d.readAlloc(opcode, flags)
	case OpFree, OpSpace:
		return d.readChunkOp(code)
	case OpRealloc:
		return d.readRealloc(opcode)
	case OpCreate:
		return d.readCreate(Kind(opcode >> kindShift))
	case OpSetParent:
		return d.readSetParent()
	case OpSetIdent:
		return d.readSetIdent()
	}
	mc := d.context()
	switch {
	case d.err != nil:
		return nil
	case code.Releases():
		return d.release(code, mc, flags)
	}
	return d.note(code, mc, 0, flags)
}

// check compares the counts of the header with those of the stream.
func (d *decoder) check(claimed Counts) {
	got := d.t.counts
	for _, c := range []struct {
		name          string
		claimed, have int64
	}{
		{"n_allocs", int64(claimed.Allocs), int64(got.Allocs)},
		{"n_ctxs", int64(claimed.Contexts), int64(got.Contexts)},
		{"max_live", int64(claimed.MaxLive), int64(got.MaxLive)},
		{"peak_bytes", claimed.PeakBytes, got.PeakBytes},
	} {
		if c.claimed != c.have {
			d.fail(d.off, "the header says %s = %d, the ops make it %d", c.name, c.claimed, c.have)
		}
	}
}

package trace

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// The byte stream under the reader: unwraps gzip, counts offsets, and keeps the
// first error.
//
// Invariant: after an error every read returns zeros and err stays as it is, so that a
// decoder reads several fields before it checks. Cost: one buffered
// byte at a time; memory grows with what arrives, never with what is claimed.

type input struct {
	raw *source
	r   *bufio.Reader
	off int64 // bytes of the unwrapped stream consumed
	gz  bool  // the stream is unwrapped from gzip
	op  int   // index of the op being read, -1 outside the ops
	err error
}

// source is the reader of the caller. It keeps that reader's error, which tells a
// failing disk from a damaged file.
type source struct {
	r   io.Reader
	err error
}

// Read reads from the caller's reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// newInput looks at the first two bytes of r to see whether it is gzip'd.
func newInput(r io.Reader) *input {
	in := &input{raw: &source{r: r}, op: -1}
	in.r = bufio.NewReaderSize(in.raw, 64<<10)
	if head, _ := in.r.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		unwrapped, err := gzip.NewReader(in.r)
		if err != nil {
			in.broken(err, "its gzip header")
			return in
		}
		in.r, in.gz = bufio.NewReaderSize(unwrapped, 64<<10), true
	}
	return in
}

// fail sets err to a problem at the offset, unless there was one before.
func (in *input) fail(offset int64, problem string, args ...any) {
	if in.err == nil {
		in.err = &FormatError{Offset: offset, Op: in.op, Problem: fmt.Sprintf(problem, args...)}
	}
}

// broken sets err to an error of reading, where what should have followed.
func (in *input) broken(err error, what string) {
	switch {
	case in.err != nil:
	case in.raw.err != nil:
		in.err = fmt.Errorf("trace: byte %d: cannot read on: %w", in.off, in.raw.err)
	case err == io.EOF:
		in.fail(in.off, "the file ends where %s should be; it has been cut off", what)
	default:
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("the file ends early: %w", err)
		}
		in.err = &FormatError{Offset: in.off, Op: in.op, Err: err,
			Problem: fmt.Sprintf("the gzip wrapper is damaged (%v) where %s should be; offsets are of the unwrapped stream", err, what)}
	}
}

// byte reads one byte; what names it in an error.
func (in *input) byte(what string) byte {
	if in.err != nil {
		return 0
	}
	b, err := in.r.ReadByte()
	if err != nil {
		in.broken(err, what)
		return 0
	}
	in.off++
	return b
}

// uvarint reads an unsigned LEB128 number of at most ten bytes.
func (in *input) uvarint(what string) uint64 {
	start := in.off
	var v uint64
	for shift := 0; ; shift += 7 {
		b := in.byte(what)
		if shift == 63 && b > 1 {
			in.fail(start, "%s is a number of more than 64 bits or 10 bytes", what)
			return 0
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

// bounded reads a number and refuses one above limit.
func (in *input) bounded(limit uint64, what string) uint64 {
	start := in.off
	v := in.uvarint(what)
	if v > limit {
		in.fail(start, "%s is %d, the most that can be is %d", what, v, limit)
		return 0
	}
	return v
}

// bytes reads n bytes and appends them to buf.
func (in *input) bytes(buf []byte, n uint64, what string) []byte {
	const step = 4 << 10
	for n > 0 && in.err == nil {
		from := len(buf)
		buf = append(buf, make([]byte, min(n, step))...)
		got, err := in.r.Read(buf[from:])
		buf = buf[:from+got]
		in.off += int64(got)
		n -= uint64(got)
		if err != nil {
			in.broken(err, what)
		}
	}
	return buf
}

// end refuses data that follows, and has gzip check its checksum.
func (in *input) end() {
	if in.err != nil {
		return
	}
	_, err := in.r.ReadByte()
	switch {
	case err == nil:
		in.fail(in.off, "data follows the END of the trace; nothing may")
	case err != io.EOF:
		in.broken(err, "the checksum at the end")
	}
}

// blame looks for the cause of an error in gzip'd data: where the wrapper is damaged
// further on (within 64 MiB), the error says so.
func (in *input) blame() {
	e, ok := in.err.(*FormatError)
	if !ok || !in.gz || e.Err != nil {
		return
	}
	_, err := io.CopyN(io.Discard, in.r, 64<<20)
	if err != nil && err != io.EOF && in.raw.err == nil {
		e.Err = err
		e.Problem = fmt.Sprintf("the gzip wrapper is damaged (%v), offsets are of the unwrapped stream: %s", err, e.Problem)
	}
}

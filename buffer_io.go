package palloc

import (
	"fmt"
	"io"
)

// Buffers with an io.Reader or io.Writer.
//
// Invariant: after a call to a Reader or Writer the Buffer still has the same bytes;
// otherwise it panics.
//
// Cost: no copy between a Reader or Writer and the context.

// minRead is the least spare capacity in bytes that ReadFrom passes to Read, as in
// bytes.Buffer.
const minRead = 512

// ReadFrom appends all of r up to io.EOF, and returns the number of bytes read. It reads
// directly into the context. The error is r's, other than io.EOF, or an *OutOfMemoryError;
// what was read before is kept. It panics with a *Fault when r returns an impossible count,
// or uses the Buffer meanwhile. Owner only.
func (b *Buffer) ReadFrom(r io.Reader) (n int64, err error) {
	const op = "Buffer.ReadFrom"
	for {
		if err = b.extend(op, nil, minRead); err != nil {
			return n, err
		}
		was := b.buf
		var m int
		m, err = r.Read(was[len(was):cap(was)])
		b.afterCall(op, was, m, cap(was)-len(was))
		b.buf = was[:len(was)+m]
		n += int64(m)
		switch err {
		case nil:
		case io.EOF:
			return n, nil
		default:
			return n, err
		}
	}
}

// WriteTo writes the bytes to w and removes those that w accepted: all, if w returns no
// error. It returns their number. The error is w's, or io.ErrShortWrite. It panics with a
// *Fault when w returns an impossible count, or uses the Buffer meanwhile. Owner only.
func (b *Buffer) WriteTo(w io.Writer) (n int64, err error) {
	const op = "Buffer.WriteTo"
	if b.check(op); len(b.buf) == 0 {
		return 0, nil
	}
	was := b.buf
	m, err := w.Write(was)
	b.afterCall(op, was, m, len(was))
	b.buf = was[:copy(was, was[m:])]
	if err == nil && len(b.buf) > 0 {
		err = io.ErrShortWrite
	}
	return int64(m), err
}

// afterCall panics when the foreign code that had the bytes used the Buffer, or returned a
// count n that is not in [0, limit].
func (b *Buffer) afterCall(op string, was []byte, n, limit int) {
	b.check(op)
	reason := ""
	switch {
	case !b.isAt(was):
		reason = "the reader or writer used the Buffer"
	case n < 0 || n > limit:
		reason = fmt.Sprintf("the reader or writer returned a count of %d: it must be from 0 to %d", n, limit)
	default:
		return
	}
	panic(raise(&Fault{Op: op, Context: b.mc.Path(), Reason: reason}))
}

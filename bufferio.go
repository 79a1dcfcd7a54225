package palloc

import (
	"fmt"
	"io"
)

// Buffers that are read into and written out by others.
//
// Invariant: foreign code that was lent a Buffer's bytes has not moved them, or does
// not come back.
//
// Cost: no copy between a reader or writer and the context.

// leastRead is the bytes that ReadFrom offers at least, as many as bytes.Buffer does.
const leastRead = 512

// ReadFrom appends what r has up to its end, and answers how many bytes that were. It
// reads straight into the context. The error is r's, other than io.EOF, or an
// *OutOfMemoryError; what was read before is kept. It panics with a *Fault when r
// answers a count that cannot be, or uses the Buffer meanwhile.
//
// PostgreSQL has none.
func (b *Buffer) ReadFrom(r io.Reader) (n int64, err error) {
	const op = "Buffer.ReadFrom"
	for {
		if err = b.extend(op, nil, leastRead); err != nil {
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

// WriteTo writes the bytes to w and takes those away that w took: all, where it
// answers no error. The error is w's, or io.ErrShortWrite. It panics with a *Fault
// when w answers a count that cannot be, or uses the Buffer meanwhile.
//
// PostgreSQL has none.
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

// afterCall panics when foreign code that was lent the bytes used the Buffer, or
// answers a count n that is not from 0 to most.
func (b *Buffer) afterCall(op string, was []byte, n, most int) {
	b.check(op)
	reason := ""
	switch {
	case !b.isAt(was):
		reason = "what was called used the Buffer"
	case n < 0 || n > most:
		reason = fmt.Sprintf("what was called answers a count of %d: it is from 0 to %d", n, most)
	default:
		return
	}
	panic(&Fault{Op: op, Context: b.mc.Path(), Reason: reason})
}

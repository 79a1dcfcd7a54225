package palloc

import (
	"fmt"
	"io"
	"unicode/utf8"
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Buffers: bytes that grow in a context. In this order: the type and its checks, writing,
// growing, reading, emptying, and with an io.Reader or io.Writer.
//
// Invariant: the bytes are all of one chunk. While it lives, the context's cookie and the
// chunk's header are as they were when it was allocated: a reset or a deletion changes the
// first, a free the second. A copy of the Buffer has another address than self. One case is
// not noticed: a chunk that was freed by other means and allocated again with the same size.
// When memory to grow is refused, the Buffer stays
// as it was. After a call to a Reader or Writer the Buffer still has the same bytes; otherwise
// it panics.
//
// Cost: a write within capacity takes a few compares and a copy. Beyond capacity the Buffer
// grows by Append's rule, in place if the chunk can, otherwise with a copy. There is no copy
// between a Reader or Writer and the context.

// A Buffer holds bytes in a context and grows as they are written. Its methods are those of
// bytes.Buffer and strings.Builder, without those that read: use Buffer.Bytes. Create one
// with NewBuffer; the zero Buffer has no context, and every use of it panics. Do not copy a
// Buffer that was written to: writing to the copy is a Fault.
//
// The bytes are invalid once the context is reset or deleted: every use is then a *Fault. A
// Buffer that was never written to has no bytes, and stays valid over a reset. When memory
// runs out, a method that returns an error returns the *OutOfMemoryError and writes
// nothing; the bytes stay as they were. Owner only.
//
// PostgreSQL: StringInfo.
type Buffer struct {
	mc     Context
	buf    []byte     // its capacity is the whole chunk; 0 without a chunk
	owner  *kind.Core // of the chunk: the context's node, or a shard of a Shared context
	cookie uint64     // the owner's cookie when the chunk was allocated
	header uint64     // the chunk's header then
	where  *uint64    // the header's address; without a header that of noHeader, which is 0
	self   *Buffer    // the Buffer that got the chunk: a copy differs from it
}

// noHeader stands for a missing header: in a Bump, and without a chunk.
var noHeader uint64

// minBuffer is the size in bytes of a Buffer's first chunk, as in bytes.Buffer.
const minBuffer = 64

// NewBuffer returns an empty Buffer for bytes in the context. It allocates nothing there
// until it is written to. The Buffer itself is a small Go value, and one object on Go's
// heap where it escapes, as with fmt.Fprintf: keep it for many messages, with Buffer.Reset
// in between. NewBuffer panics with a *Fault when the context was deleted, or is a Slab,
// whose chunks have one size. Owner only.
//
// PostgreSQL: makeStringInfo, initStringInfo.
func NewBuffer(mc Context) *Buffer {
	return &Buffer{mc: mc, where: &noHeader, owner: mc.ref.Core, cookie: mc.bufferCookie()}
}

// bufferCookie checks the context and returns its cookie. It is separate so that NewBuffer
// can be inlined, and a Buffer that does not leave its function lies on the stack.
//
//go:noinline
func (mc Context) bufferCookie() uint64 {
	mc.check("NewBuffer")
	if m := kinds.Methods[mc.ref.Core.Kind()]; m.Traits().OneSize {
		panic(mc.refuse("NewBuffer", 0, kind.Misuse(fmt.Sprintf("a %s has chunks of one size, and a Buffer grows: make it in a context of another kind", m.Name()))))
	}
	return mc.ref.Core.Cookie
}

// live reports whether the chunk is still the Buffer's.
func (b *Buffer) live() bool {
	c := b.mc.ref.Core
	return c != nil && c.Epoch == b.mc.ref.Epoch && b.owner.Cookie == b.cookie && *b.where == b.header
}

// check panics unless the Buffer is usable.
func (b *Buffer) check(op string) {
	if !b.live() {
		b.recheck(op)
	}
}

// recheck panics, unless the Buffer has no bytes: a reset took nothing from it. It is
// separate since correct programs rarely call it.
func (b *Buffer) recheck(op string) {
	if b.mc.ref.Core == nil {
		panic(raise(&Fault{Op: op, Reason: "the zero Buffer has no context: make one with NewBuffer"}))
	}
	b.mc.check(op)
	if cap(b.buf) == 0 {
		b.drop()
		return
	}
	panic(raise(&Fault{Op: op, Context: b.mc.Path(), Address: b.address(), Reason: "the bytes are invalid: the context was reset, " +
		"or a copy of the Buffer freed or moved them: make a new one with NewBuffer"}))
}

// drop makes the Buffer one without a chunk.
func (b *Buffer) drop() {
	*b = Buffer{mc: b.mc, where: &noHeader, owner: b.mc.ref.Core, cookie: b.mc.ref.Core.Cookie}
}

// hold makes the chunk at p, of room bytes, the Buffer's chunk, of which n bytes are
// written.
func (b *Buffer) hold(p, room uintptr, n int) {
	b.buf, b.where, b.owner = osmem.Bytes(p, room)[:n], &noHeader, b.mc.ref.Core
	if kinds.Traits(b.mc.ref.Core.Kind()).Headers {
		b.where, b.owner = (*uint64)(osmem.At(p-chunk.HeaderSize)), b.mc.shardOf(p)
	}
	b.cookie, b.header = b.owner.Cookie, *b.where
	b.self = (*Buffer)(osmem.At(uintptr(unsafe.Pointer(b)))) // the pointer itself, which so does not make the Buffer escape
}

// tag returns the tag bits of the chunk's header.
func (b *Buffer) tag() uint64 { return b.header ^ b.cookie }

// address returns the address of the bytes.
func (b *Buffer) address() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b.buf))) }

// isAt reports whether the Buffer still has the bytes that it had before foreign code ran.
func (b *Buffer) isAt(was []byte) bool {
	return b.live() && unsafe.SliceData(b.buf) == unsafe.SliceData(was) && len(b.buf) == len(was)
}

// fits reports whether n more bytes can be written without growing.
func (b *Buffer) fits(n int) bool { return n <= cap(b.buf)-len(b.buf) && b.self == b && b.live() }

// Write appends p, which may be bytes of the Buffer itself. The error is nil or an
// *OutOfMemoryError. Owner only.
//
// PostgreSQL: appendBinaryStringInfo.
func (b *Buffer) Write(p []byte) (n int, err error) { return b.write("Buffer.Write", p) }

// WriteString appends s. The error is nil or an *OutOfMemoryError. Owner only.
//
// PostgreSQL: appendStringInfoString.
func (b *Buffer) WriteString(s string) (n int, err error) {
	return b.write("Buffer.WriteString", unsafe.Slice(unsafe.StringData(s), len(s))) // read only
}

// WriteRune appends the UTF-8 encoding of r, and returns its length in bytes. The error is
// nil or an *OutOfMemoryError. Owner only.
//
// PostgreSQL: appendStringInfoChar, byte by byte.
func (b *Buffer) WriteRune(r rune) (n int, err error) {
	var code [utf8.UTFMax]byte
	return b.write("Buffer.WriteRune", utf8.AppendRune(code[:0], r))
}

func (b *Buffer) write(op string, p []byte) (n int, err error) {
	if !b.fits(len(p)) {
		if err := b.extend(op, p, 0); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// WriteByte appends c. The error is nil or an *OutOfMemoryError. Owner only.
//
// PostgreSQL: appendStringInfoChar.
func (b *Buffer) WriteByte(c byte) error {
	if !b.fits(1) {
		return b.extend("Buffer.WriteByte", []byte{c}, 0)
	}
	b.buf = append(b.buf, c)
	return nil
}

// Grow makes room for n more bytes, so that writing them neither moves the bytes nor fails.
// It panics with a *Fault when n is negative or too large, and with an *OutOfMemoryError
// when the system or a limit refuses memory. Owner only.
//
// PostgreSQL: enlargeStringInfo.
func (b *Buffer) Grow(n int) {
	if err := b.reserve("Buffer.Grow", n); err != nil {
		panic(err)
	}
}

// TryGrow works as Grow does, but returns the *OutOfMemoryError. Owner only.
func (b *Buffer) TryGrow(n int) error { return b.reserve("Buffer.TryGrow", n) }

func (b *Buffer) reserve(op string, n int) error {
	if b.check(op); n < 0 {
		return b.mc.refuse(op, 0, kind.Misuse(fmt.Sprintf("room for %d bytes: the number must not be negative", n)))
	}
	return b.extend(op, nil, n)
}

// extend appends p and makes room for spare more bytes, in a larger chunk if needed. It is
// separate so that write stays short.
func (b *Buffer) extend(op string, p []byte, spare int) error {
	b.check(op)
	if b.self != b && b.self != nil {
		panic(raise(&Fault{Op: op, Context: b.mc.Path(), Address: b.address(), Reason: "the Buffer was copied after it was written to: pass a pointer to it"}))
	}
	need := uintptr(len(b.buf)) + uintptr(len(p)) + uintptr(spare)
	if need > kind.MaxChunk {
		return b.mc.refuse(op, need, kind.TooLarge(need))
	}
	if need > uintptr(cap(b.buf)) {
		return b.grow(op, p, max(need, minBuffer))
	}
	b.buf = append(b.buf, p...)
	return nil
}

// grow moves the Buffer to a chunk of at least need bytes and appends p. If p is bytes of
// the Buffer itself, they move with it; only a Bump leaves them in place.
func (b *Buffer) grow(op string, p []byte, need uintptr) error {
	was, from, resized := b.buf, uintptr(unsafe.Pointer(unsafe.SliceData(p)))-b.address(), b.resizes()
	to, room, err := b.enlarge(op, need)
	if err != nil {
		return b.mc.refuse(op, need, err)
	}
	b.hold(to, room, len(was))
	if from < uintptr(cap(was)) && resized {
		p = b.buf[from : from+uintptr(len(p)) : room]
	}
	b.buf = append(b.buf, p...)
	return nil
}

// resizes reports whether the chunk can be resized: there is one, and its context frees.
func (b *Buffer) resizes() bool { return b.where != &noHeader && kinds.Traits(b.owner.Kind()).Frees }

// enlarge returns a chunk of at least need bytes that holds what was written, and its
// capacity. The first chunk, and every chunk of a Bump, is allocated as Append does, also where
// a checked Bump has headers; others are resized, in place if they can be.
func (b *Buffer) enlarge(op string, need uintptr) (to, room uintptr, err error) {
	was, at, old, c := b.buf, b.address(), uintptr(cap(b.buf)), b.owner
	if !b.resizes() {
		to, room, err = b.mc.enlarge(op, at, uintptr(len(was)), old, need, curve(old, need))
		b.mustBeAt(op, was)
		return to, room, err
	}
	to, err = withSpare(c.Owner(), op, curve(old, need), need, func(size uintptr) (uintptr, error) {
		b.mustBeAt(op, was)
		return kind.Realloc(methodsAt(c, at), c, at, b.tag(), size)
	})
	if err != nil {
		return 0, 0, err
	}
	return to, kind.Capacity(methodsAt(c, to), c, to, chunk.Header(to)^c.Cookie), nil
}

// mustBeAt panics when a callback of OnPressure used the Buffer while it was growing.
func (b *Buffer) mustBeAt(op string, was []byte) {
	if !b.isAt(was) {
		panic(raise(&Fault{Op: op, Context: b.mc.Path(), Reason: "a callback of OnPressure used the Buffer while it was growing"}))
	}
}

// Len returns the number of bytes written. Owner only.
//
// PostgreSQL: StringInfoData.len.
func (b *Buffer) Len() int {
	b.check("Buffer.Len")
	return len(b.buf)
}

// Cap returns the size in bytes of the Buffer's chunk. Owner only.
//
// PostgreSQL: StringInfoData.maxlen.
func (b *Buffer) Cap() int {
	b.check("Buffer.Cap")
	return cap(b.buf)
}

// Available returns the number of bytes that can be written before the Buffer grows. Owner
// only.
func (b *Buffer) Available() int {
	b.check("Buffer.Available")
	return cap(b.buf) - len(b.buf)
}

// Bytes returns what was written, without a copy. The bytes may be changed. They are
// invalid after the next write, Buffer.Reset, Buffer.Truncate, Buffer.WriteTo or
// Buffer.Free. Owner only.
//
// PostgreSQL: StringInfoData.data.
func (b *Buffer) Bytes() []byte {
	b.check("Buffer.Bytes")
	return b.buf
}

// String returns what was written, without a copy. The string is invalid as soon as
// Buffer.Bytes is, and must not be read while those bytes are changed. CloneString makes a
// lasting copy in a context, strings.Clone one on Go's heap. Owner only.
//
// PostgreSQL: StringInfoData.data.
func (b *Buffer) String() string {
	b.check("Buffer.String")
	return unsafe.String(unsafe.SliceData(b.buf), len(b.buf)) // valid until the next write
}

// AvailableBuffer returns an empty slice with the spare capacity, to append to and pass to
// Buffer.Write immediately: b.Write(strconv.AppendInt(b.AvailableBuffer(), n, 10)) formats
// in place. If the text does not fit, append moves it to Go's heap: call Buffer.Grow
// before. The slice is invalid after the next write. Owner only.
func (b *Buffer) AvailableBuffer() []byte {
	b.check("Buffer.AvailableBuffer")
	return b.buf[len(b.buf):]
}

// Clone returns a copy of what was written, on Go's heap, which outlives the context. Owner
// only.
func (b *Buffer) Clone() []byte {
	b.check("Buffer.Clone")
	return append([]byte(nil), b.buf...)
}

// Reset empties the Buffer and keeps its chunk for the next writes. Owner only.
//
// PostgreSQL: resetStringInfo.
func (b *Buffer) Reset() {
	b.check("Buffer.Reset")
	b.buf = b.buf[:0]
}

// Truncate keeps the first n bytes. It panics with a *Fault when n is negative or more than
// Len. Owner only.
func (b *Buffer) Truncate(n int) {
	if b.check("Buffer.Truncate"); n < 0 || n > len(b.buf) {
		panic(b.mc.refuse("Buffer.Truncate", 0, kind.Misuse(fmt.Sprintf("%d bytes to be kept of %d", n, len(b.buf)))))
	}
	b.buf = b.buf[:n]
}

// Free frees the Buffer's chunk. The Buffer is then empty and can be written to again. It
// panics with a *Fault when the chunk is in a Bump: see Kind.Frees. Owner only.
//
// PostgreSQL: destroyStringInfo, pfree of StringInfoData.data.
func (b *Buffer) Free() {
	if b.check("Buffer.Free"); cap(b.buf) == 0 {
		return
	}
	c := b.owner
	if err := kind.Free(methodsAt(c, b.address()), c, b.address(), b.tag()); err != nil {
		panic(chunkFault("Buffer.Free", c, b.address(), err))
	}
	b.drop()
}

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

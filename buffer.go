package palloc

import (
	"fmt"
	"unicode/utf8"
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Buffers: bytes that grow in a context.
//
// Invariant: the bytes are all of one chunk. While it lives, the context's stamp and
// the chunk's header are what they were when it was sold; a reset or a deletion changes
// the one, a free the other. What is not noticed is a chunk that was freed behind
// the Buffer's back and sold again with the same size.
//
// Cost: a write within capacity is a few compares and a copy; beyond it grows by
// Append's rule, in place where the chunk can.

// Buffer is bytes in a context that grow as they are written to. Its methods are
// those of bytes.Buffer and strings.Builder, but for the reading ones: read
// Buffer.Bytes. Make one with NewBuffer; the zero Buffer has no context, and every
// use of it panics. Do not copy it: of two that share their bytes, the one that is
// used after the other grew or was freed panics, as a rule.
//
// The bytes are void when the context is reset or deleted: every use is then a
// *Fault. A Buffer that was never written to has none to lose, and lives on over a
// reset. When memory runs out, what returns an error returns the
// *OutOfMemoryError, and nothing of it was written; what was there is there. Owner
// only.
//
// PostgreSQL: StringInfo.
type Buffer struct {
	mc     Context
	buf    []byte     // all of the chunk is its capacity; no capacity, no chunk
	seller *kind.Core // of the chunk: the context's core, or a part of a shared one
	stamp  uint64     // the seller's when the chunk was sold
	header uint64     // the chunk's then
	mark   *uint64    // where the chunk has it; noHeader, which is 0, where there is none
}

// noHeader stands for the header where there is none: in a Bump, and without a chunk.
var noHeader uint64

// leastBuffer is the bytes of a Buffer's first chunk, as many as bytes.Buffer begins
// with.
const leastBuffer = 64

// NewBuffer makes an empty Buffer whose bytes are to lie in the context; until it is
// written to it takes no memory there. The Buffer itself is a small Go value, one
// object on Go's heap where it escapes, as fmt.Fprintf makes it: keep it for many
// messages, with Buffer.Reset in between. It panics with a *Fault when the context
// is gone or is a Slab, which has one size. Owner only.
//
// PostgreSQL: makeStringInfo, initStringInfo.
func NewBuffer(mc Context) *Buffer {
	return &Buffer{mc: mc, mark: &noHeader, seller: mc.core, stamp: mc.bufferStamp()}
}

// bufferStamp is apart from NewBuffer, which is to unfold, so that a Buffer that
// stays in a function stays on its stack.
//
//go:noinline
func (mc Context) bufferStamp() uint64 {
	mc.check("NewBuffer")
	if m := kinds.Methods[mc.core.Kind()]; m.Traits().OneSize {
		panic(mc.refuse("NewBuffer", 0, kind.Misuse(fmt.Sprintf("a %s has chunks of one size, and a Buffer grows: make it in a context of another kind", m.Name()))))
	}
	return mc.core.Cookie
}

// live says whether the bytes are the Buffer's still.
func (b *Buffer) live() bool {
	c := b.mc.core
	return c != nil && c.Epoch == b.mc.epoch && b.seller.Cookie == b.stamp && *b.mark == b.header
}

// check panics unless the Buffer can be used.
func (b *Buffer) check(op string) {
	if !b.live() {
		b.revive(op)
	}
}

// revive is apart from check because it panics, but for a Buffer without bytes,
// from which a reset took nothing.
func (b *Buffer) revive(op string) {
	if b.mc.core == nil {
		panic(&Fault{Op: op, Reason: "the zero Buffer has no context: make one with NewBuffer"})
	}
	b.mc.check(op)
	if cap(b.buf) == 0 {
		b.forget()
		return
	}
	panic(&Fault{Op: op, Context: b.mc.Path(), Address: b.address(), Reason: "the bytes are void: the context was reset, " +
		"or they were freed, or grew, through a copy of the Buffer: make a new one with NewBuffer"})
}

// forget leaves the Buffer without a chunk.
func (b *Buffer) forget() {
	*b = Buffer{mc: b.mc, mark: &noHeader, seller: b.mc.core, stamp: b.mc.core.Cookie}
}

// hold makes the chunk at p, of room bytes, the Buffer's; n of them are written.
func (b *Buffer) hold(p, room uintptr, n int) {
	b.buf, b.mark, b.seller = osmem.Bytes(p, room)[:n], &noHeader, b.mc.core
	if kinds.Traits(b.mc.core.Kind()).Headers {
		b.mark, b.seller = (*uint64)(osmem.At(p-chunk.HeaderSize)), b.mc.seller(p)
	}
	b.stamp, b.header = b.seller.Cookie, *b.mark
}

// what is what the chunk's header says.
func (b *Buffer) what() uint64 { return b.header ^ b.stamp }

// address is where the bytes are.
func (b *Buffer) address() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b.buf))) }

// isAt says whether the Buffer has the bytes that it had before foreign code ran, and
// as many.
func (b *Buffer) isAt(was []byte) bool {
	return b.live() && unsafe.SliceData(b.buf) == unsafe.SliceData(was) && len(b.buf) == len(was)
}

// fits says whether n bytes more can be written as it is.
func (b *Buffer) fits(n int) bool { return n <= cap(b.buf)-len(b.buf) && b.live() }

// Write appends p. The error is nil or an *OutOfMemoryError. p may be bytes of the
// Buffer itself.
//
// PostgreSQL: appendBinaryStringInfo.
func (b *Buffer) Write(p []byte) (n int, err error) { return b.write("Buffer.Write", p) }

// WriteString appends s. The error is nil or an *OutOfMemoryError.
//
// PostgreSQL: appendStringInfoString.
func (b *Buffer) WriteString(s string) (n int, err error) {
	return b.write("Buffer.WriteString", unsafe.Slice(unsafe.StringData(s), len(s))) // read only
}

// WriteRune appends the UTF-8 encoding of r, and answers its length. The error is nil
// or an *OutOfMemoryError.
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

// WriteByte appends c. The error is nil or an *OutOfMemoryError.
//
// PostgreSQL: appendStringInfoChar.
func (b *Buffer) WriteByte(c byte) error {
	if !b.fits(1) {
		return b.extend("Buffer.WriteByte", []byte{c}, 0)
	}
	b.buf = append(b.buf, c)
	return nil
}

// Len is how many bytes are written.
//
// PostgreSQL: StringInfoData.len.
func (b *Buffer) Len() int {
	b.check("Buffer.Len")
	return len(b.buf)
}

// Cap is how many bytes the Buffer's chunk has, written or not.
//
// PostgreSQL: StringInfoData.maxlen.
func (b *Buffer) Cap() int {
	b.check("Buffer.Cap")
	return cap(b.buf)
}

// Available is how many bytes can be written before the Buffer grows.
//
// PostgreSQL has none.
func (b *Buffer) Available() int {
	b.check("Buffer.Available")
	return cap(b.buf) - len(b.buf)
}

// Bytes is what was written, and no copy of it: it may be changed, and is void after
// the next write, Buffer.Reset, Buffer.Truncate, Buffer.WriteTo or Buffer.Free.
//
// PostgreSQL: StringInfoData.data.
func (b *Buffer) Bytes() []byte {
	b.check("Buffer.Bytes")
	return b.buf
}

// String is what was written, and no copy of it: it must not be kept beyond where
// Buffer.Bytes becomes void, or be looked at while those are changed. CloneString
// makes a lasting one in a context, strings.Clone one on Go's heap.
//
// PostgreSQL: StringInfoData.data.
func (b *Buffer) String() string {
	b.check("Buffer.String")
	return unsafe.String(unsafe.SliceData(b.buf), len(b.buf)) // as long as nobody writes
}

// AvailableBuffer is an empty slice of the room that is left, to be appended to and
// given to Buffer.Write at once: b.Write(strconv.AppendInt(b.AvailableBuffer(), n,
// 10)) formats in place. What does not fit goes to Go's heap first: call
// Buffer.Grow before. Void after the next write.
//
// PostgreSQL has none.
func (b *Buffer) AvailableBuffer() []byte {
	b.check("Buffer.AvailableBuffer")
	return b.buf[len(b.buf):]
}

// Clone is a copy of what was written, on Go's heap, which outlives the context.
//
// PostgreSQL has none.
func (b *Buffer) Clone() []byte {
	b.check("Buffer.Clone")
	return append([]byte(nil), b.buf...)
}

// Reset makes the Buffer empty and keeps its chunk for what is written next.
//
// PostgreSQL: resetStringInfo.
func (b *Buffer) Reset() {
	b.check("Buffer.Reset")
	b.buf = b.buf[:0]
}

// Truncate keeps the first n bytes. It panics with a *Fault when n is negative or more
// than Len.
//
// PostgreSQL has none.
func (b *Buffer) Truncate(n int) {
	if b.check("Buffer.Truncate"); n < 0 || n > len(b.buf) {
		panic(b.mc.refuse("Buffer.Truncate", 0, kind.Misuse(fmt.Sprintf("%d bytes to be kept of %d", n, len(b.buf)))))
	}
	b.buf = b.buf[:n]
}

// Free gives the Buffer's chunk back; the Buffer is then empty, and may be written to
// again. It panics with a *Fault when the chunk lies in a Bump: see Kind.Frees.
//
// PostgreSQL: destroyStringInfo, pfree of StringInfoData.data.
func (b *Buffer) Free() {
	if b.check("Buffer.Free"); cap(b.buf) == 0 {
		return
	}
	c := b.seller
	if err := kind.Free(kinds.Methods[c.Kind()], c, b.address(), b.what()); err != nil {
		panic(chunkFault("Buffer.Free", c, b.address(), err))
	}
	b.forget()
}

package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
)

// How a Buffer grows.
//
// Invariant: when there is no memory the Buffer is as it was, and while it looks for
// some nobody else has used it.
//
// Cost: a copy where the chunk cannot grow in place; Append's curve makes these few.

// extend is apart from write because it can call and fail: it appends p and makes
// room for spare bytes behind it, in a larger chunk where that is needed.
func (b *Buffer) extend(op string, p []byte, spare int) error {
	b.check(op)
	need := uintptr(len(b.buf)) + uintptr(len(p)) + uintptr(spare)
	if need > kind.MaxChunk {
		return b.mc.refuse(op, need, kind.TooLarge(need))
	}
	if need > uintptr(cap(b.buf)) {
		return b.grow(op, p, max(need, leastBuffer))
	}
	b.buf = append(b.buf, p...)
	return nil
}

// grow finds a place for need bytes and appends p, which may be bytes of the Buffer
// itself: they move with it. Only a Bump leaves them where they were.
func (b *Buffer) grow(op string, p []byte, need uintptr) error {
	was, from := b.buf, uintptr(unsafe.Pointer(unsafe.SliceData(p)))-b.address()
	to, room, err := b.enlarge(op, need)
	if err != nil {
		return b.mc.refuse(op, need, err)
	}
	b.hold(to, room, len(was))
	if from < uintptr(cap(was)) && b.mark != &noHeader {
		p = b.buf[from : from+uintptr(len(p)) : room]
	}
	b.buf = append(b.buf, p...)
	return nil
}

// enlarge answers a place for need bytes, and some to spare, with what was written,
// and its room. The first chunk, and any of a Bump, is found as Append finds its own;
// others are resized, which leaves them where they are when they can grow there.
func (b *Buffer) enlarge(op string, need uintptr) (to, room uintptr, err error) {
	was, at, old, c := b.buf, b.address(), uintptr(cap(b.buf)), b.seller
	if b.mark == &noHeader {
		to, room, err = b.mc.enlarge(op, at, uintptr(len(was)), old, need)
		b.stayed(op, was)
		return to, room, err
	}
	to, err = withSpare(c.Owner(), op, curve(old, need), need, func(size uintptr) (uintptr, error) {
		b.stayed(op, was)
		return kind.Realloc(kinds.Methods[c.Kind()], c, at, b.what(), size)
	})
	if err != nil {
		return 0, 0, err
	}
	return to, kind.Capacity(kinds.Methods[c.Kind()], c, to, chunk.Header(to)^c.Cookie), nil
}

// stayed panics when a callback of OnPressure used the Buffer that asked for memory.
func (b *Buffer) stayed(op string, was []byte) {
	if !b.isAt(was) {
		panic(&Fault{Op: op, Context: b.mc.Path(), Reason: "a callback of OnPressure used the Buffer that was growing"})
	}
}

// Grow makes room for n bytes, so that writing as many does not move or fail. It
// panics with a *Fault when n is negative or absurd, and with an
// *OutOfMemoryError when the system refuses memory.
//
// PostgreSQL: enlargeStringInfo.
func (b *Buffer) Grow(n int) {
	if err := b.room("Buffer.Grow", n); err != nil {
		panic(err)
	}
}

// TryGrow is Grow, but returns the *OutOfMemoryError.
//
// PostgreSQL has none.
func (b *Buffer) TryGrow(n int) error { return b.room("Buffer.TryGrow", n) }

func (b *Buffer) room(op string, n int) error {
	if b.check(op); n < 0 {
		return b.mc.refuse(op, 0, kind.Misuse(fmt.Sprintf("room for %d bytes: the number is not negative", n)))
	}
	return b.extend(op, nil, n)
}

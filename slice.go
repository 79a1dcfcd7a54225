package palloc

import (
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Slices and strings in a context.
//
// Invariant: a slice that begins at a chunk's start never has more capacity than
// the chunk; all of the capacity is zeroed where T may hold pointers.
//
// Cost: Append within capacity is the built-in append. Beyond it grows as Go's
// does, in place where the chunk can.

// MakeSlice allocates a zeroed slice of length n and capacity most, no more and no less,
// though the chunk may be larger: see Append. A capacity of 0 takes no memory. It panics
// with a *Fault when the context is gone, when T holds Go pointers and is not Linked,
// when n or most is negative, n beyond most, or the whole too large; with an
// *OutOfMemoryError when the system or a limit refuses memory. Owner only.
//
// PostgreSQL: palloc0_array.
func MakeSlice[T any](mc Context, n, most int) []T {
	s, err := trySlice[T](mc, "MakeSlice", n, most)
	if err != nil {
		panic(err)
	}
	return s
}

// TryMakeSlice is MakeSlice, but returns the *OutOfMemoryError.
func TryMakeSlice[T any](mc Context, n, most int) ([]T, error) {
	return trySlice[T](mc, "TryMakeSlice", n, most)
}

// trySlice sells a zeroed slice; the error is an *OutOfMemoryError.
func trySlice[T any](mc Context, op string, n, most int) ([]T, error) {
	mc.ready(op, typeOf[T]())
	size := mc.sliceSize(op, n, most, unsafe.Sizeof(*new(T)))
	if size == 0 {
		return make([]T, n, most), nil // takes no memory
	}
	p, err := mc.zeroed(op, size)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(osmem.At(p)), most)[:n], nil // just sold, of that size
}

// sliceSize is the bytes of most elements, checked.
func (mc Context) sliceSize(op string, n, most int, each uintptr) uintptr {
	over, size := bits.Mul64(uint64(most), uint64(each))
	if n < 0 || most < n || over != 0 || size > uint64(kind.MaxChunk) {
		panic(&Fault{Op: op, Context: mc.Path(),
			Reason: fmt.Sprintf("length %d and capacity %d of elements of %d bytes: "+
				"the length is from 0 to the capacity, and the whole fits the address space", n, most, each)})
	}
	return uintptr(size)
}

// Append is the built-in append for a slice in a context: beyond its capacity it
// moves to a larger chunk of mc, or, at the end of a Bump's block, grows where it
// is. The old chunk is then freed if the kind frees chunks and s has all of it, so
// that only the new one may be used: s = palloc.Append(mc, s, v). Results of Append,
// Clone and Grow have all of their chunk. Any other slice is copied and left alone,
// and its chunk lives until FreeSlice or the end of its context: one that was cut
// short with s[:n:n], one on Go's heap, and one of MakeSlice, whose capacity is what
// was asked for, if its chunk has room for another element; make a slice that is to
// grow beyond it with Grow(mc, nil, n). The values may lie in s, its spare capacity
// included. It panics as MakeSlice does, and with a *Fault when the chunk is free
// already. Owner only.
func Append[T any](mc Context, s []T, values ...T) []T {
	if len(values) <= cap(s)-len(s) {
		return append(s, values...)
	}
	s, err := grow(mc, "Append", s, values, 0)
	if err != nil {
		panic(err)
	}
	return s
}

// TryAppend is Append, but returns the *OutOfMemoryError, and then s as it was.
func TryAppend[T any](mc Context, s []T, values ...T) ([]T, error) {
	if len(values) <= cap(s)-len(s) {
		return append(s, values...), nil
	}
	return grow(mc, "TryAppend", s, values, 0)
}

// Grow is slices.Grow for a slice in a context: it makes room for n elements more, as
// Append of them would, and leaves the length. Grow(mc, nil, n) makes a slice to be
// appended to, which has all of its chunk. It panics as Append does, and with a
// *Fault when n is negative. Owner only.
//
// PostgreSQL: repalloc_array.
func Grow[T any](mc Context, s []T, n int) []T {
	s, err := growBy(mc, "Grow", s, n)
	if err != nil {
		panic(err)
	}
	return s
}

// TryGrow is Grow, but returns the *OutOfMemoryError, and then s as it was.
func TryGrow[T any](mc Context, s []T, n int) ([]T, error) { return growBy(mc, "TryGrow", s, n) }

func growBy[T any](mc Context, op string, s []T, n int) ([]T, error) {
	switch {
	case n < 0:
		panic(mc.refuse(op, 0, kind.Misuse(fmt.Sprintf("room for %d elements: the number is not negative", n))))
	case n <= cap(s)-len(s):
		return s, nil
	}
	return grow(mc, op, s, nil, n)
}

// grow is apart from Append, which is to unfold. It answers s with the values
// behind it, and room for more elements; on an error, s as it was. The values may lie
// in s, and so its old chunk goes last; where the new place is the old one, what s had
// is written over only by the values, which reach beyond it.
func grow[T any](mc Context, op string, s, values []T, more int) ([]T, error) {
	mc.ready(op, typeOf[T]())
	each := unsafe.Sizeof(*new(T))
	if each == 0 {
		return append(slices.Grow(s, len(values)+more), values...), nil // takes no memory
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(s))) // to be looked up
	used, old := uintptr(len(s))*each, uintptr(cap(s))*each
	need := mc.sliceSize(op, 0, len(s)+len(values)+more, each)
	mc.hasWhole(op, at, old, each) // a Fault before anything is bought
	p, room, err := mc.enlarge(op, at, used, old, need)
	if err != nil {
		return s, mc.refuse(op, need, err)
	}
	what, whole := mc.hasWhole(op, at, old, each) // still
	if p == at {
		used = old // as clean as it was
	}
	clear(osmem.Bytes(p+used, room-used))
	grown := append(unsafe.Slice((*T)(osmem.At(p)), room/each)[:len(s)], values...) // p has room bytes
	if whole {
		// Cannot fail: the chunk is live, and of this context.
		c := mc.seller(at)
		_ = kind.Free(kinds.Methods[c.Kind()], c, at, what)
	}
	return grown, nil
}

// enlarge finds need bytes, and some to spare, for an array of old bytes at p:
// where it is if it ends where a Bump goes on selling, else in a new chunk, to
// which the used bytes are copied. It answers the place and the room.
func (mc Context) enlarge(op string, p, used, old, need uintptr) (q, room uintptr, err error) {
	c := mc.core
	headers := kinds.Traits(c.Kind()).Headers
	try := func(size uintptr) (uintptr, error) {
		room = size
		return kinds.Methods[c.Kind()].Alloc(c, size)
	}
	if !headers {
		try = func(size uintptr) (uintptr, error) {
			room = (size + chunk.Align - 1) &^ (chunk.Align - 1)
			if old > 0 && kinds.Methods[c.Kind()].Extend(c, p, old, room) {
				return p, nil
			}
			return kinds.Methods[c.Kind()].Alloc(c, room)
		}
	}
	if q, err = withSpare(c, op, curve(old, need), need, try); err != nil || q == p {
		return q, room, err
	}
	copyBytes(q, p, used)
	if headers {
		room = mc.roomAt(q, room)
	}
	return q, room, nil
}

// roomAt is how many bytes the chunk at p has, which was just sold for size bytes.
func (mc Context) roomAt(p, size uintptr) uintptr {
	if !kinds.Traits(mc.core.Kind()).Headers {
		return (size + chunk.Align - 1) &^ (chunk.Align - 1)
	}
	c := mc.seller(p)
	return kind.Capacity(kinds.Methods[c.Kind()], c, p, chunk.Header(p)^c.Cookie)
}

// withSpare tries to get size bytes, and less and less down to need where that is
// refused. Only for what is needed it has memory freed, so that nothing is evicted for
// bytes that may never be used.
func withSpare(c *kind.Core, op string, size, need uintptr, try func(size uintptr) (uintptr, error)) (uintptr, error) {
	if posted.Load() != 0 {
		answerWhile(c, op)
	}
	const leastPart = 64 // of what is needed: to grow by less would copy too often
	for more := size - need; more > need/leastPart; more /= 2 {
		if p, err := leniently(c, op, func() (uintptr, error) { return try(need + more) }); err == nil {
			return p, nil
		}
	}
	return pressing(c, op, func() (uintptr, error) { return try(need) })
}

// curve is the size to grow to, about Go's own: twice while small, then a
// quarter more.
func curve(old, need uintptr) uintptr {
	const small = 64 << 10
	if old < small {
		return max(need, 2*old)
	}
	return max(need, old+old/4+3*small/4)
}

// hasWhole says whether an array of size bytes at p is all of a live chunk of the
// context, but for less than one more element, and what the chunk's header says:
// then nobody sees more of the chunk than the array. It panics when the chunk was
// freed.
func (mc Context) hasWhole(op string, p, size, each uintptr) (what uint64, yes bool) {
	if !block.Known(p) || !kinds.Traits(mc.core.Kind()).Headers {
		return 0, false
	}
	c := mc.seller(p)
	if what = chunk.Header(p) ^ c.Cookie; what >= chunk.Whats {
		return 0, false
	}
	capacity := kind.Capacity(kinds.Methods[c.Kind()], c, p, what)
	if capacity == 0 {
		panic(chunkFault(op, c, p, kind.TagFault(kinds.Methods[c.Kind()], what)))
	}
	return what, size > 0 && capacity-size < each
}

// copyBytes copies from Go's memory or a context's into a context's.
func copyBytes(to, from, n uintptr) {
	if n > 0 {
		copy(osmem.Bytes(to, n), osmem.Bytes(from, n))
	}
}

// Clone copies a slice into the context. It is as long as s; its capacity is that of
// its chunk, a few elements more where the size was rounded up, as a result of Append
// has it. It panics as MakeSlice does. Owner only.
func Clone[T any](mc Context, s []T) []T {
	c, err := clone(mc, "Clone", s)
	if err != nil {
		panic(err)
	}
	return c
}

// TryClone is Clone, but returns the *OutOfMemoryError.
func TryClone[T any](mc Context, s []T) ([]T, error) { return clone(mc, "TryClone", s) }

func clone[T any](mc Context, op string, s []T) ([]T, error) {
	mc.ready(op, typeOf[T]())
	each := unsafe.Sizeof(*new(T))
	size := mc.sliceSize(op, len(s), len(s), each)
	if size == 0 {
		return make([]T, len(s)), nil // takes no memory
	}
	p, err := supply(mc.core, op, size)
	if err != nil {
		return nil, mc.refuse(op, size, err)
	}
	room := mc.roomAt(p, size)
	copyBytes(p, uintptr(unsafe.Pointer(unsafe.SliceData(s))), size)
	runtime.KeepAlive(s)
	clear(osmem.Bytes(p+size, room-size))
	return unsafe.Slice((*T)(osmem.At(p)), room/each)[:len(s)], nil // p has room bytes
}

// CloneString copies a string into the context. The result is void when the
// context is reset or deleted: do not keep it in a map's key or an error beyond
// that. The empty string takes no memory. Owner only.
//
// PostgreSQL: MemoryContextStrdup, pstrdup.
func CloneString(mc Context, s string) string {
	c, err := cloneString(mc, "CloneString", s)
	if err != nil {
		panic(err)
	}
	return c
}

// TryCloneString is CloneString, but returns the *OutOfMemoryError.
func TryCloneString(mc Context, s string) (string, error) {
	return cloneString(mc, "TryCloneString", s)
}

func cloneString(mc Context, op, s string) (string, error) {
	return cloneBytes(mc, op, unsafe.Slice(unsafe.StringData(s), len(s))) // read only
}

// cloneBytes copies bytes into a string in the context.
func cloneBytes(mc Context, op string, p []byte) (string, error) {
	b, err := clone(mc, op, p)
	if len(b) == 0 {
		return "", err
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), nil // nothing writes to b any more
}

// FreeSlice takes back the chunk that a slice of MakeSlice, Append or Clone
// begins with. A slice without capacity has none and is left alone. It panics
// with a *Fault when s begins in the middle of a chunk, and as Free does: in a Bump
// always, which Kind.Frees tells before. Owner only.
//
// PostgreSQL: pfree.
func FreeSlice[T any](s []T) {
	if uintptr(cap(s))*unsafe.Sizeof(*new(T)) != 0 {
		FreePointer(unsafe.Pointer(unsafe.SliceData(s)))
	}
}

// FreeString takes back the chunk of a string of CloneString. The empty string
// has none and is left alone. It panics as FreeSlice does. Owner only.
//
// PostgreSQL: pfree.
func FreeString(s string) {
	if len(s) != 0 {
		FreePointer(unsafe.Pointer(unsafe.StringData(s)))
	}
}

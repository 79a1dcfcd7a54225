package palloc

import (
	"fmt"
	"math/bits"
	"runtime"
	"slices"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/budget"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/typerule"
)

// Slices in a context.
//
// Invariant: a slice that begins at a chunk's start never has more capacity than the chunk.
// All of its capacity is zeroed if T may hold pointers. A slice of strings or of pointers in
// a context was promised to hold none of Go's heap: by MakeStrings or MakePointers, or by the
// struct that it is an array of.
//
// Cost: Append within capacity is the built-in append. Beyond it the slice grows as Go's
// does, in place if the chunk can.

// MakeSlice returns a zeroed slice of exactly this length and capacity, though the chunk may
// be larger: see Append. A capacity of 0 takes no memory. It panics with a *Fault when the
// context was deleted, when T has Go pointers that NoHeapPointers or AllowPointers does not
// cover, when len or cap is negative, when len is more than cap, or when the size is too
// large; and with an *OutOfMemoryError when the system or a limit refuses memory. Owner
// only.
//
// PostgreSQL: palloc0_array.
func MakeSlice[T any](mc Context, len, cap int) []T {
	return must(trySlice[T](mc, "MakeSlice", len, cap))
}

// TryMakeSlice works as MakeSlice does, but returns the *OutOfMemoryError. Owner only.
//
// PostgreSQL: palloc_array_extended.
func TryMakeSlice[T any](mc Context, len, cap int) ([]T, error) {
	return trySlice[T](mc, "TryMakeSlice", len, cap)
}

// trySlice allocates a zeroed slice; the error is an *OutOfMemoryError.
func trySlice[T any](mc Context, op string, len, cap int) ([]T, error) {
	mc.ready(op, typerule.Of[T]())
	size := mc.sliceSize(op, len, cap, unsafe.Sizeof(*new(T)))
	if size == 0 {
		return make([]T, len, cap), nil // takes no memory
	}
	mc.expect(typerule.Of[T]())
	p, err := mc.zeroed(op, size)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(p), cap)[:len], nil // just allocated, of that size
}

// MakeStrings returns a slice of empty strings in the context. The call is a promise that the
// strings stored in it will lie in contexts that live at least as long, or be constants:
//
//	list := palloc.MakeStrings(mc, 0, 8)
//	list = palloc.Append(mc, list, palloc.CloneString(mc, text))
//
// A string on Go's heap is freed although the list refers to it; only Check of a checked
// context finds it. CloneStrings copies a list with its strings. The slice covers its whole
// chunk, and has a capacity of at least 1, so that Append grows it. It panics as MakeSlice
// does. Owner only.
//
// PostgreSQL: palloc0_array.
func MakeStrings(mc Context, len, cap int) []string {
	return must(makePromised[string](mc, "MakeStrings", len, cap))
}

// TryMakeStrings works as MakeStrings does, but returns the *OutOfMemoryError. Owner only.
func TryMakeStrings(mc Context, len, cap int) ([]string, error) {
	return makePromised[string](mc, "TryMakeStrings", len, cap)
}

// MakePointers returns a slice of nil pointers in the context. The call is a promise that
// the pointers stored in it will lead into contexts that live at least as long, or to static
// data:
//
//	nodes := palloc.MakePointers[node](mc, 0, 8)
//	nodes = palloc.Append(mc, nodes, palloc.New[node](mc))
//
// T must be a type that New accepts. Otherwise MakePointers works as MakeStrings does. Owner
// only.
//
// PostgreSQL: palloc0_array, or a List.
func MakePointers[T any](mc Context, len, cap int) []*T {
	mc.ready("MakePointers", typerule.Of[T]())
	return must(makePromised[*T](mc, "MakePointers", len, cap))
}

// TryMakePointers works as MakePointers does, but returns the *OutOfMemoryError. Owner only.
func TryMakePointers[T any](mc Context, len, cap int) ([]*T, error) {
	mc.ready("TryMakePointers", typerule.Of[T]())
	return makePromised[*T](mc, "TryMakePointers", len, cap)
}

// makePromised allocates a zeroed slice of at least one element without asking the pointer
// rule; the error is an *OutOfMemoryError.
func makePromised[T any](mc Context, op string, len, cap int) ([]T, error) {
	mc.check(op)
	each := unsafe.Sizeof(*new(T))
	size := max(mc.sliceSize(op, len, cap, each), each)
	mc.expect(typerule.Of[T]())
	p, err := budget.Alloc(mc.ref.Core, op, size)
	if err != nil {
		return nil, mc.refuse(op, size, err)
	}
	room := mc.roomAt(p, size)
	clear(osmem.Bytes(p, room))
	return unsafe.Slice((*T)(osmem.At(p)), room/each)[:len], nil // p has room bytes
}

// readyFor panics unless the context is live and accepts values of the type, or the slice at p
// is one of strings or pointers in a context.
func (mc Context) readyFor(op string, t *typerule.Type, p uintptr) {
	mc.check(op)
	if !rule.Accepts(t) && !(t.IsPointer() && (checked.Owns(p) || block.Readable(p&^7))) {
		mustAccept(op, t)
	}
}

// CloneStrings copies a list of strings into the context, with the strings. Append and
// FreeSlice work on the result; each string that is not empty has a chunk of its own. It
// panics as MakeSlice does, after it freed what it had copied, if the kind frees chunks.
// Owner only.
func CloneStrings(mc Context, list []string) []string {
	return must(cloneStrings(mc, "CloneStrings", list))
}

// TryCloneStrings works as CloneStrings does, but returns the *OutOfMemoryError. Owner only.
func TryCloneStrings(mc Context, list []string) ([]string, error) {
	return cloneStrings(mc, "TryCloneStrings", list)
}

func cloneStrings(mc Context, op string, list []string) ([]string, error) {
	copies, err := makePromised[string](mc, op, len(list), len(list))
	if err != nil {
		return nil, err
	}
	for i := range list {
		if copies[i], err = tryCloneText(mc, op, list[i]); err != nil {
			if mc.Kind().Frees() {
				for _, s := range copies[:i] {
					FreeString(s)
				}
				FreeSlice(copies)
			}
			return nil, err
		}
	}
	return copies, nil
}

// sliceSize returns the size of cap elements in bytes. It panics unless len and cap are
// valid for a slice.
func (mc Context) sliceSize(op string, len, cap int, each uintptr) uintptr {
	over, size := bits.Mul64(uint64(cap), uint64(each))
	if len < 0 || cap < len || over != 0 || size > uint64(kind.MaxChunk) {
		panic(raise(&Fault{Op: op, Context: mc.Path(),
			Reason: fmt.Sprintf("length %d and capacity %d of elements of %d bytes: "+
				"the length must be from 0 to the capacity, and the size must fit in the address space", len, cap, each)}))
	}
	return uintptr(size)
}

// Append is the built-in append for a slice in a context. Beyond the capacity it moves the
// slice to a larger chunk of mc or, at the end of a Bump's block, grows it in place. The old
// chunk is then freed if the kind frees chunks and s covers all of it, so use only the
// result: s = palloc.Append(mc, s, v). The built-in append moves the slice to Go's heap
// instead.
//
// Results of Append, Clone and Grow cover their whole chunk. Any other slice is copied when
// it grows, and its chunk, if it has one, lives until FreeSlice or the end of its context.
// Such a slice is one that was shortened with s[:n:n], one on Go's heap, or one of MakeSlice
// whose chunk has room for another element, since MakeSlice gives exactly the capacity that
// was requested. To make a slice that will grow, use Grow[T](mc, nil, n).
//
// The values may overlap s, also its spare capacity. s may be nil. Append panics as
// MakeSlice does, and with a *Fault when it moves s and the chunk of s was freed. It does
// not notice in general that the context of s was reset or deleted: set s to nil then. Owner
// only.
//
// PostgreSQL: repalloc_array.
func Append[T any](mc Context, s []T, values ...T) []T {
	if len(values) <= cap(s)-len(s) {
		return append(s, values...)
	}
	return must(grow(mc, "Append", s, values, 0, 0))
}

// TryAppend works as Append does, but returns the *OutOfMemoryError, and then s unchanged. Owner
// only.
func TryAppend[T any](mc Context, s []T, values ...T) ([]T, error) {
	if len(values) <= cap(s)-len(s) {
		return append(s, values...), nil
	}
	return grow(mc, "TryAppend", s, values, 0, 0)
}

// Grow is slices.Grow for a slice in a context: it makes room for n more elements, as
// Append of them would, and keeps the length. Grow[T](mc, nil, n) makes a slice to append
// to, which covers its whole chunk. It panics as Append does, and with a *Fault when n is
// negative. Owner only.
//
// PostgreSQL: repalloc_array.
func Grow[T any](mc Context, s []T, n int) []T {
	return must(growBy(mc, "Grow", s, n))
}

// TryGrow works as Grow does, but returns the *OutOfMemoryError, and then s unchanged. Owner
// only.
func TryGrow[T any](mc Context, s []T, n int) ([]T, error) { return growBy(mc, "TryGrow", s, n) }

func growBy[T any](mc Context, op string, s []T, n int) ([]T, error) {
	switch {
	case n < 0:
		panic(mc.refuse(op, 0, kind.Misuse(fmt.Sprintf("room for %d elements: the number must not be negative", n))))
	case n <= cap(s)-len(s):
		return s, nil
	}
	return grow(mc, op, s, nil, n, 0)
}

// grow returns s with the values appended and room for more elements; on an error, s
// unchanged. The values may be in s, so its old chunk is freed last; if it grows in place,
// the values are written after what s had. It has least bytes if no limit refuses them. It is
// separate so that Append can be inlined.
func grow[T any](mc Context, op string, s, values []T, more int, least uintptr) ([]T, error) {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(s))) // a number, to be looked up
	mc.readyFor(op, typerule.Of[T](), at)
	each := unsafe.Sizeof(*new(T))
	if each == 0 {
		return append(slices.Grow(s, len(values)+more), values...), nil // takes no memory
	}
	used, old := uintptr(len(s))*each, uintptr(cap(s))*each
	need := mc.sliceSize(op, 0, len(s)+len(values)+more, each)
	if at != 0 {
		mc.isWholeChunk(op, at, old, each) // panics before anything is allocated
	}
	mc.expect(typerule.Of[T]())
	p, room, err := mc.enlarge(op, at, used, old, need, max(curve(old, need), least))
	if err != nil {
		return s, mc.refuse(op, need, err)
	}
	var tag uint64
	whole := false
	switch at {
	case 0:
	case p:
		used = old // only the new bytes are cleared
	default:
		tag, whole = mc.isWholeChunk(op, at, old, each) // again: a callback may have run
	}
	clear(osmem.Bytes(p+used, room-used))
	grown := append(unsafe.Slice((*T)(osmem.At(p)), room/each)[:len(s)], values...) // p has room bytes
	if whole {
		// Cannot fail: the chunk is live, and of this context.
		c := mc.shardOf(at)
		_ = kind.Free(methodsAt(c, at), c, at, tag)
	}
	return grown, nil
}

// enlarge returns at least need bytes for an array of old bytes at p, size bytes if no limit
// refuses them, and the capacity: in place if it is the last chunk of a Bump's block,
// otherwise in a new chunk, to which it copies the used bytes.
func (mc Context) enlarge(op string, p, used, old, need, size uintptr) (q, room uintptr, err error) {
	if q, room = mc.enlargeAtHand(p, old, size); q == 0 {
		q, room, err = mc.enlargeSlow(op, p, old, need, size)
	}
	if err != nil || q == p {
		return q, room, err
	}
	copyBytes(q, p, used)
	return q, mc.roomAt(q, room), nil
}

// enlargeAtHand returns where size bytes are if no block must be acquired; otherwise 0.
func (mc Context) enlargeAtHand(p, old, size uintptr) (q, room uintptr) {
	c := mc.ref.Core
	if budget.AsksOrSamples() {
		return 0, 0
	}
	if !kinds.Traits(c.Kind()).Headers {
		size = (size + chunk.Align - 1) &^ (chunk.Align - 1)
		if old > 0 && kinds.Methods[c.Kind()].Extend(c, p, old, size) {
			return p, size
		}
	}
	return atHand(mc, size), size
}

// enlargeSlow is enlargeAtHand for what may need a block.
func (mc Context) enlargeSlow(op string, p, old, need, size uintptr) (q, room uintptr, err error) {
	c := mc.ref.Core
	try := func(size uintptr) (uintptr, error) {
		room = size
		return kinds.Methods[c.Kind()].Alloc(c, size)
	}
	if !kinds.Traits(c.Kind()).Headers {
		try = func(size uintptr) (uintptr, error) {
			room = (size + chunk.Align - 1) &^ (chunk.Align - 1)
			if old > 0 && kinds.Methods[c.Kind()].Extend(c, p, old, room) {
				return p, nil
			}
			return kinds.Methods[c.Kind()].Alloc(c, room)
		}
	}
	q, err = withSpare(c, op, size, need, try)
	return q, room, err
}

// roomAt returns the capacity in bytes of the chunk at p, which was just allocated for size
// bytes.
func (mc Context) roomAt(p, size uintptr) uintptr {
	if !kinds.Traits(mc.ref.Core.Kind()).Headers {
		return (size + chunk.Align - 1) &^ (chunk.Align - 1)
	}
	c := mc.shardOf(p)
	return kind.Capacity(methodsAt(c, p), c, p, chunk.Header(p)^c.Cookie)
}

// withSpare tries to allocate size bytes and, while that is refused, smaller sizes down to
// need. Callbacks free memory only for need bytes, so that nothing is evicted for bytes
// that may never be used.
func withSpare(c *kind.Core, op string, size, need uintptr, try func(size uintptr) (uintptr, error)) (uintptr, error) {
	if budget.HasOwnerRequests() {
		budget.AnswerFor(c, op)
	}
	const minPart = 64 // need/minPart is the smallest spare size: with less, growing would copy too often
	for more := size - need; more > need/minPart; more /= 2 {
		if p, err := budget.Try(c, op, true, func() (uintptr, error) { return try(need + more) }); err == nil {
			return p, nil
		}
	}
	return budget.Try(c, op, false, func() (uintptr, error) { return try(need) })
}

// curve returns the size to grow to, about as Go does: double while small, then a quarter
// more.
func curve(old, need uintptr) uintptr {
	const small = 64 << 10
	if old < small {
		return max(need, 2*old)
	}
	return max(need, old+old/4+3*small/4)
}

// isWholeChunk reports whether an array of size bytes at p has all of a live chunk of the
// context, up to less than one more element, so that no other slice has a part of it. It
// returns the tag bits of the chunk's header. It panics when the chunk was freed.
func (mc Context) isWholeChunk(op string, p, size, each uintptr) (tag uint64, whole bool) {
	if checked.Owns(p) {
		return mc.isWholeChecked(op, p, size, each)
	}
	if !block.Readable(p) {
		return 0, false
	}
	c := mc.shardOf(p)
	if size > 0 && isUncut(c, p) {
		f := (&Fault{Op: op, Address: p, Mistake: StalePointer, Context: mc.Path(), Reason: "the slice is of before a reset: its memory is not allocated"})
		panic(raise(f))
	}
	if !kinds.Traits(mc.ref.Core.Kind()).Headers {
		return 0, false
	}
	if tag = chunk.Header(p) ^ c.Cookie; tag >= chunk.TagLimit {
		return 0, false
	}
	capacity := kind.Capacity(kinds.Methods[c.Kind()], c, p, tag)
	if capacity == 0 {
		panic(chunkFault(op, c, p, kind.TagFault(kinds.Methods[c.Kind()], tag)))
	}
	return tag, size > 0 && capacity-size < each
}

// isUncut reports whether an address is in the part of the current block from which chunks are cut.
func isUncut(c *kind.Core, p uintptr) bool {
	if c.Kind() == shared.ShardID { // others cut it meanwhile
		return shared.IsUncut(c, p)
	}
	return p-c.Cur < c.End-c.Cur
}

// isWholeChecked is isWholeChunk for an address in the memory of checked contexts.
func (mc Context) isWholeChecked(op string, p, size, each uintptr) (tag uint64, whole bool) {
	c, capacity, err := checked.Capacity(p)
	if x, ok := err.(*checked.Finding); ok && x.Mistake == checked.Interior {
		return 0, false
	}
	if err != nil {
		panic(chunkFault(op, c, p, err))
	}
	return checked.Live, c == mc.ref.Core && size > 0 && capacity-size < each && kinds.Traits(c.Kind()).Frees
}

// copyBytes copies n bytes, from Go's memory or a context, into a context.
func copyBytes(to, from, n uintptr) {
	if n > 0 {
		copy(osmem.Bytes(to, n), osmem.Bytes(from, n))
	}
}

// Clone copies a slice into the context. The copy has the length of s. Its capacity is that
// of its chunk, which may be more, as for Append. What the elements point to is not copied.
// To copy a slice to Go's heap, so that it outlives the context, use slices.Clone. Clone
// panics as MakeSlice does. Owner only.
func Clone[T any](mc Context, s []T) []T {
	return must(clone(mc, "Clone", s))
}

// TryClone works as Clone does, but returns the *OutOfMemoryError. Owner only.
func TryClone[T any](mc Context, s []T) ([]T, error) { return clone(mc, "TryClone", s) }

func clone[T any](mc Context, op string, s []T) ([]T, error) {
	mc.readyFor(op, typerule.Of[T](), uintptr(unsafe.Pointer(unsafe.SliceData(s)))) // a number, to be looked up
	each := unsafe.Sizeof(*new(T))
	size := mc.sliceSize(op, len(s), len(s), each)
	if size == 0 {
		return make([]T, len(s)), nil // takes no memory
	}
	mc.expect(typerule.Of[T]())
	p, err := budget.Alloc(mc.ref.Core, op, size)
	if err != nil {
		return nil, mc.refuse(op, size, err)
	}
	room := mc.roomAt(p, size)
	copyBytes(p, uintptr(unsafe.Pointer(unsafe.SliceData(s))), size)
	runtime.KeepAlive(s)
	clear(osmem.Bytes(p+size, room-size))
	return unsafe.Slice((*T)(osmem.At(p)), room/each)[:len(s)], nil // p has room bytes
}

// FreeSlice frees the chunk of a slice that MakeSlice, Append, Grow or Clone returned, also
// when it was shortened at its end. For a slice without capacity it does nothing. It panics
// with a *Fault when s does not begin at the start of a live chunk, such as s[1:], or is in
// a Bump: see Kind.Frees. Owner only.
//
// PostgreSQL: pfree.
func FreeSlice[T any](s []T) {
	if uintptr(cap(s))*unsafe.Sizeof(*new(T)) != 0 {
		FreePointer(unsafe.Pointer(unsafe.SliceData(s)))
	} else if s != nil {
		freeNothing(uintptr(unsafe.Pointer(unsafe.SliceData(s)))) // a number, to be looked up
	}
}

// freeNothing panics if a slice without capacity begins where a live chunk does.
func freeNothing(p uintptr) {
	if !checked.Owns(p) && !block.Readable(p) {
		return
	}
	if c := liveChunk(p); c != nil {
		panic(chunkFault("FreeSlice", c, p, kind.Misuse(fmt.Sprintf("the slice has no capacity, so that nothing is freed: free the chunk at %#x by the whole slice", p))))
	}
}

// liveChunk returns the node of the live chunk that begins at p, an address in committed memory; nil
// if there is none.
func liveChunk(p uintptr) *kind.Core {
	if checked.Owns(p) {
		if c, err := checked.Chunk(p); err == nil {
			return c
		}
		return nil
	}
	h := chunk.Header(p)
	c := kind.At(chunk.Index(h))
	if h^c.Cookie >= chunk.TagLimit || c.Kind() == kind.None || kind.Capacity(kinds.Methods[c.Kind()], c, p, h^c.Cookie) == 0 {
		return nil
	}
	return c
}

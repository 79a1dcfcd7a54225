package palloc

import (
	"fmt"
	"hash/maphash"
	"iter"
	"reflect"
	"runtime"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/deepcopy"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
	"github.com/gopalloc/palloc/internal/typerule"
)

// Values that refer to memory of contexts without Go pointers: Text, Ref and Vec. And copies of
// values with all that they refer to.
//
// Invariant: what they refer to was memory of a context when they were made. They hold
// addresses as numbers, so that the pointer rule accepts a struct of them without a promise,
// and none of them can come to refer to Go's heap.
//
// Cost: a load and a compare for each use; for a process with checked contexts the search for
// the chunk. A copy walks twice, by a plan of its type.

// A Text is a string in a context: 16 bytes, or 8 on 32 bits, without a Go pointer. A struct
// with a Text in place of a string needs no NoHeapPointers, and cannot refer to a string on
// Go's heap:
//
//	type user struct {
//		id   int
//		name palloc.Text
//	}
//	u := palloc.New[user](mc)
//	u.name = palloc.NewText(mc, name)
//
// The zero Text is the empty string. Text is not comparable by ==, which would compare
// addresses: use Equal. A copy refers to the same bytes. A Text is invalid once its context
// is reset or deleted. A use is then a *Fault in a checked context, as long as the memory is
// not used again, and is not noticed elsewhere. FreeString(t.String()) frees it.
//
// The bytes never lie in the Text itself, also when they are few: String would then refer to
// a variable that may change.
//
// PostgreSQL: text.
type Text struct {
	_   [0]func() // not comparable
	at  uintptr   // of the bytes, 0 for none
	len int
}

// NewText copies a string, or bytes, to a Text in the context. The empty string takes no
// memory. It panics as MakeSlice does. Owner only.
//
// PostgreSQL: cstring_to_text.
func NewText[S ~string | ~[]byte](mc Context, s S) Text {
	text := cloneText(mc, "NewText", textIn(&s))
	return *(*Text)(unsafe.Pointer(&text)) // at and len are the words of a string
}

// TryNewText works as NewText does, but returns the *OutOfMemoryError. Owner only.
func TryNewText[S ~string | ~[]byte](mc Context, s S) (Text, error) {
	text, err := tryCloneText(mc, "TryNewText", textIn(&s))
	return textOf(text), err
}

// TextOf returns the Text of a string that is in a context already, such as one of Sprintf or
// a part of one, without a copy. A string that is not empty and in no context is a *Fault.
// Owner only.
func TextOf(s string) Text {
	if s == "" {
		return Text{}
	}
	mustLie("TextOf", uintptr(unsafe.Pointer(unsafe.StringData(s))), false)
	return textOf(s)
}

// textOf returns the Text of a string in a context, or of the empty string of a nil address.
func textOf(s string) Text {
	return Text{at: uintptr(unsafe.Pointer(unsafe.StringData(s))), len: len(s)}
}

// mustLie panics if an address is not in memory of a context, unless it does not matter.
func mustLie(op string, p uintptr, empty bool) {
	if empty {
		return
	}
	if checked.Owns(p) {
		mustBeInUse(op, p)
		return
	}
	if _, ok := block.Find(p); !ok {
		panic(raise(&Fault{Op: op, Address: p, Mistake: BadPointer, Reason: "the address belongs to no context: " +
			"copy what is there into one, with NewText, New or Clone"}))
	}
}

// mustBeInUse panics if an address is in memory of a checked context that ended.
func mustBeInUse(op string, p uintptr) {
	if x := checked.Use(p); x != nil {
		panic(chunkFault(op, x.Core, p, x))
	}
}

// String returns the string, without a copy. It is valid as long as the Text is: strings.Clone
// copies it to Go's heap.
func (t Text) String() string {
	if relaxed.Peek(&checked.Any) != 0 {
		textInUse(t.at)
	}
	return *(*string)(unsafe.Pointer(&t.at)) // at and len are the words of a string
}

// textInUse is mustBeInUse for String, which can be inlined since this is not.
//
//go:noinline
func textInUse(p uintptr) { mustBeInUse("Text.String", p) }

// Len returns the number of bytes. Any goroutine.
func (t Text) Len() int { return t.len }

// Equal reports whether the two have the same bytes.
func (t Text) Equal(u Text) bool { return t.len == u.len && t.String() == u.String() }

// Compare returns -1, 0 or 1, as strings.Compare does.
func (t Text) Compare(u Text) int { return strings.Compare(t.String(), u.String()) }

// Hash returns the hash of the bytes, which is maphash.String's.
func (t Text) Hash(seed maphash.Seed) uint64 { return maphash.String(seed, t.String()) }

// AppendTo appends the bytes to b by the built-in append. For bytes in a context use
// AppendString.
func (t Text) AppendTo(b []byte) []byte { return append(b, t.String()...) }

// A Ref is a reference to a T in a context, of the size of a pointer, without a Go pointer:
//
//	type node struct {
//		key         int
//		left, right palloc.Ref[node]
//	}
//	root.left = palloc.NewRef[node](mc)
//
// A struct with a Ref in place of a pointer needs no NoHeapPointers, and cannot refer to Go's
// heap. The zero Ref is nil. == compares addresses, as that of pointers does. A Ref is
// invalid, and a use noticed, as with a Text.
//
// PostgreSQL has none: C's pointers need no marks.
type Ref[T any] struct {
	_  [0]*T // no conversion to a Ref of another type
	at uintptr
}

// NewRef returns the Ref of a zeroed T, which it allocates as New does. It need not look the
// address up, as RefOf does. It panics as New does. Owner only.
//
// PostgreSQL: palloc0_object.
func NewRef[T any](mc Context) Ref[T] {
	p := osmem.At(allocTyped(mc, typerule.Of[T](), unsafe.Sizeof(*new(T)), checkType, acceptNewRef, checkLive, allocByKind, bumpConst, setConst, staleNewRef, slowNewRef))
	clear((*maxBytes)(p)[:unsafe.Sizeof(*new(T))])
	return Ref[T]{at: uintptr(p)}
}

// acceptNewRef is mustAccept for NewRef.
func acceptNewRef(mc Context, t *typerule.Type) {
	mustAccept("NewRef", t)
	mc.expect(t)
}

// staleNewRef is stale for NewRef.
func staleNewRef(mc Context) uintptr { panic(mc.gone("NewRef")) }

// slowNewRef is slow for NewRef.
func slowNewRef(c *kind.Core, size uintptr) uintptr {
	return slab.Alloc(c, "NewRef", size, slab.Pop, slab.Take, slab.Cut, allocOrPanic)
}

// TryNewRef works as NewRef does, but returns the *OutOfMemoryError. Owner only.
func TryNewRef[T any](mc Context) (Ref[T], error) {
	p, err := tryNew[T](mc, "TryNewRef")
	return Ref[T]{at: uintptr(unsafe.Pointer(p))}, err
}

// RefOf returns the Ref of a T that is in a context: one of New, an element of a slice, or a
// field of either. It looks the address up. The Ref of nil is the zero Ref. A pointer that
// leads to no context is a *Fault. Owner only.
func RefOf[T any](p *T) Ref[T] {
	at := uintptr(unsafe.Pointer(p)) // a number, to be looked up
	mustLie("RefOf", at, p == nil)
	return Ref[T]{at: at}
}

// Get returns the pointer; nil for the zero Ref.
func (r Ref[T]) Get() *T {
	if relaxed.Peek(&checked.Any) != 0 {
		refInUse(r.at)
	}
	return (*T)(osmem.At(r.at))
}

// refInUse is mustBeInUse for Get, which can be inlined since this is not.
//
//go:noinline
func refInUse(p uintptr) { mustBeInUse("Ref.Get", p) }

// IsNil reports whether it is the zero Ref. Any goroutine.
func (r Ref[T]) IsNil() bool { return r.at == 0 }

// A Vec is a slice in a context, of the size of a slice, without a Go pointer:
//
//	type order struct {
//		lines palloc.Vec[line]
//	}
//	o.lines.Append(mc, line{...})
//
// A struct with a Vec in place of a slice needs no NoHeapPointers, and cannot refer to Go's
// heap. The zero Vec is empty. A copy shares the elements as a copied slice does: after an
// Append to one of the two do not use the other. A Vec is invalid, and a use noticed, as with
// a Text.
//
// PostgreSQL: List.
type Vec[T any] struct {
	_        [0]func(*T) // not comparable, and no conversion to a Vec of another type
	at       uintptr     // of the elements, 0 for none
	len, cap int
}

// VecOf returns the Vec of a slice that is in a context already, without a copy. A slice with
// capacity and in no context is a *Fault: append it to a zero Vec, which copies it. Owner
// only.
func VecOf[T any](s []T) Vec[T] {
	mustLie("VecOf", uintptr(unsafe.Pointer(unsafe.SliceData(s))), uintptr(cap(s))*unsafe.Sizeof(*new(T)) == 0)
	return vecOf(s)
}

// vecOf returns the Vec of a slice in a context.
func vecOf[T any](s []T) Vec[T] {
	if cap(s) == 0 {
		return Vec[T]{}
	}
	return Vec[T]{at: uintptr(unsafe.Pointer(unsafe.SliceData(s))), len: len(s), cap: cap(s)}
}

// Slice returns the elements as a slice, without a copy. They may be changed. The slice is
// valid until the next Append or Free.
func (v Vec[T]) Slice() []T {
	if relaxed.Peek(&checked.Any) != 0 {
		vecInUse(v.at)
	}
	return *(*[]T)(unsafe.Pointer(&v.at)) // at, len and cap are the words of a slice
}

// vecInUse is mustBeInUse for Slice, which can be inlined since this is not.
//
//go:noinline
func vecInUse(p uintptr) { mustBeInUse("Vec.Slice", p) }

// Len returns the number of elements. Any goroutine.
func (v Vec[T]) Len() int { return v.len }

// At returns the address of an element, which is valid as Slice is. It panics when there is no
// such element. It has Slice written out, since with a call it is not inlined.
func (v Vec[T]) At(i int) *T {
	if relaxed.Peek(&checked.Any) != 0 {
		vecInUse(v.at)
	}
	return &(*(*[]T)(unsafe.Pointer(&v.at)))[i] // as in Slice
}

// All returns an iterator over the indices and the addresses of the elements, as they are when
// the loop begins.
func (v Vec[T]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		s := v.Slice()
		for i := range s {
			if !yield(i, &s[i]) {
				return
			}
		}
	}
}

// Append appends the values as the function Append does, in the context mc. The first chunk has
// a capacity of at least 4 elements, or 8 of a byte, unless an element has over 256 bytes or a
// limit refuses what is beyond the values. Owner only.
func (v *Vec[T]) Append(mc Context, values ...T) {
	if len(values) <= v.cap-v.len {
		v.fill(values)
		return
	}
	if err := v.grow(mc, "Vec.Append", values); err != nil {
		panic(err)
	}
}

// TryAppend works as Append does, but returns the *OutOfMemoryError, and leaves the Vec as it
// was then. Owner only.
func (v *Vec[T]) TryAppend(mc Context, values ...T) error {
	if len(values) <= v.cap-v.len {
		v.fill(values)
		return nil
	}
	return v.grow(mc, "Vec.TryAppend", values)
}

// fill appends values for which there is capacity.
func (v *Vec[T]) fill(values []T) {
	s := v.Slice()
	v.len += copy(s[len(s):cap(s)], values)
}

// grow appends values for which there is no capacity.
func (v *Vec[T]) grow(mc Context, op string, values []T) error {
	s, err := grow(mc, op, v.Slice(), values, 0, leastSize(unsafe.Sizeof(*new(T))))
	if err != nil {
		return err
	}
	*v = vecOf(s)
	return nil
}

// leastSize returns the size of the first chunk of a Vec, in bytes: 4 elements, and no fewer
// than 8 bytes; 0 where the elements are so large that one may be all.
func leastSize(each uintptr) uintptr {
	const large = 256
	if each > large {
		return 0
	}
	return max(4*each, 8)
}

// Truncate keeps the first n elements. It panics when n is negative or more than Len. Owner
// only.
func (v *Vec[T]) Truncate(n int) { v.len = len(v.Slice()[:v.len:v.len][:n]) }

// Free frees the chunk of the elements, and makes the Vec the zero Vec. It panics as
// FreeSlice does. Owner only.
func (v *Vec[T]) Free() {
	s := v.Slice()
	*v = Vec[T]{}
	FreeSlice(s)
}

// CloneValue copies a value into the context with all that it refers to: strings, slices,
// pointers, and what these refer to; a Text, Ref or Vec likewise. The copy is one chunk: Free
// frees it as a whole, FreeString and FreeSlice of its parts are Faults, and Append moves its
// slices to chunks of their own.
//
//	row := palloc.CloneValue(mc, row) // *Row
//
// T needs no NoHeapPointers, since all that the copy refers to is in its chunk. It is right
// as long as nothing of Go's heap is stored in it later: for that, embed NoHeapPointers, which
// says so. What is referred to twice is copied twice: do not pass a value in
// which many references share what they lead to.
//
// CloneValue panics as New does, and with a *Fault that names the field: when T has maps,
// channels, funcs, interfaces or unsafe.Pointers, which do not tell what they refer to; and
// when the value leads in a cycle, or over 10000 references that follow each other. Owner
// only.
//
// PostgreSQL: copyObject.
func CloneValue[T any](mc Context, v T) *T { return must(cloneValue(mc, "CloneValue", &v)) }

// TryCloneValue works as CloneValue does, but returns the *OutOfMemoryError. Owner only.
func TryCloneValue[T any](mc Context, v T) (*T, error) { return cloneValue(mc, "TryCloneValue", &v) }

func cloneValue[T any](mc Context, op string, v *T) (*T, error) {
	mc.check(op)
	t := reflect.TypeFor[T]()
	plan, err := deepcopy.For(t)
	if err != nil {
		panic(uncloned(op, mc, t, err))
	}
	size, err := plan.Measure(unsafe.Pointer(v))
	if err != nil {
		panic(uncloned(op, mc, t, err))
	}
	if mc.records(typerule.Of[T]()) {
		checked.ExpectFirst(mc.ref.Core, t)
	}
	p, err := mc.alloc(op, size)
	if err != nil {
		return nil, err
	}
	if err := plan.Copy(uintptr(p), size, unsafe.Pointer(v)); err != nil {
		if mc.Kind().Frees() {
			FreePointer(p)
		}
		panic(uncloned(op, mc, t, err))
	}
	runtime.KeepAlive(v)
	return (*T)(p), nil // just allocated, of that size at least
}

// uncloned returns the Fault about a value that is not copied.
func uncloned(op string, mc Context, t reflect.Type, err error) *Fault {
	return raise(&Fault{Op: fmt.Sprintf("%s[%v]", op, t), Context: mc.Path(), Reason: err.Error()})
}

func init() {
	deepcopy.Stands = func(t reflect.Type) reflect.Type {
		if s, ok := reflect.Zero(t).Interface().(interface {
			standsFor() (self, as reflect.Type)
		}); ok {
			if self, as := s.standsFor(); self == t { // not a struct that embeds it
				return as
			}
		}
		return nil
	}
}

// standsFor returns the type and the Go type with the same words.
func (Text) standsFor() (self, as reflect.Type) {
	return reflect.TypeFor[Text](), reflect.TypeFor[string]()
}

// standsFor returns the type and the Go type with the same word.
func (Ref[T]) standsFor() (self, as reflect.Type) {
	return reflect.TypeFor[Ref[T]](), reflect.TypeFor[*T]()
}

// standsFor returns the type and the Go type with the same words.
func (Vec[T]) standsFor() (self, as reflect.Type) {
	return reflect.TypeFor[Vec[T]](), reflect.TypeFor[[]T]()
}

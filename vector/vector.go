// Package vector has a growing sequence whose elements never move, all in a palloc context.
//
//	users := vector.New[user](mc)
//	u := users.Append(user{ID: 17}) // u stays valid
//	users.At(0).Name = ...
package vector

import (
	"iter"
	"math/bits"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// The elements are in blocks of 8, 16, 32, ... of them, whose addresses are in a table.
//
// Invariant: block k holds the elements from 8*(2^k-1) on, 8*2^k of them. Blocks that hold none are
// kept until Free. What lies behind the last element is zero.
//
// Cost: At takes two loads and a few shifts. Append copies nothing but, at the 1st, 5th, 9th, 17th
// and 33rd block, the table. At most half of the memory is spare.

const (
	firstShift = 3 // the first block has 8 elements
	first      = 1 << firstShift
)

// A Vector is a sequence in a context whose elements keep their addresses. Make one with New; the
// zero Vector has no context, and every use of it panics. Do not copy a Vector. The Vector
// itself is a small Go value, and one object on Go's heap where it escapes.
//
// Elements are of a type that palloc.New accepts: without Go pointers, unless a struct embeds
// palloc.NoHeapPointers. Their memory is kept until Free, or until the context's reset or deletion:
// every use is then a *palloc.Fault, but a Vector without memory stays valid over a reset. A Bump
// frees nothing before that. A Slab has chunks of one size: do not use one. In a Shared context a
// Vector is under the caller's lock. Owner only, all functions.
//
// PostgreSQL has none; List moves its elements.
type Vector[T any] struct {
	mc     palloc.Context
	life   palloc.Lifetime // when the blocks were allocated
	blocks []block[T]
	n      int
	frees  int // number of calls of Free, for loops
	_      nocopy.Mark
}

// A block is the memory of some elements.
type block[T any] struct {
	palloc.NoHeapPointers
	elements []T
}

// New returns an empty Vector. It allocates nothing in the context before the first Append. It
// panics with a *palloc.Fault when the context was deleted, or does not accept T. Owner only.
func New[T any](mc palloc.Context) *Vector[T] {
	palloc.MakeSlice[T](mc, 0, 0) // checks the type
	return &Vector[T]{mc: mc, life: mc.Lifetime()}
}

// check panics unless the blocks are still the Vector's.
func (v *Vector[T]) check(op string) {
	if v.life.Over() {
		v.recheck(op)
	}
}

// recheck panics, unless the Vector has no memory: a reset took nothing from it. It is separate
// since correct programs rarely call it.
//
//go:noinline
func (v *Vector[T]) recheck(op string) {
	if v.blocks == nil && v.mc.Live() {
		v.life = v.mc.Lifetime()
		return
	}
	v.life.Check(op)
}

// locate returns the block of element i, and its index there.
func locate(i int) (k, at int) {
	k = bits.Len(uint(i)+first) - 1 - firstShift
	return k, i + first - first<<k
}

// Len returns the number of elements. Owner only.
func (v *Vector[T]) Len() int {
	v.check("vector.Vector.Len")
	return v.n
}

// At returns the address of element i, which is valid until Free, Pop of it or Clear. It panics with a
// *palloc.Fault when i is negative or not less than Len. Owner only.
func (v *Vector[T]) At(i int) *T {
	if v.life.Over() || uint(i) >= uint(v.n) {
		v.refuse("vector.Vector.At")
	}
	k, at := locate(i)
	return &v.blocks[k].elements[at]
}

// refuse panics about an index. It is separate so that At stays short.
func (v *Vector[T]) refuse(op string) {
	v.check(op)
	v.life.Misuse(op, "the index must be from 0 to less than the length")
}

// Append adds an element and returns its address, which is valid as that of At. It panics with an
// *palloc.OutOfMemoryError when the system or a limit refuses memory: the Vector is then as it was.
// Owner only.
func (v *Vector[T]) Append(value T) *T {
	p, err := v.append("vector.Vector.Append", value)
	if err != nil {
		panic(err)
	}
	return p
}

// TryAppend works as Append does, but returns the *palloc.OutOfMemoryError. Owner only.
func (v *Vector[T]) TryAppend(value T) (*T, error) { return v.append("vector.Vector.TryAppend", value) }

func (v *Vector[T]) append(op string, value T) (*T, error) {
	v.check(op)
	k, at := locate(v.n)
	for k >= len(v.blocks) { // a function of OnPressure may have used the Vector
		if err := v.grow(len(v.blocks)); err != nil {
			return nil, err
		}
		v.check(op)
		k, at = locate(v.n)
	}
	p := &v.blocks[k].elements[at]
	*p = value
	v.n++
	return p, nil
}

// grow adds block k, unless a function of OnPressure did or has freed others meanwhile. The error is
// an *OutOfMemoryError.
func (v *Vector[T]) grow(k int) error {
	if k == cap(v.blocks) {
		table, err := palloc.TryMakeSlice[block[T]](v.mc, 0, max(4, 2*k))
		if err != nil {
			return err
		}
		if len(v.blocks) != k || cap(v.blocks) != k {
			v.free(table)
			return nil
		}
		old := v.blocks
		v.blocks = append(table, old...)
		v.free(old)
	}
	elements, err := palloc.TryMakeSlice[T](v.mc, first<<k, first<<k)
	switch {
	case err == nil && len(v.blocks) == k && k < cap(v.blocks):
		v.blocks = append(v.blocks, block[T]{elements: elements})
	case err == nil && v.mc.Kind().Frees():
		palloc.FreeSlice(elements)
	case err != nil && k == 0 && len(v.blocks) == 0:
		v.free(v.blocks)
		v.blocks = nil
	}
	return err
}

// free frees a table; a Bump frees nothing.
func (v *Vector[T]) free(table []block[T]) {
	if v.mc.Kind().Frees() {
		palloc.FreeSlice(table)
	}
}

// Pop takes out the last element and returns it; false when there is none. Owner only.
func (v *Vector[T]) Pop() (value T, popped bool) {
	v.check("vector.Vector.Pop")
	if v.n == 0 {
		return value, false
	}
	v.n--
	k, at := locate(v.n)
	var zero T
	p := &v.blocks[k].elements[at]
	value, *p = *p, zero
	return value, true
}

// Clear takes out all elements and keeps the memory for the next ones. It takes a step for each
// block, and clears what was used. Owner only.
func (v *Vector[T]) Clear() {
	v.check("vector.Vector.Clear")
	for k := 0; v.n > 0; k++ {
		n := min(v.n, first<<k)
		clear(v.blocks[k].elements[:n])
		v.n -= n
	}
	v.frees++
}

// Free takes out all elements and frees the blocks. In a Bump their memory is freed with the
// context. Owner only.
func (v *Vector[T]) Free() {
	v.check("vector.Vector.Free")
	blocks := v.blocks
	v.blocks, v.n = nil, 0
	v.frees++
	if v.mc.Kind().Frees() {
		for _, b := range blocks {
			palloc.FreeSlice(b.elements)
		}
	}
	v.free(blocks)
}

// All returns an iterator over the elements and their addresses. The loop may append elements, which
// it then meets, and take out some; Clear and Free end it. Owner only.
func (v *Vector[T]) All() iter.Seq2[int, *T] {
	return func(yield func(int, *T) bool) {
		v.check("vector.Vector.All")
		frees := v.frees
		for i := 0; i < v.n && v.frees == frees; {
			for s := v.rest(i); len(s) > 0 && i < v.n && v.frees == frees && !v.life.Over(); s = s[1:] {
				if !yield(i, &s[0]) {
					return
				}
				i++
			}
		}
	}
}

// rest returns the elements from i to the end of its block, also those that are not in use.
func (v *Vector[T]) rest(i int) []T {
	v.check("vector.Vector.All")
	k, at := locate(i)
	return v.blocks[k].elements[at:]
}

// Package heap has a priority queue, all in a palloc context.
//
//	timers := heap.NewFunc(mc, func(a, b timer) int { return cmp.Compare(a.at, b.at) })
//	timers.Push(timer{at: 17})
//	next, ok := timers.Pop() // the least one
package heap

import (
	"cmp"
	"iter"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// The elements are a heap in a slice: the children of element i are 4*i+1 to 4*i+4.
//
// Invariant: no element is before its parent. What is behind the last one is zero. A larger slice is
// allocated before anything changes; what a function of OnPressure did meanwhile is kept.
//
// Cost: Push takes up to log4 n compares, Pop three times as many and a few. A binary heap has twice as many
// levels, each a load that waits for the one before.

// children is the number of children of an element.
const children = 4

// A Heap is a priority queue in a context: it returns the least element first. Make one with New or
// NewFunc; the zero Heap has no context, and every use of it panics. Do not copy a Heap. The Heap
// itself is a small Go value, and one object on Go's heap where it escapes.
//
// Elements are of a type that palloc.New accepts: without Go pointers, unless a struct embeds
// palloc.NoHeapPointers. They move when others are added and taken out: see Heap.Track. The slice
// that holds them doubles when it is full; the old one is then freed, in a Bump with the context.
// It is kept until Free, or until the context's reset or deletion: every use is then a
// *palloc.Fault, but a Heap without memory stays valid over a reset. A Slab has chunks of one size:
// do not use one. In a Shared context a Heap is under the caller's lock. Owner only, all functions.
//
// PostgreSQL: binaryheap.
type Heap[T any] struct {
	mc    palloc.Context
	life  palloc.Lifetime // when the slice was allocated
	s     []T             // its length is the number of elements
	order order[T]
	moved func(value *T, i int)
	_     nocopy.Mark
}

// An order has what depends on how elements are compared. up moves element i up to its place, at most
// to that of top, one above it; fall moves it down to the lowest level, and each least child on
// the way up. They return where it is then.
type order[T any] struct {
	up   func(s []T, i, top int, moved func(*T, int)) int
	fall func(s []T, i int, moved func(*T, int)) int
}

// smallest is the capacity of the first slice.
const smallest = 8

// New returns an empty Heap in the order of cmp.Compare. It allocates nothing in the context before
// the first Push. It panics with a *palloc.Fault when the context was deleted, or does not accept
// T. Owner only.
//
// PostgreSQL: binaryheap_allocate.
func New[T cmp.Ordered](mc palloc.Context) *Heap[T] {
	return newHeap(mc, order[T]{up: up[T], fall: fall[T]})
}

// NewFunc works as New does, in the order of compare, which returns a negative number when a comes
// before b, a positive one when it comes after b, and 0 when that does not matter. compare must
// not use the Heap. Owner only.
func NewFunc[T any](mc palloc.Context, compare func(a, b T) int) *Heap[T] {
	return newHeap(mc, by(compare))
}

func newHeap[T any](mc palloc.Context, o order[T]) *Heap[T] {
	palloc.MakeSlice[T](mc, 0, 0) // checks the type
	return &Heap[T]{mc: mc, life: mc.Lifetime(), order: o}
}

// Track makes the Heap call moved with each element that it puts somewhere else, and its new index:
// an element can so know its index, which Fix and Remove need. moved may change what the order
// does not depend on, and must not use the Heap. It is called for elements that are pushed,
// too. Owner only.
func (h *Heap[T]) Track(moved func(value *T, i int)) { h.moved = moved }

// check panics unless the slice is still the Heap's.
func (h *Heap[T]) check(op string) {
	if h.life.Over() {
		h.recheck(op)
	}
}

// recheck panics, unless the Heap has no memory: a reset took nothing from it. It is separate since
// correct programs rarely call it.
//
//go:noinline
func (h *Heap[T]) recheck(op string) {
	if h.s == nil && h.mc.Live() {
		h.life = h.mc.Lifetime()
		return
	}
	h.life.Check(op)
}

// checkIndex panics unless there is an element i.
func (h *Heap[T]) checkIndex(op string, i int) {
	if h.check(op); uint(i) >= uint(len(h.s)) {
		h.life.Misuse(op, "the index must be from 0 to less than the length")
	}
}

// Len returns the number of elements. Owner only.
func (h *Heap[T]) Len() int {
	h.check("heap.Heap.Len")
	return len(h.s)
}

// At returns the address of element i; 0 is the least, the others have no order. It is valid until an
// element is added, taken out or fixed. If what the order depends on is changed there, call Fix.
// It panics with a *palloc.Fault when i is negative or not less than Len. Owner only.
func (h *Heap[T]) At(i int) *T {
	h.checkIndex("heap.Heap.At", i)
	return &h.s[i]
}

// Min returns the least element; false when there is none. Owner only.
//
// PostgreSQL: binaryheap_first.
func (h *Heap[T]) Min() (value T, found bool) {
	if h.check("heap.Heap.Min"); len(h.s) == 0 {
		return value, false
	}
	return h.s[0], true
}

// Push adds an element. It panics with an *palloc.OutOfMemoryError when the system or a limit refuses
// memory: the Heap is then as it was. Owner only.
//
// PostgreSQL: binaryheap_add.
func (h *Heap[T]) Push(value T) {
	if err := h.push("heap.Heap.Push", value); err != nil {
		panic(err)
	}
}

// TryPush works as Push does, but returns the *palloc.OutOfMemoryError. Owner only.
func (h *Heap[T]) TryPush(value T) error { return h.push("heap.Heap.TryPush", value) }

func (h *Heap[T]) push(op string, value T) error {
	h.check(op)
	for len(h.s) == cap(h.s) {
		if err := h.grow(); err != nil {
			return err
		}
		h.check(op)
	}
	h.s = append(h.s, value)
	h.order.up(h.s, len(h.s)-1, 0, h.moved)
	return nil
}

// grow moves the elements to a slice of twice the capacity, unless a function of OnPressure has changed
// their slice meanwhile. The error is an *OutOfMemoryError.
func (h *Heap[T]) grow() error {
	size := max(smallest, 2*cap(h.s))
	s, err := palloc.TryMakeSlice[T](h.mc, 0, size)
	if err != nil {
		return err
	}
	if size != max(smallest, 2*cap(h.s)) {
		h.free(s)
		return nil
	}
	old := h.s
	h.s = append(s, old...)
	h.free(old)
	return nil
}

// free frees a slice; a Bump frees nothing.
func (h *Heap[T]) free(s []T) {
	if h.mc.Kind().Frees() {
		palloc.FreeSlice(s)
	}
}

// Pop takes out the least element and returns it; false when there is none. Owner only.
//
// PostgreSQL: binaryheap_remove_first.
func (h *Heap[T]) Pop() (value T, popped bool) {
	if h.check("heap.Heap.Pop"); len(h.s) == 0 {
		return value, false
	}
	value = h.s[0]
	h.removeAt(0)
	return value, true
}

// Remove takes out element i and returns it. It panics as At does. Owner only.
//
// PostgreSQL: binaryheap_remove_node.
func (h *Heap[T]) Remove(i int) T {
	h.checkIndex("heap.Heap.Remove", i)
	value := h.s[i]
	h.removeAt(i)
	return value
}

// removeAt puts the last element in the place of element i.
func (h *Heap[T]) removeAt(i int) {
	var zero T
	last := len(h.s) - 1
	h.s[i], h.s[last] = h.s[last], zero
	if h.s = h.s[:last]; i < last {
		h.sink(i, 0)
	}
}

// sink moves element i to its place, below it or between it and top.
func (h *Heap[T]) sink(i, top int) { h.order.up(h.s, h.order.fall(h.s, i, h.moved), top, h.moved) }

// Fix moves element i to its place after it was changed. It panics as At does. Owner only.
//
// PostgreSQL: binaryheap_replace_first, for the first one.
func (h *Heap[T]) Fix(i int) {
	h.checkIndex("heap.Heap.Fix", i)
	if h.order.up(h.s, i, 0, h.moved) == i {
		h.sink(i, i)
	}
}

// Init makes the elements of s those of the Heap, instead of what it has, whose memory is freed. s is
// a slice that palloc.MakeSlice, Append or Clone returned in the Heap's context: it belongs to the
// Heap then. It takes a few steps for each element. Owner only.
//
// PostgreSQL: binaryheap_add_unordered and binaryheap_build.
func (h *Heap[T]) Init(s []T) {
	h.check("heap.Heap.Init")
	if cap(h.s) > 0 {
		h.free(h.s)
	}
	if h.s = s; cap(s) == 0 {
		h.s = nil
	}
	clear(h.s[len(h.s):cap(h.s)])
	if h.moved != nil {
		for i := range h.s {
			h.moved(&h.s[i], i)
		}
	}
	for i := (len(h.s) - 2) / children; i >= 0 && len(h.s) > 1; i-- {
		h.sink(i, i)
	}
}

// All returns an iterator over the elements with their indices, in no order. The loop must not add or
// take out elements. Owner only.
func (h *Heap[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		h.check("heap.Heap.All")
		for i := 0; i < len(h.s); i++ {
			if !yield(i, h.s[i]) {
				return
			}
			if h.life.Over() {
				h.check("heap.Heap.All")
			}
		}
	}
}

// Clear takes out all elements and keeps the memory. Owner only.
//
// PostgreSQL: binaryheap_reset.
func (h *Heap[T]) Clear() {
	h.check("heap.Heap.Clear")
	clear(h.s)
	h.s = h.s[:0]
}

// Free takes out all elements and frees their memory. In a Bump it is freed with the context. Owner
// only.
//
// PostgreSQL: binaryheap_free.
func (h *Heap[T]) Free() {
	h.check("heap.Heap.Free")
	s := h.s
	h.s = nil
	h.free(s)
}

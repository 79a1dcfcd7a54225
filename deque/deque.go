// Package deque has a queue with two ends, all in a palloc context.
//
//	jobs := deque.New[job](mc)
//	jobs.PushBack(job{ID: 17})
//	next, ok := jobs.PopFront()
package deque

import (
	"iter"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// The elements are in a ring: a slice whose length is a power of two.
//
// Invariant: element i is at (head+i) modulo the length. What is not in use is zero. A larger ring is
// allocated before anything changes; what a function of OnPressure did meanwhile is kept.
//
// Cost: a few compares at either end, and for a look at any element. A full ring moves to one twice
// as large.

// A Deque is a queue with two ends in a context. Make one with New; the zero Deque has no context,
// and every use of it panics. Do not copy a Deque. The Deque itself is a small Go value,
// and one object on Go's heap where it escapes.
//
// Elements are of a type that palloc.New accepts: without Go pointers, unless a struct embeds
// palloc.NoHeapPointers. They move when the ring grows: the old ring is then freed, in a Bump with
// the context. The ring is kept until Free, or until the context's reset or deletion: every use is
// then a *palloc.Fault, but a Deque without memory stays valid over a reset. A Slab has chunks of
// one size: do not use one. In a Shared context a Deque is under the caller's lock. Owner only, all
// functions.
//
// PostgreSQL has none.
type Deque[T any] struct {
	mc   palloc.Context
	life palloc.Lifetime // when the ring was allocated
	ring []T
	head int
	n    int
	_    nocopy.Mark
}

// smallest is the length of the first ring.
const smallest = 8

// New returns an empty Deque. It allocates nothing in the context before the first element. It
// panics with a *palloc.Fault when the context was deleted, or does not accept T. Owner only.
func New[T any](mc palloc.Context) *Deque[T] {
	palloc.MakeSlice[T](mc, 0, 0) // checks the type
	return &Deque[T]{mc: mc, life: mc.Lifetime()}
}

// check panics unless the ring is still the Deque's.
func (d *Deque[T]) check(op string) {
	if d.life.Over() {
		d.recheck(op)
	}
}

// recheck panics, unless the Deque has no memory: a reset took nothing from it. It is separate since
// correct programs rarely call it.
//
//go:noinline
func (d *Deque[T]) recheck(op string) {
	if d.ring == nil && d.mc.Live() {
		d.life = d.mc.Lifetime()
		return
	}
	d.life.Check(op)
}

// at returns the address of element i, which may be -1 or n, in a ring that has memory.
func (d *Deque[T]) at(i int) *T { return &d.ring[(d.head+i)&(len(d.ring)-1)] }

// Len returns the number of elements. Owner only.
func (d *Deque[T]) Len() int {
	d.check("deque.Deque.Len")
	return d.n
}

// At returns the address of element i, where 0 is the front. It is valid until an element is added,
// or that one is taken out. At panics with a *palloc.Fault when i is negative or not less than Len.
// Owner only.
func (d *Deque[T]) At(i int) *T {
	if d.check("deque.Deque.At"); uint(i) >= uint(d.n) {
		d.life.Misuse("deque.Deque.At", "the index must be from 0 to less than the length")
	}
	return d.at(i)
}

// Front returns the address of the first element, as At; nil when there is none. Owner only.
func (d *Deque[T]) Front() *T {
	if d.check("deque.Deque.Front"); d.n == 0 {
		return nil
	}
	return d.at(0)
}

// Back returns the address of the last element, as At; nil when there is none. Owner only.
func (d *Deque[T]) Back() *T {
	if d.check("deque.Deque.Back"); d.n == 0 {
		return nil
	}
	return d.at(d.n - 1)
}

// PushBack adds an element behind the last one. It panics with an *palloc.OutOfMemoryError when the
// system or a limit refuses memory: the Deque is then as it was. Owner only.
func (d *Deque[T]) PushBack(value T) {
	if err := d.room("deque.Deque.PushBack"); err != nil {
		panic(err)
	}
	*d.at(d.n) = value
	d.n++
}

// TryPushBack works as PushBack does, but returns the *palloc.OutOfMemoryError. Owner only.
func (d *Deque[T]) TryPushBack(value T) error {
	if err := d.room("deque.Deque.TryPushBack"); err != nil {
		return err
	}
	*d.at(d.n) = value
	d.n++
	return nil
}

// PushFront adds an element before the first one. It panics as PushBack does. Owner only.
func (d *Deque[T]) PushFront(value T) {
	if err := d.room("deque.Deque.PushFront"); err != nil {
		panic(err)
	}
	d.head = (d.head - 1) & (len(d.ring) - 1)
	*d.at(0) = value
	d.n++
}

// TryPushFront works as PushFront does, but returns the *palloc.OutOfMemoryError. Owner only.
func (d *Deque[T]) TryPushFront(value T) error {
	if err := d.room("deque.Deque.TryPushFront"); err != nil {
		return err
	}
	d.head = (d.head - 1) & (len(d.ring) - 1)
	*d.at(0) = value
	d.n++
	return nil
}

// room makes the ring larger if it is full. The error is an *OutOfMemoryError.
func (d *Deque[T]) room(op string) error {
	d.check(op)
	for d.n == len(d.ring) {
		if err := d.grow(); err != nil {
			return err
		}
		d.check(op)
	}
	return nil
}

// grow moves the elements to a ring twice as large, unless a function of OnPressure has changed
// their ring meanwhile.
func (d *Deque[T]) grow() error {
	size := max(smallest, 2*len(d.ring))
	ring, err := palloc.TryMakeSlice[T](d.mc, size, size)
	if err != nil {
		return err
	}
	if size != max(smallest, 2*len(d.ring)) {
		d.free(ring)
		return nil
	}
	for i := range d.n {
		ring[i] = *d.at(i)
	}
	old := d.ring
	d.ring, d.head = ring, 0
	d.free(old)
	return nil
}

// free frees a ring; a Bump frees nothing.
func (d *Deque[T]) free(ring []T) {
	if d.mc.Kind().Frees() {
		palloc.FreeSlice(ring)
	}
}

// PopFront takes out the first element and returns it; false when there is none. Owner only.
func (d *Deque[T]) PopFront() (value T, popped bool) {
	if d.check("deque.Deque.PopFront"); d.n == 0 {
		return value, false
	}
	var zero T
	p := d.at(0)
	value, *p = *p, zero
	d.head = (d.head + 1) & (len(d.ring) - 1)
	d.n--
	return value, true
}

// PopBack takes out the last element and returns it; false when there is none. Owner only.
func (d *Deque[T]) PopBack() (value T, popped bool) {
	if d.check("deque.Deque.PopBack"); d.n == 0 {
		return value, false
	}
	var zero T
	p := d.at(d.n - 1)
	value, *p = *p, zero
	d.n--
	return value, true
}

// Clear takes out all elements and keeps the ring. Owner only.
func (d *Deque[T]) Clear() {
	d.check("deque.Deque.Clear")
	clear(d.ring)
	d.head, d.n = 0, 0
}

// Free takes out all elements and frees the ring. In a Bump its memory is freed with the context.
// Owner only.
func (d *Deque[T]) Free() {
	d.check("deque.Deque.Free")
	ring := d.ring
	d.ring, d.head, d.n = nil, 0, 0
	d.free(ring)
}

// All returns an iterator over the elements from the front, with their indices. The loop may change the
// Deque: each step returns the element that then has the next index. Owner only.
func (d *Deque[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		d.check("deque.Deque.All")
		for i := 0; i < d.n; i++ {
			if !yield(i, *d.at(i)) {
				return
			}
			if d.life.Over() {
				d.check("deque.Deque.All")
			}
		}
	}
}

// Backward returns an iterator over the elements from the back, with their indices. The loop may
// add and take out elements at the back. Owner only.
func (d *Deque[T]) Backward() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		d.check("deque.Deque.Backward")
		for i := d.n - 1; i >= 0; i = min(i, d.n) - 1 {
			if !yield(i, *d.at(i)) {
				return
			}
			if d.life.Over() {
				d.check("deque.Deque.Backward")
			}
		}
	}
}

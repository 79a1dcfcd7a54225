// Package list has a list whose links are in its elements, which the program allocates in a palloc
// context, or where it likes.
//
//	type entry struct {
//		palloc.NoHeapPointers
//		lru list.Links[entry]
//		key int
//	}
//	lru := list.New(func(e *entry) *list.Links[entry] { return &e.lru })
//	lru.PushFront(palloc.New[entry](mc))
package list

import (
	"iter"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// A chain of elements in both directions.
//
// Invariant: the links of an element that is in no list are zero. owner is the number of the list that
// the element is in, so that it is in one at most, for these links.
//
// Cost: a few stores, and a call of the function that finds the links for each element that changes.
// Nothing is allocated.

// Links are what an element needs to be in a list; the zero Links are in none. An element with
// several of them can be in as many lists. Its type embeds palloc.NoHeapPointers when it lies in a
// context.
//
// PostgreSQL: dlist_node.
type Links[T any] struct {
	next, prev *T
	in         uint32 // the number of the list, 0 for none
}

// A List is a list of elements that the program allocates and frees. Make one with New. Do not copy a
// List. It is a small Go value, and one object on Go's heap where it escapes.
//
// An element must be taken out before it is freed, and all of a context's elements before, or with
// Forget after, its reset: the List knows no context, and reads what was freed otherwise, which only
// checked contexts notice. To put an element in two lists by the same links, or to take it out of
// another list than its own, is a *palloc.Fault. Owner only, all functions, as the elements.
//
// PostgreSQL: dlist_head and dclist_head.
type List[T any] struct {
	links       func(*T) *Links[T]
	first, last *T
	n           int
	number      uint32
	_           nocopy.Mark
}

// New returns an empty List by the links that a function finds in an element. Any goroutine.
//
// PostgreSQL: dlist_init.
func New[T any](links func(*T) *Links[T]) *List[T] {
	return &List[T]{links: links, number: number()}
}

// Len returns the number of elements. Owner only.
//
// PostgreSQL: dclist_count.
func (l *List[T]) Len() int { return l.n }

// Front returns the first element; nil when there is none. Owner only.
//
// PostgreSQL: dlist_head_element.
func (l *List[T]) Front() *T { return l.first }

// Back returns the last element; nil when there is none. Owner only.
//
// PostgreSQL: dlist_tail_element.
func (l *List[T]) Back() *T { return l.last }

// Has reports whether the element is in the List. Owner only.
func (l *List[T]) Has(e *T) bool { return l.links(e).in == l.number }

// Next returns the element behind e; nil when there is none. Owner only.
//
// PostgreSQL: dlist_next_node.
func (l *List[T]) Next(e *T) *T { return l.own("list.List.Next", e).next }

// Prev returns the element before e; nil when there is none. Owner only.
//
// PostgreSQL: dlist_prev_node.
func (l *List[T]) Prev(e *T) *T { return l.own("list.List.Prev", e).prev }

// own returns the links of an element, which must be in the List.
func (l *List[T]) own(op string, e *T) *Links[T] {
	k := l.links(e)
	if k.in != l.number {
		palloc.Lifetime{}.Misuse(op, "the element is not in the list")
	}
	return k
}

// PushFront makes e the first element. It panics with a *palloc.Fault when e is in a list by these
// links. Owner only.
//
// PostgreSQL: dlist_push_head.
func (l *List[T]) PushFront(e *T) { l.insert("list.List.PushFront", e, nil, l.first) }

// PushBack makes e the last element. It panics as PushFront does. Owner only.
//
// PostgreSQL: dlist_push_tail.
func (l *List[T]) PushBack(e *T) { l.insert("list.List.PushBack", e, l.last, nil) }

// InsertAfter puts e behind at. It panics as PushFront does, and when at is not in the List. Owner
// only.
//
// PostgreSQL: dlist_insert_after.
func (l *List[T]) InsertAfter(e, at *T) {
	l.insert("list.List.InsertAfter", e, at, l.own("list.List.InsertAfter", at).next)
}

// InsertBefore puts e before at. It panics as InsertAfter does. Owner only.
//
// PostgreSQL: dlist_insert_before.
func (l *List[T]) InsertBefore(e, at *T) {
	l.insert("list.List.InsertBefore", e, l.own("list.List.InsertBefore", at).prev, at)
}

// insert puts e between two elements that follow each other, of which one or both may be nil.
func (l *List[T]) insert(op string, e, prev, next *T) {
	k := l.links(e)
	if k.in != 0 {
		palloc.Lifetime{}.Misuse(op, "the element is in a list already: take it out first")
	}
	*k = Links[T]{next: next, prev: prev, in: l.number}
	l.join(prev, e)
	l.join(e, next)
	l.n++
}

// join makes two elements follow each other; a nil one is the end.
func (l *List[T]) join(prev, next *T) {
	if prev == nil {
		l.first = next
	} else {
		l.links(prev).next = next
	}
	if next == nil {
		l.last = prev
	} else {
		l.links(next).prev = prev
	}
}

// Remove takes e out. It panics with a *palloc.Fault when e is not in the List. Owner only.
//
// PostgreSQL: dlist_delete_from.
func (l *List[T]) Remove(e *T) {
	k := l.own("list.List.Remove", e)
	l.join(k.prev, k.next)
	*k = Links[T]{}
	l.n--
}

// MoveToFront makes e, which is in the List, the first element. It panics as Remove does. Owner only.
//
// PostgreSQL: dlist_move_head.
func (l *List[T]) MoveToFront(e *T) {
	l.own("list.List.MoveToFront", e)
	if l.first != e {
		l.Remove(e)
		l.PushFront(e)
	}
}

// MoveToBack makes e, which is in the List, the last element. It panics as Remove does. Owner only.
//
// PostgreSQL: dlist_move_tail.
func (l *List[T]) MoveToBack(e *T) {
	l.own("list.List.MoveToBack", e)
	if l.last != e {
		l.Remove(e)
		l.PushBack(e)
	}
}

// PopFront takes out the first element and returns it; nil when there is none. Owner only.
//
// PostgreSQL: dlist_pop_head_node.
func (l *List[T]) PopFront() *T {
	e := l.first
	if e != nil {
		l.Remove(e)
	}
	return e
}

// PopBack takes out the last element and returns it; nil when there is none. Owner only.
func (l *List[T]) PopBack() *T {
	e := l.last
	if e != nil {
		l.Remove(e)
	}
	return e
}

// Forget makes the List empty without a look at its elements: after the reset of the context where all
// of them were. Elements that are still there remain in no List, and must be zeroed before they
// are used again. Owner only.
func (l *List[T]) Forget() { l.first, l.last, l.n, l.number = nil, nil, 0, number() }

// All returns an iterator over the elements from the front. The loop may take out the element that
// it was given and free it, and may add others; it must not take out the next one. Owner only.
//
// PostgreSQL: dlist_foreach_modify.
func (l *List[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for e := l.first; e != nil; {
			next := l.links(e).next
			if !yield(e) {
				return
			}
			e = next
		}
	}
}

// Backward returns an iterator over the elements from the back, as All. Owner only.
//
// PostgreSQL: dlist_reverse_foreach.
func (l *List[T]) Backward() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for e := l.last; e != nil; {
			prev := l.links(e).prev
			if !yield(e) {
				return
			}
			e = prev
		}
	}
}

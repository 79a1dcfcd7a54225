package hashmap

import (
	"iter"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// Sets: maps without values.
//
// Invariant: that of its store.
//
// Cost: that of a Map; a value takes nothing.

// A Set is a set of keys in a context. Make one with NewSet or Init. What is said of a Map's keys,
// its memory, its context's end, loops and goroutines holds for it.
//
// PostgreSQL: HTAB, with entries that are keys.
type Set[K comparable] struct {
	palloc.NoHeapPointers
	_     nocopy.Mark
	store store[K, struct{}]
}

// NewSet returns an empty Set with room for about capacity keys. It panics as New does. Owner only.
func NewSet[K comparable](mc palloc.Context, capacity int) *Set[K] {
	s := new(Set[K])
	s.make(mc, capacity)
	return s
}

func (s *Set[K]) make(mc palloc.Context, capacity int) {
	s.store.init("hashmap.NewSet", mc)
	if err := s.store.reserve("hashmap.NewSet", capacity); err != nil {
		panic(err)
	}
}

// Init makes s an empty Set in the context, as Map.Init does. Owner only.
func (s *Set[K]) Init(mc palloc.Context) { s.store.init("hashmap.Set.Init", mc) }

// Len returns the number of keys.
func (s *Set[K]) Len() int {
	s.store.check("hashmap.Set.Len")
	return s.store.count
}

// Has reports whether k is in the set.
func (s *Set[K]) Has(k K) bool {
	at, _ := s.store.find("hashmap.Set.Has", k)
	return at != nil
}

// Add inserts k, and reports whether it was not there. It panics with a *palloc.OutOfMemoryError
// when memory is refused. Owner only.
func (s *Set[K]) Add(k K) bool {
	added, err := s.add("hashmap.Set.Add", k)
	if err != nil {
		panic(err)
	}
	return added
}

// TryAdd works as Add does, but returns the *palloc.OutOfMemoryError. Owner only.
func (s *Set[K]) TryAdd(k K) (bool, error) { return s.add("hashmap.Set.TryAdd", k) }

func (s *Set[K]) add(op string, k K) (bool, error) {
	at, hash := s.store.find(op, k)
	if at != nil {
		return false, nil
	}
	at, err := s.store.add(op, hash)
	if err != nil {
		return false, err
	}
	at.key = k
	return true, nil
}

// Delete removes k, and reports whether it was there. It frees no memory. Owner only.
func (s *Set[K]) Delete(k K) bool {
	at, hash := s.store.find("hashmap.Set.Delete", k)
	if at != nil {
		s.store.remove(at, hash)
	}
	return at != nil
}

// Clear removes all keys, and keeps the memory for others. Owner only.
func (s *Set[K]) Clear() {
	s.store.check("hashmap.Set.Clear")
	s.store.clear()
}

// Free frees the set's memory, as Map.Free does. Owner only.
func (s *Set[K]) Free() {
	s.store.check("hashmap.Set.Free")
	s.store.release()
}

// All returns an iterator over the keys, as Map.All does.
func (s *Set[K]) All() iter.Seq[K] {
	return func(yield func(K) bool) {
		for c := s.store.loop("hashmap.Set.All"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.key) {
					return
				}
			}
		}
	}
}

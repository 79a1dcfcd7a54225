// Package hashmap has hash maps and sets whose memory is all in a palloc context.
//
//	ages := hashmap.New[uint64, uint32](mc, 0)
//	ages.Put(17, 42)
//	age, found := ages.Get(17)
//
// A Map is for keys and values without Go pointers, a Set for keys alone. Strings is a map from
// strings, of which it keeps copies. The garbage collector sees none of the memory, and no method
// makes garbage, but for keys that have pointers beside strings, floats or padding. A map grows a
// little at a time: an insert moves some two thousand entries at most, however large the map is.
package hashmap

import (
	"iter"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// The map: its methods.
//
// Invariant: that of its store.
//
// Cost: a search is a hash, the number of a table, and a look at one group of eight slots, seldom
// at a second.

// A Map is a hash map in a context. Make one with New, or with Init where it lies in another
// struct, also one in a context: a Map has pointers to its context only. The zero Map has no
// context, and every use of it panics. Do not copy a Map. New's is a small Go value, and one object
// on Go's heap where it escapes.
//
// Keys and values are of types that palloc.New accepts: without Go pointers, unless a struct embeds
// palloc.NoHeapPointers. Keys are compared by ==. What they point to is the program's to free. For
// keys that are strings see Strings.
//
// An entry takes its key, its value and a byte, and its share of free slots: tables are at most
// seven eighths full, and grow by a third, small ones to three times their size. Delete frees no
// memory: later entries use it. Clear keeps the memory, Free frees it piece by piece, in a context
// whose kind frees chunks; a Bump keeps what the map had before it grew. A Slab has chunks of one
// size, so that New panics. In a Shared context a Map is under the caller's lock, as everywhere.
//
// The entries end with the context's reset or deletion: every use is then a *palloc.Fault, but a
// Map that never had an entry stays valid over a reset. A Map that itself lies in the context must
// not be used after that: its own memory may serve another, so that not every use is noticed. When
// an insert is refused memory, the map stays as it was.
//
// Methods that only read may be called by many goroutines at a time, as long as none changes the
// map. Owner only, all others.
//
// PostgreSQL: HTAB, dynahash's table in a context of its own; simplehash.
type Map[K comparable, V any] struct {
	palloc.NoHeapPointers
	_     nocopy.Mark
	store store[K, V]
}

// New returns an empty Map with room for about capacity entries; with 0 it allocates nothing in the
// context before the first insert. It panics with a *palloc.Fault when the context was deleted or
// is a Slab, or does not accept K or V, and with a *palloc.OutOfMemoryError when the system or a
// limit refuses memory. Owner only.
//
// PostgreSQL: hash_create.
func New[K comparable, V any](mc palloc.Context, capacity int) *Map[K, V] {
	m := new(Map[K, V])
	m.make(mc, capacity)
	return m
}

func (m *Map[K, V]) make(mc palloc.Context, capacity int) {
	m.store.init("hashmap.New", mc)
	if err := m.store.reserve("hashmap.New", capacity); err != nil {
		panic(err)
	}
}

// Init makes m an empty Map in the context. It is for a Map that is a field of another struct, or
// lies in a context itself. It frees nothing of what m had before, allocates nothing, and panics
// with a *palloc.Fault as New does. Owner only.
func (m *Map[K, V]) Init(mc palloc.Context) { m.store.init("hashmap.Map.Init", mc) }

// Len returns the number of entries.
func (m *Map[K, V]) Len() int {
	m.store.check("hashmap.Map.Len")
	return m.store.count
}

// Get returns the value of k; the zero value and false when there is none.
func (m *Map[K, V]) Get(k K) (v V, found bool) {
	var at *slot[K, V]
	if m.store.hashesWords() { // find, without the call
		at, _ = m.store.search(m.store.hasher.word(wordOf(&k)), k)
	} else {
		at, _ = m.store.findSlowly("hashmap.Map.Get", k)
	}
	if at == nil {
		return v, false
	}
	return at.value, true
}

// Has reports whether k has an entry.
func (m *Map[K, V]) Has(k K) bool { return m.Ref(k) != nil }

// Ref returns the address of the value of k, which may be changed there; nil when there is none. It
// is valid until a key is inserted, k is deleted, or the map is cleared or freed.
func (m *Map[K, V]) Ref(k K) *V {
	if at, _ := m.store.find("hashmap.Map.Ref", k); at != nil {
		return &at.value
	}
	return nil
}

// Put sets the value of k. It panics with a *palloc.OutOfMemoryError when memory for a new entry is
// refused. Owner only.
//
// PostgreSQL: hash_search with HASH_ENTER.
func (m *Map[K, V]) Put(k K, v V) {
	p, err := m.entry("hashmap.Map.Put", k)
	if err != nil {
		panic(err)
	}
	*p = v
}

// TryPut works as Put does, but returns the *palloc.OutOfMemoryError. Owner only.
//
// PostgreSQL: hash_search with HASH_ENTER_NULL.
func (m *Map[K, V]) TryPut(k K, v V) error {
	p, err := m.entry("hashmap.Map.TryPut", k)
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// Entry returns the address of the value of k, which is inserted as the zero value when there is
// none: *counts.Entry(word)++ counts. The address is valid as Ref's is. It panics as Put does.
// Owner only.
//
// PostgreSQL: hash_search with HASH_ENTER.
func (m *Map[K, V]) Entry(k K) *V {
	p, err := m.entry("hashmap.Map.Entry", k)
	if err != nil {
		panic(err)
	}
	return p
}

// TryEntry works as Entry does, but returns the *palloc.OutOfMemoryError. Owner only.
func (m *Map[K, V]) TryEntry(k K) (*V, error) { return m.entry("hashmap.Map.TryEntry", k) }

func (m *Map[K, V]) entry(op string, k K) (*V, error) {
	at, hash := m.store.find(op, k)
	if at != nil {
		return &at.value, nil
	}
	at, err := m.store.add(op, hash)
	if err != nil {
		return nil, err
	}
	at.key = k
	return &at.value, nil
}

// Delete removes the entry of k, and reports whether there was one. It frees no memory. Owner only.
//
// PostgreSQL: hash_search with HASH_REMOVE.
func (m *Map[K, V]) Delete(k K) bool {
	at, hash := m.store.find("hashmap.Map.Delete", k)
	if at != nil {
		m.store.remove(at, hash)
	}
	return at != nil
}

// Clear removes all entries, and keeps the memory for others. It takes a step for each slot. Owner
// only.
func (m *Map[K, V]) Clear() {
	m.store.check("hashmap.Map.Clear")
	m.store.clear()
}

// Free frees the map's memory, chunk by chunk, but for a Bump's, which frees none. The map is then
// empty and may be used again. Owner only.
//
// PostgreSQL: hash_destroy.
func (m *Map[K, V]) Free() {
	m.store.check("hashmap.Map.Free")
	m.store.release()
}

// All returns an iterator over the entries, in no particular order. The loop may change values, and
// delete entries: one that it has not come to is then not returned. To insert a key that has no
// entry is a *palloc.Fault when the loop goes on, since entries may have moved. After Clear or Free
// the loop ends.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for c := m.store.loop("hashmap.Map.All"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.key, at.value) {
					return
				}
			}
		}
	}
}

// Keys returns an iterator over the keys, as All does.
func (m *Map[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		for c := m.store.loop("hashmap.Map.Keys"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.key) {
					return
				}
			}
		}
	}
}

// Values returns an iterator over the values, as All does.
func (m *Map[K, V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for c := m.store.loop("hashmap.Map.Values"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.value) {
					return
				}
			}
		}
	}
}

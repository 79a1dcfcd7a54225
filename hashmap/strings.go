package hashmap

import (
	"iter"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// Maps from strings.
//
// Invariant: each entry's key is a chunk of the context, which is freed with the entry.
//
// Cost: that of a Map, a chunk for each key, and a look at the key's bytes in a search that finds
// it.

// Strings is a Map from strings. It copies each key into the context, with palloc.CloneString, and
// frees the copy in Delete, Clear and Free, in a context whose kind frees chunks. Keys are found by
// a string or by bytes, which are copied only for a new entry. The strings that All and Keys return
// are the copies: valid until the entry is deleted, or the context reset. A key has less than 4
// GiB.
//
// All else that is said of a Map holds for Strings: of values, of memory, of the context's end, of
// loops, of goroutines. An entry takes its value, 17 bytes and its share of free slots, and its
// key's chunk.
//
// PostgreSQL: HTAB with HASH_STRINGS, whose keys have one size.
type Strings[V any] struct {
	palloc.NoHeapPointers
	_     nocopy.Mark
	store store[text, V]
}

// NewStrings returns an empty map with room for about capacity entries, without their keys. It
// panics as New does. Owner only.
func NewStrings[V any](mc palloc.Context, capacity int) *Strings[V] {
	m := new(Strings[V])
	m.make(mc, capacity)
	return m
}

func (m *Strings[V]) make(mc palloc.Context, capacity int) {
	m.store.init("hashmap.NewStrings", mc)
	if err := m.store.reserve("hashmap.NewStrings", capacity); err != nil {
		panic(err)
	}
}

// Init makes m an empty map in the context, as Map.Init does. Owner only.
func (m *Strings[V]) Init(mc palloc.Context) { m.store.init("hashmap.Strings.Init", mc) }

// Len returns the number of entries.
func (m *Strings[V]) Len() int {
	m.store.check("hashmap.Strings.Len")
	return m.store.count
}

// find is store.find for a string.
func (m *Strings[V]) find(op string, key string) (at *slot[text, V], hash uint64) {
	if isShort(key) && !m.store.life.Over() {
		low, high := wordsOf(key)
		return m.searchShort(m.store.hasher.words(low, high, uint64(len(key))), low, high, len(key))
	}
	return m.findSlowly(op, key)
}

func (m *Strings[V]) findSlowly(op string, key string) (at *slot[text, V], hash uint64) {
	m.store.check(op)
	return m.search(hashOfString(&m.store.hasher, key), key)
}

// search is store.search for a string.
func (m *Strings[V]) search(hash uint64, key string) (*slot[text, V], uint64) {
	t, tag, mark := m.store.table(hash), tagOf(hash), markOf(hash, len(key))
	home := homeOf(hash, len(t.groups))
	for n := home; n < uint(len(t.groups)); {
		g := &t.groups[n]
		control := g.control
		for match := matchTag(control, tag*ones); match != 0; match &= match - 1 {
			if at := &g.slots[first(match)]; at.key.mark == mark && at.key.string() == key {
				return at, hash
			}
		}
		if control&overflowOf(tag) == 0 {
			break
		}
		if n = t.after(n, tag); n == home {
			break
		}
	}
	return nil, hash
}

// searchShort is search for a short key, by its words. It calls nothing.
func (m *Strings[V]) searchShort(hash, low, high uint64, size int) (*slot[text, V], uint64) {
	t, tag, mark := m.store.table(hash), tagOf(hash), markOf(hash, size)
	home := homeOf(hash, len(t.groups))
	for n := home; n < uint(len(t.groups)); {
		g := &t.groups[n]
		control := g.control
		for match := matchTag(control, tag*ones); match != 0; match &= match - 1 {
			if at := &g.slots[first(match)]; at.key.mark == mark && at.key.is(low, high) {
				return at, hash
			}
		}
		if control&overflowOf(tag) == 0 {
			break
		}
		if n = t.after(n, tag); n == home {
			break
		}
	}
	return nil, hash
}

// Get returns the value of a key; the zero value and false when there is none.
func (m *Strings[V]) Get(key string) (v V, found bool) {
	var at *slot[text, V]
	if isShort(key) && !m.store.life.Over() { // find, without the call
		low, high := wordsOf(key)
		at, _ = m.searchShort(m.store.hasher.words(low, high, uint64(len(key))), low, high, len(key))
	} else {
		at, _ = m.findSlowly("hashmap.Strings.Get", key)
	}
	if at == nil {
		return v, false
	}
	return at.value, true
}

// GetBytes works as Get does, for a key in bytes.
func (m *Strings[V]) GetBytes(key []byte) (v V, found bool) { return m.Get(asString(key)) }

// Has reports whether a key has an entry.
func (m *Strings[V]) Has(key string) bool { return m.Ref(key) != nil }

// Ref returns the address of the value of a key, as Map.Ref does; nil when there is none.
func (m *Strings[V]) Ref(key string) *V {
	if at, _ := m.find("hashmap.Strings.Ref", key); at != nil {
		return &at.value
	}
	return nil
}

// RefBytes works as Ref does, for a key in bytes.
func (m *Strings[V]) RefBytes(key []byte) *V { return m.Ref(asString(key)) }

// Put sets the value of a key. It panics with a *palloc.OutOfMemoryError when memory for a new
// entry is refused. Owner only.
func (m *Strings[V]) Put(key string, v V) {
	p, err := m.entry("hashmap.Strings.Put", key)
	if err != nil {
		panic(err)
	}
	*p = v
}

// PutBytes works as Put does, for a key in bytes. Owner only.
func (m *Strings[V]) PutBytes(key []byte, v V) { m.Put(asString(key), v) }

// TryPut works as Put does, but returns the *palloc.OutOfMemoryError. Owner only.
func (m *Strings[V]) TryPut(key string, v V) error {
	p, err := m.entry("hashmap.Strings.TryPut", key)
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// TryPutBytes works as TryPut does, for a key in bytes. Owner only.
func (m *Strings[V]) TryPutBytes(key []byte, v V) error { return m.TryPut(asString(key), v) }

// Entry returns the address of the value of a key, which is inserted as the zero value when there
// is none, as Map.Entry does. Owner only.
func (m *Strings[V]) Entry(key string) *V {
	p, err := m.entry("hashmap.Strings.Entry", key)
	if err != nil {
		panic(err)
	}
	return p
}

// EntryBytes works as Entry does, for a key in bytes. Owner only.
func (m *Strings[V]) EntryBytes(key []byte) *V { return m.Entry(asString(key)) }

// TryEntry works as Entry does, but returns the *palloc.OutOfMemoryError. Owner only.
func (m *Strings[V]) TryEntry(key string) (*V, error) {
	return m.entry("hashmap.Strings.TryEntry", key)
}

// TryEntryBytes works as TryEntry does, for a key in bytes. Owner only.
func (m *Strings[V]) TryEntryBytes(key []byte) (*V, error) { return m.TryEntry(asString(key)) }

func (m *Strings[V]) entry(op string, key string) (*V, error) {
	at, hash := m.find(op, key)
	if at != nil {
		return &at.value, nil
	}
	// The copy is made first, since to allocate may run callbacks, which may delete entries.
	changes := m.store.changes
	copied, err := newText(op, m.store.mc, key, hash)
	if err != nil {
		return nil, err
	}
	if changes != m.store.changes {
		m.store.meddled(op)
	}
	at, err = m.store.add(op, hash)
	if err != nil {
		m.freeKey(&copied)
		return nil, err
	}
	at.key = copied
	return &at.value, nil
}

// freeKey frees the chunk of a key, where the context frees single chunks.
func (m *Strings[V]) freeKey(k *text) {
	if m.store.frees {
		palloc.FreeString(k.string())
	}
}

// Delete removes the entry of a key and frees the copy of the key. It reports whether there was
// one. Owner only.
func (m *Strings[V]) Delete(key string) bool {
	at, hash := m.find("hashmap.Strings.Delete", key)
	if at == nil {
		return false
	}
	k := at.key
	m.store.remove(at, hash)
	m.freeKey(&k)
	return true
}

// DeleteBytes works as Delete does, for a key in bytes. Owner only.
func (m *Strings[V]) DeleteBytes(key []byte) bool { return m.Delete(asString(key)) }

// Clear removes all entries and frees the copies of the keys; it keeps the other memory. Owner
// only.
func (m *Strings[V]) Clear() {
	m.store.check("hashmap.Strings.Clear")
	m.freeKeys()
	m.store.clear()
}

// Free frees the map's memory, as Map.Free does, and the copies of the keys. Owner only.
func (m *Strings[V]) Free() {
	m.store.check("hashmap.Strings.Free")
	m.freeKeys()
	m.store.release()
}

func (m *Strings[V]) freeKeys() {
	if m.store.frees {
		for c := m.store.loop("hashmap.Strings.Clear"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				m.freeKey(&c.group.slots[first(full)].key)
			}
		}
	}
}

// All returns an iterator over the entries, as Map.All does.
func (m *Strings[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for c := m.store.loop("hashmap.Strings.All"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.key.string(), at.value) {
					return
				}
			}
		}
	}
}

// Keys returns an iterator over the keys, as Map.Keys does.
func (m *Strings[V]) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for c := m.store.loop("hashmap.Strings.Keys"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.key.string()) {
					return
				}
			}
		}
	}
}

// Values returns an iterator over the values, as Map.Values does.
func (m *Strings[V]) Values() iter.Seq[V] {
	return func(yield func(V) bool) {
		for c := m.store.loop("hashmap.Strings.Values"); c.next(); {
			for full := c.full; full != 0; full = c.rest(full) {
				if at := &c.group.slots[first(full)]; !yield(at.value) {
					return
				}
			}
		}
	}
}

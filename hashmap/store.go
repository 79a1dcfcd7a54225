package hashmap

import (
	"math/bits"
	"reflect"

	"github.com/gopalloc/palloc"
)

// The store: the tables of a map. Their number grows by one at a time, by linear hashing: with n
// tables, of which 2^k is the largest power of two below n or n itself, the lowest k+1 bits of a
// hash are the number of its table, or the lowest k where there is no such table yet. The next to
// be split in two is always table n-2^k. A table that is full before its turn grows by a third.
//
// Invariant: the directory has a place for each value of the k+1 bits, with the table of such
// hashes. What is refused memory is left as it was. A store without memory takes no part in its
// context's lifetime. changes is another number after an entry was added, or memory freed.
//
// Cost: a step grows one table or splits one, of about average to 2 * average entries; the directory
// has 8 bytes for a table, and is copied when it is full, to one of twice the size.
//
// A search takes as few instructions as can be: a processor looks at some hundred of them at a
// time, and begins the next search while this one waits for memory.

const (
	average   = 1024    // entries in a table, when one is split
	maxTables = 1 << 24 // hashes have bits for no more
)

// A place of the directory.
type place[K comparable, V any] struct {
	palloc.NoHeapPointers
	table *table[K, V]
}

// A store has the tables of a map, and what is common to maps and maps of texts.
type store[K comparable, V any] struct {
	mc      palloc.Context
	life    palloc.Lifetime
	hasher  hasher
	one     table[K, V]   // the only table, while there is no directory
	places  []place[K, V] // the directory: as many as a power of two
	tables  uint32
	count   int
	changes uint64
	frees   bool // the context frees single chunks
}

// init makes it a store without memory.
func (s *store[K, V]) init(op string, mc palloc.Context) {
	palloc.MakeSlice[group[K, V]](mc, 0, 0) // checks the context and the types
	if mc.Kind() == palloc.KindSlab {
		mc.Lifetime().Misuse(op, "a Slab has chunks of one size, and a map has several: make it in a context of another kind")
	}
	*s = store[K, V]{mc: mc, life: mc.Lifetime(), hasher: newHasher(reflect.TypeFor[K]()), tables: 1, frees: mc.Kind().Frees()}
}

// recheck panics when the lifetime of the store is over, unless it has no memory: a reset took
// nothing from it.
//
//go:noinline
func (s *store[K, V]) recheck(op string) {
	switch {
	case s.tables == 0:
		s.life.Misuse(op, "the zero value has no context: make a map with New, or call its Init")
	case s.hasMemory() || !s.mc.Live():
		s.life.Check(op)
	}
}

func (s *store[K, V]) hasMemory() bool { return len(s.one.groups) > 0 || len(s.places) > 0 }

// check panics unless the entries are still the store's.
func (s *store[K, V]) check(op string) {
	if s.life.Over() {
		s.recheck(op)
	}
}

// find returns the slot of a key's entry, or nil, and the key's hash. It checks first that the
// entries are still the store's.
func (s *store[K, V]) find(op string, k K) (at *slot[K, V], hash uint64) {
	if s.hashesWords() {
		return s.search(s.hasher.word(wordOf(&k)), k)
	}
	return s.findSlowly(op, k)
}

// hashesWords reports whether keys are hashed as words, and the entries are still the store's.
func (s *store[K, V]) hashesWords() bool { return s.hasher.how == byWord && !s.life.Over() }

// findSlowly is find where hashesWords reports false.
func (s *store[K, V]) findSlowly(op string, k K) (at *slot[K, V], hash uint64) {
	s.check(op)
	return s.search(hashOf(&s.hasher, k), k)
}

// search is find for a key that has the hash. It calls nothing.
func (s *store[K, V]) search(hash uint64, k K) (*slot[K, V], uint64) {
	t, tag := s.table(hash), tagOf(hash)
	home := homeOf(hash, len(t.groups))
	for n := home; n < uint(len(t.groups)); {
		g := &t.groups[n]
		control := g.control
		for match := matchTag(control, tag*ones); match != 0; match &= match - 1 {
			if at := &g.slots[first(match)]; at.key == k {
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

// table returns the table of a hash.
func (s *store[K, V]) table(hash uint64) *table[K, V] {
	if len(s.places) == 0 {
		return &s.one
	}
	return s.places[uint(hash)&uint(len(s.places)-1)].table
}

// tableAt returns a table by its number.
func (s *store[K, V]) tableAt(n uint32) *table[K, V] { return s.table(uint64(n)) }

// add makes a slot for a key that has no entry, and returns it: the caller writes the key.
func (s *store[K, V]) add(op string, hash uint64) (*slot[K, V], error) {
	t := s.table(hash)
	if t.left == 0 {
		if err := s.makeRoom(op, hash); err != nil {
			return nil, err
		}
		t = s.table(hash)
	}
	t.left--
	t.live++
	s.count++
	s.changes++
	return t.put(hash, tagOf(hash)), nil
}

// remove removes the entry of a slot, whose key has the hash.
func (s *store[K, V]) remove(at *slot[K, V], hash uint64) {
	s.table(hash).remove(at, hash)
	s.count--
}

// next returns the number of the table that is split next.
func (s *store[K, V]) next() uint32 { return s.tables &^ (1 << (bits.Len32(s.tables) - 1)) }

// makeRoom makes room for an entry in the table of a hash, which is full. The error is an
// *OutOfMemoryError.
func (s *store[K, V]) makeRoom(op string, hash uint64) error {
	t := s.table(hash)
	if len(t.groups) > 0 && t.worn() {
		t.purge(&s.hasher)
		return nil
	}
	if s.count >= int(s.tables)*average && s.tables < maxTables && !t.overdrawn() {
		// If memory for that is refused, the table may still grow.
		if s.split(op) == nil {
			if t = s.table(hash); t.left > 0 || t.overdraw() {
				return nil
			}
		}
	}
	err := s.grow(op, hash)
	if t = s.table(hash); err != nil && t.mayPurge() {
		t.purge(&s.hasher)
		return nil
	}
	return err
}

// larger returns the number of groups to grow to: a third more, or three times as many while
// chunks are so small that their context would keep freed ones of many sizes.
func larger(groups int) int {
	const few = 64
	if groups < few {
		return max(1, 3*groups)
	}
	return groups + groups/3
}

// grow makes the table of a hash larger.
func (s *store[K, V]) grow(op string, hash uint64) error {
	n := len(s.table(hash).groups)
	groups, err := s.alloc(op, larger(n))
	if err != nil && n > 1 {
		groups, err = s.alloc(op, max(n+2, groupsFor(int(s.table(hash).live)+1)))
	}
	if err != nil {
		return err
	}
	t := s.table(hash)
	grown := newTable[K, V](groups)
	t.moveTo(&s.hasher, 0, &grown, &grown)
	s.free(t.groups)
	*t = grown
	return nil
}

// split adds a table, and gives it the entries of the next to be split that belong there.
func (s *store[K, V]) split(op string) error {
	if err := s.extend(op); err != nil {
		return err
	}
	added, err := s.allocTable(op)
	if err != nil {
		return err
	}
	old := s.tableAt(s.next())
	bit := uint64(1) << (bits.Len32(s.tables) - 1)
	n := old.count(&s.hasher, bit)
	low, err := s.alloc(op, groupsWithSpare(int(old.live)-n))
	if err != nil {
		s.freeTable(added)
		return err
	}
	high, err := s.alloc(op, groupsWithSpare(n))
	if err != nil {
		s.freeTable(added)
		s.free(low)
		return err
	}
	a, b := newTable[K, V](low), newTable[K, V](high)
	old.moveTo(&s.hasher, bit, &a, &b)
	s.free(old.groups)
	*old, *added = a, b
	s.places[s.tables].table = added
	s.tables++
	return nil
}

// extend makes a place for one more table.
func (s *store[K, V]) extend(op string) error {
	have := len(s.places)
	switch {
	case have == 0:
		return s.open(op)
	case int(s.tables) < have:
		return nil
	}
	places, err := take(s, op, s.places, have)
	if err != nil {
		return err
	}
	s.places = places[:2*have]
	copy(s.places[have:], s.places[:have])
	return nil
}

// open makes a directory of two places, both for the only table.
func (s *store[K, V]) open(op string) error {
	places, err := take[place[K, V]](s, op, nil, 2)
	if err != nil {
		return err
	}
	t, err := s.allocTable(op)
	if err != nil {
		if s.frees {
			palloc.FreeSlice(places)
		}
		return err
	}
	*t, s.one = s.one, table[K, V]{}
	places[0].table, places[1].table = t, t
	s.places = places[:2]
	return nil
}

// allocTable allocates a table for the directory.
func (s *store[K, V]) allocTable(op string) (*table[K, V], error) {
	one, err := take[table[K, V]](s, op, nil, 1)
	if err != nil {
		return nil, err
	}
	return &one[0], nil
}

// freeTable frees a table of the directory, where the context frees single chunks.
func (s *store[K, V]) freeTable(t *table[K, V]) {
	if s.frees {
		palloc.Free(t)
	}
}

// alloc allocates empty groups, at least n.
func (s *store[K, V]) alloc(op string, n int) ([]group[K, V], error) {
	return take[group[K, V]](s, op, nil, n)
}

// take makes a slice longer by n elements, or as many more as there is room for in its chunk, and
// frees the old chunk. The new elements are zero. The error is an *OutOfMemoryError. It panics when
// a callback of OnPressure did more to the map than to delete entries.
func take[T any, K comparable, V any](s *store[K, V], op string, list []T, n int) ([]T, error) {
	changes, kept := s.changes, s.hasMemory()
	longer, err := palloc.TryGrow(s.mc, list, n)
	if changes != s.changes || kept && s.life.Over() {
		s.meddled(op)
	}
	if out, ok := err.(*palloc.OutOfMemoryError); ok {
		out.Op = op
	}
	if err != nil {
		return nil, err
	}
	if !kept {
		s.life = s.mc.Lifetime()
	}
	return longer[:cap(longer)], nil
}

// meddled panics with the Fault about a callback of OnPressure that did more than to delete
// entries.
func (s *store[K, V]) meddled(op string) {
	s.life.Misuse(op, "a callback of OnPressure inserted into the map or freed it while it was growing: "+
		"there, only Delete may change it")
}

// free frees a chunk, where the context frees single chunks.
func (s *store[K, V]) free(groups []group[K, V]) {
	if s.frees {
		palloc.FreeSlice(groups)
	}
}

// groupsWithSpare returns the number of groups for n entries and a quarter more.
func groupsWithSpare(n int) int { return groupsFor(n + n/4) }

// reserve makes a store without memory one for n entries. What was allocated when memory is
// refused is freed.
func (s *store[K, V]) reserve(op string, n int) error {
	switch {
	case n < 0:
		s.life.Misuse(op, "the capacity must not be negative")
	case n == 0:
		return nil
	}
	err := s.reserveTables(op, min(max(1, (n+average-1)/average), maxTables), n)
	if err != nil {
		s.release()
	}
	return err
}

// reserveTables makes the tables, for n entries. What it allocated when memory is refused is the
// store's.
func (s *store[K, V]) reserveTables(op string, tables, n int) error {
	half := 1 << (bits.Len(uint(tables)) - 1) // this number of tables have all, and those beyond half of some
	for i := range tables {
		if i > 0 {
			if err := s.extend(op); err != nil {
				return err
			}
			t, err := s.allocTable(op)
			if err != nil {
				return err
			}
			s.places[i].table = t
			s.tables++
		}
	}
	for i := range tables {
		each := n / half
		if i >= half || i < tables-half {
			each /= 2
		}
		each += 3 * root(each) // entries are not quite evenly spread
		if tables == 1 {
			each = n
		}
		groups, err := s.alloc(op, groupsFor(each))
		if err != nil {
			return err
		}
		*s.tableAt(uint32(i)) = newTable(groups)
	}
	return nil
}

// root returns the square root of n, rounded up to a power of two.
func root(n int) int { return 1 << ((bits.Len(uint(n)) + 1) / 2) }

// clear removes all entries and keeps the memory.
func (s *store[K, V]) clear() {
	if s.hasMemory() {
		for i := range s.tables {
			s.tableAt(i).clear()
		}
	}
	s.count = 0
	s.changes++
}

// release frees all memory.
func (s *store[K, V]) release() {
	for i := range s.tables {
		if t := s.tableAt(i); s.frees {
			palloc.FreeSlice(t.groups)
			if t != &s.one {
				palloc.Free(t)
			}
		}
	}
	if s.frees {
		palloc.FreeSlice(s.places)
	}
	*s = store[K, V]{mc: s.mc, life: s.life, hasher: s.hasher, tables: 1, frees: s.frees, changes: s.changes + 1}
}

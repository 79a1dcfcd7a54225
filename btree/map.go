// Package btree has an ordered map whose memory is all in a palloc context.
//
//	ages := btree.New[int64, uint32](mc)
//	ages.Put(17, 42)
//	for id, age := range ages.Range(10, 20) { ... }
//
// It is a B+ tree: the entries are in leaves that are linked in the order of the keys, 64 in each at
// most, keys and values in arrays of their own. The garbage collector sees none of it.
package btree

import (
	"cmp"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/internal/nocopy"
)

// The map: how it is made and read.
//
// Invariant: all leaves are at one depth. changes is not the same after an entry was added or
// deleted, or moved in memory. Without nodes the map takes part in no lifetime of its context.
//
// Cost: a read takes a search in each level: four levels hold a million entries. It allocates
// nothing.

// A Map is an ordered map in a context. Make one with New or NewFunc; the zero Map has no context,
// and every use of it panics. Do not copy a Map. The Map itself is a small Go value, and one object
// on Go's heap where it escapes.
//
// Keys and values are of types that palloc.New accepts: without Go pointers, unless a struct
// embeds palloc.NoHeapPointers. They move in memory when other entries are added and deleted.
// What they point to is the program's to free.
//
// A node takes room for 64 keys and 64 values (of an inner node: 65 pairs of pointers), and is at
// least a quarter full, but for those at the right end. Nodes that are no longer needed are freed
// at once. A Bump frees nothing: there the Map keeps them, and uses them again. A Slab has chunks of
// one size, and a Map has two: do not use one. In a Shared context a Map is under the caller's lock,
// as everywhere.
//
// The entries end with the context's reset or deletion: every use is then a *palloc.Fault, but a
// Map without nodes stays valid over a reset. Owner only, all functions.
//
// PostgreSQL: RBTree, whose nodes are freed one by one with pfree.
type Map[K, V any] struct {
	mc     palloc.Context
	life   palloc.Lifetime // when the nodes were allocated
	search search[K]
	root   node[K, V]
	height int // levels of inner nodes; without any, the root is a leaf or nil
	first  *leaf[K, V]
	last   *leaf[K, V]
	n      int
	spare  spares[K, V]

	changes uint64
	_       nocopy.Mark
}

// New returns an empty Map with keys in the order of cmp.Compare: a NaN is less than other numbers,
// and equal to itself. It allocates nothing in the context before the first Put. It panics with a
// *palloc.Fault when the context was deleted, or does not accept K or V. Owner only.
func New[K cmp.Ordered, V any](mc palloc.Context) *Map[K, V] {
	return newMap[K, V](mc, ordered[K])
}

// NewFunc works as New does, with keys in the order of compare, which returns a negative number when
// a is before b, a positive one when it is after b, and 0 when they are equal. compare must give a
// strict weak order that stays the same while the Map has entries, and must not use the Map. Owner
// only.
func NewFunc[K, V any](mc palloc.Context, compare func(a, b K) int) *Map[K, V] {
	return newMap[K, V](mc, by(compare))
}

func newMap[K, V any](mc palloc.Context, search search[K]) *Map[K, V] {
	palloc.MakeSlice[K](mc, 0, 0) // checks the type
	palloc.MakeSlice[V](mc, 0, 0)
	return &Map[K, V]{mc: mc, life: mc.Lifetime(), search: search}
}

// check panics unless the nodes are still the Map's.
func (m *Map[K, V]) check(op string) {
	if m.life.Over() {
		m.recheck(op)
	}
}

// recheck panics, unless the Map has no nodes: a reset took nothing from it. It is separate since
// correct programs rarely call it.
//
//go:noinline
func (m *Map[K, V]) recheck(op string) {
	if m.first == nil && m.spare.empty() && m.mc.Live() {
		m.life = m.mc.Lifetime()
		return
	}
	m.life.Check(op)
}

// leafOf returns the leaf where k is or would be; nil without one.
func (m *Map[K, V]) leafOf(k K) *leaf[K, V] {
	at := m.root
	for range m.height {
		i, _ := m.search(&at.inner.keys, at.inner.n, k)
		at = at.inner.kids[i]
	}
	return at.leaf
}

// Len returns the number of entries. Owner only.
func (m *Map[K, V]) Len() int {
	m.check("btree.Map.Len")
	return m.n
}

// Get returns the value of k; the zero value and false when there is none. Owner only.
func (m *Map[K, V]) Get(k K) (v V, found bool) {
	m.check("btree.Map.Get")
	l := m.leafOf(k)
	if l == nil {
		return v, false
	}
	if i, found := m.search(&l.keys, l.n, k); found {
		return l.values[i&(width-1)], true
	}
	return v, false
}

// Ref returns the address of the value of k, which may be changed there; nil when there is none. It
// is valid until an entry is added or deleted. Owner only.
func (m *Map[K, V]) Ref(k K) *V {
	m.check("btree.Map.Ref")
	l := m.leafOf(k)
	if l == nil {
		return nil
	}
	if i, found := m.search(&l.keys, l.n, k); found {
		return &l.values[i]
	}
	return nil
}

// Has reports whether k has a value. Owner only.
func (m *Map[K, V]) Has(k K) bool { return m.Ref(k) != nil }

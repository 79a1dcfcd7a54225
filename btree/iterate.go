package btree

import (
	"iter"

	"github.com/gopalloc/palloc"
)

// Iteration, and single entries by their order.
//
// Invariant: a loop goes on behind the key that it was given last, whatever was added and deleted
// meanwhile: each step compares changes, and looks that key up when it differs.
//
// Cost: the compiler inlines the loop together with its body, so that a step takes a few compares;
// it makes a call for each leaf. After a change a step takes a search in each level.

// A place is an entry of a leaf.
type place[K, V any] struct {
	at *leaf[K, V]
	i  int
}

// ceil returns the place of the first entry at k or, if beyond, behind it. The leaf is nil when there
// is none.
func (m *Map[K, V]) ceil(k K, beyond bool) place[K, V] {
	l := m.leafOf(k)
	if l == nil {
		return place[K, V]{}
	}
	i, found := m.search(&l.keys, l.n, k)
	if found && beyond {
		i++
	}
	if i == l.n {
		return place[K, V]{l.next, 0}
	}
	return place[K, V]{l, i}
}

// floor returns the place of the last entry at k or, if beyond, before it. The leaf is nil when there
// is none.
func (m *Map[K, V]) floor(k K, beyond bool) place[K, V] {
	l := m.leafOf(k)
	if l == nil {
		return place[K, V]{}
	}
	i, found := m.search(&l.keys, l.n, k)
	if !found || beyond {
		i--
	}
	if i < 0 {
		return lastOf(l.prev)
	}
	return place[K, V]{l, i}
}

// lastOf returns the place of the last entry of a leaf, which may be nil.
func lastOf[K, V any](l *leaf[K, V]) place[K, V] {
	if l == nil {
		return place[K, V]{}
	}
	return place[K, V]{l, l.n - 1}
}

// entry returns the entry at a place.
func (p place[K, V]) entry() (k K, v V, found bool) {
	if p.at == nil {
		return k, v, false
	}
	return p.at.keys[p.i], p.at.values[p.i], true
}

// Min returns the first entry; false when the Map is empty. Owner only.
//
// PostgreSQL: rbt_leftmost.
func (m *Map[K, V]) Min() (k K, v V, found bool) {
	m.check("btree.Map.Min")
	return place[K, V]{m.first, 0}.entry()
}

// Max returns the last entry; false when the Map is empty. Owner only.
func (m *Map[K, V]) Max() (k K, v V, found bool) {
	m.check("btree.Map.Max")
	return lastOf(m.last).entry()
}

// Ceil returns the first entry whose key is at least k; false when there is none. Owner only.
//
// PostgreSQL: rbt_find_great.
func (m *Map[K, V]) Ceil(k K) (at K, v V, found bool) {
	m.check("btree.Map.Ceil")
	return m.ceil(k, false).entry()
}

// Floor returns the last entry whose key is at most k; false when there is none. Owner only.
//
// PostgreSQL: rbt_find_less.
func (m *Map[K, V]) Floor(k K) (at K, v V, found bool) {
	m.check("btree.Map.Floor")
	return m.floor(k, false).entry()
}

// All returns an iterator over all entries in the order of the keys. The loop may add and delete
// any entries, also the one that it was given, and may call Clear and Free: it goes on with the
// next key that there is. Owner only.
//
// PostgreSQL: rbt_begin_iterate and rbt_iterate, without changes meanwhile.
func (m *Map[K, V]) All() iter.Seq2[K, V] {
	return forward(m, cursor[K, V]{op: "btree.Map.All", whole: true})
}

// From returns an iterator over the entries whose keys are at least k. The loop may change the Map
// as for All. Owner only.
func (m *Map[K, V]) From(k K) iter.Seq2[K, V] {
	return forward(m, cursor[K, V]{op: "btree.Map.From", key: k})
}

// Range returns an iterator over the entries whose keys are at least from and less than to. The loop
// may change the Map as for All. Owner only.
func (m *Map[K, V]) Range(from, to K) iter.Seq2[K, V] {
	return forward(m, cursor[K, V]{op: "btree.Map.Range", key: from, to: to, bounded: true})
}

// Backward returns an iterator over all entries in the opposite order. The loop may change the Map as
// for All. Owner only.
func (m *Map[K, V]) Backward() iter.Seq2[K, V] {
	return backward(m, cursor[K, V]{op: "btree.Map.Backward", whole: true})
}

// BackwardFrom returns an iterator over the entries whose keys are at most k, in the opposite order.
// The loop may change the Map as for All. Owner only.
func (m *Map[K, V]) BackwardFrom(k K) iter.Seq2[K, V] {
	return backward(m, cursor[K, V]{op: "btree.Map.BackwardFrom", key: k})
}

// A cursor is where a loop is: the entries of a leaf from i on, and what follows.
type cursor[K, V any] struct {
	at      *leaf[K, V] // nil at the beginning and at the end
	i, end  int
	key     K    // that was yielded last; at the beginning the one to look up
	beyond  bool // key was yielded
	whole   bool // a loop over all entries
	bounded bool // by to
	to      K
	op      string
	changes uint64 // of the Map when at was set
	life    palloc.Lifetime
}

// forward returns an iterator from a cursor on. It has no calls but those for a leaf, and is inlined.
func forward[K, V any](m *Map[K, V], from cursor[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for c := m.next(from); c.at != nil; c = m.next(c) {
			l, changes, life, key := c.at, c.changes, c.life, c.key // in registers
			for i := c.i; i < c.end && m.changes == changes && !life.Over(); i++ {
				if key = l.keys[i&(width-1)]; !yield(key, l.values[i&(width-1)]) {
					return
				}
			}
			c.key = key
		}
	}
}

// next returns the cursor for the entries after those of c, or after the last one that was yielded if
// the Map was changed since.
func (m *Map[K, V]) next(c cursor[K, V]) cursor[K, V] {
	m.check(c.op)
	var p place[K, V]
	switch {
	case c.at == nil && c.whole:
		p = place[K, V]{m.first, 0}
	case c.at == nil || m.changes != c.changes:
		p = m.ceil(c.key, c.beyond)
	case c.end == c.at.n:
		p = place[K, V]{c.at.next, 0}
	}
	if p.at == nil {
		return cursor[K, V]{}
	}
	c.at, c.i, c.end = p.at, p.i, p.at.n
	if c.bounded {
		c.end, _ = m.search(&p.at.keys, p.at.n, c.to)
	}
	c.beyond, c.changes, c.life = true, m.changes, m.life
	return c
}

// backward works as forward does, in the opposite order.
func backward[K, V any](m *Map[K, V], from cursor[K, V]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for c := m.previous(from); c.at != nil; c = m.previous(c) {
			l, changes, life, key := c.at, c.changes, c.life, c.key
			for i := c.i; i >= 0 && m.changes == changes && !life.Over(); i-- {
				if key = l.keys[i&(width-1)]; !yield(key, l.values[i&(width-1)]) {
					return
				}
			}
			c.key = key
		}
	}
}

// previous works as next does, in the opposite order.
func (m *Map[K, V]) previous(c cursor[K, V]) cursor[K, V] {
	m.check(c.op)
	var p place[K, V]
	switch {
	case c.at == nil && c.whole:
		p = lastOf(m.last)
	case c.at == nil || m.changes != c.changes:
		p = m.floor(c.key, c.beyond)
	default:
		p = lastOf(c.at.prev)
	}
	c.at, c.i = p.at, p.i
	c.beyond, c.changes, c.life = true, m.changes, m.life
	return c
}

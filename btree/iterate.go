package btree

import "iter"

// Iteration, and single entries by their order.
//
// Invariant: a loop goes on behind the key that it was given last, whatever was added and deleted
// meanwhile: each step compares changes, and looks that key up when it differs.
//
// Cost: a step takes a call and two compares. After a change it takes a search in each level.

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
	return func(yield func(K, V) bool) {
		m.check("btree.Map.All")
		m.forward("btree.Map.All", place[K, V]{m.first, 0}, nil, yield)
	}
}

// From returns an iterator over the entries whose keys are at least k. The loop may change the Map
// as for All. Owner only.
func (m *Map[K, V]) From(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.check("btree.Map.From")
		m.forward("btree.Map.From", m.ceil(k, false), nil, yield)
	}
}

// Range returns an iterator over the entries whose keys are at least from and less than to. The loop
// may change the Map as for All. Owner only.
func (m *Map[K, V]) Range(from, to K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.check("btree.Map.Range")
		end := to
		m.forward("btree.Map.Range", m.ceil(from, false), &end, yield)
	}
}

// Backward returns an iterator over all entries in the opposite order. The loop may change the Map as
// for All. Owner only.
func (m *Map[K, V]) Backward() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.check("btree.Map.Backward")
		m.backward("btree.Map.Backward", lastOf(m.last), yield)
	}
}

// BackwardFrom returns an iterator over the entries whose keys are at most k, in the opposite order.
// The loop may change the Map as for All. Owner only.
func (m *Map[K, V]) BackwardFrom(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		m.check("btree.Map.BackwardFrom")
		m.backward("btree.Map.BackwardFrom", m.floor(k, false), yield)
	}
}

// forward yields the entries from p on, those less than *to unless to is nil.
func (m *Map[K, V]) forward(op string, p place[K, V], to *K, yield func(K, V) bool) {
	seen := m.changes
	for p.at != nil {
		end := p.at.n
		if to != nil {
			end, _ = m.search(&p.at.keys, end, *to)
		}
		last := end < p.at.n
		l, i := p.at, p.i
		for ; i < end; i++ {
			k := l.keys[i&(width-1)]
			if !yield(k, l.values[i&(width-1)]) {
				return
			}
			if m.changes != seen || m.life.Over() {
				m.check(op)
				seen, p = m.changes, m.ceil(k, true)
				break
			}
		}
		switch {
		case i < end: // p is set
		case last:
			return
		default:
			p = place[K, V]{l.next, 0}
		}
	}
}

// backward yields the entries from p on, in the opposite order.
func (m *Map[K, V]) backward(op string, p place[K, V], yield func(K, V) bool) {
	seen := m.changes
	for p.at != nil {
		k := p.at.keys[p.i&(width-1)]
		switch {
		case !yield(k, p.at.values[p.i&(width-1)]):
			return
		case m.changes != seen || m.life.Over():
			m.check(op)
			seen, p = m.changes, m.floor(k, true)
		case p.i > 0:
			p.i--
		default:
			p = lastOf(p.at.prev)
		}
	}
}

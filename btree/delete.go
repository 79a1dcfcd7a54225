package btree

import "github.com/gopalloc/palloc"

// Deletion.
//
// Invariant: a deletion allocates nothing, and cannot fail. Two neighbors are joined when both fit
// into one with a quarter to spare, otherwise their keys are divided evenly: after that, the next
// deletion that joins or divides there is at least some 8 away.
//
// Cost: a search in each level, and a move of half a leaf; where the leaf is then less than a
// quarter full, a second search and a move of up to a node in each level.

// Delete deletes the entry of k and returns its value; the zero value and false when there is none.
// Owner only.
func (m *Map[K, V]) Delete(k K) (old V, deleted bool) {
	m.check("btree.Map.Delete")
	l := m.leafOf(k)
	if l == nil {
		return old, false
	}
	i, found := m.search(&l.keys, l.n, k)
	if !found {
		return old, false
	}
	old = l.values[i]
	k = l.keys[i] // leads to this leaf even if compare calls others equal to it
	m.remove(l, i)
	if l.n < least && (m.height > 0 || l.n == 0) {
		m.shrink(k)
	}
	return old, true
}

// remove takes an entry out of a leaf.
func (m *Map[K, V]) remove(l *leaf[K, V], i int) {
	var key K
	var value V
	copy(l.keys[i:l.n-1], l.keys[i+1:l.n])
	copy(l.values[i:l.n-1], l.values[i+1:l.n])
	l.n--
	l.keys[l.n], l.values[l.n] = key, value
	m.n--
	m.changes++
}

// shrink joins the leaf where k was with a neighbor, or divides both evenly, and then the inner nodes
// above it as far as it takes.
func (m *Map[K, V]) shrink(k K) {
	var p path[K, V]
	m.pathTo(&p, k)
	if m.height == 0 {
		m.dropLeaf(p.leaf)
		m.root.leaf, m.first, m.last = nil, nil, nil
		return
	}
	up := p.steps[m.height-1]
	left := max(up.i-1, 0)
	m.evenLeaves(up.at, left)
	for level := m.height - 2; level >= 0 && up.at.n < least; level-- {
		up = p.steps[level]
		m.evenInners(up.at, max(up.i-1, 0))
	}
	if at := m.root.inner; at.n == 0 {
		m.root = at.kids[0]
		m.height--
		m.dropInner(at)
	}
}

// evenLeaves joins children i and i+1, which are leaves, or divides their entries evenly.
func (m *Map[K, V]) evenLeaves(up *inner[K, V], i int) {
	l, r := up.kids[i].leaf, up.kids[i+1].leaf
	if l.n+r.n <= most {
		copy(l.keys[l.n:], r.keys[:r.n])
		copy(l.values[l.n:], r.values[:r.n])
		l.n += r.n
		if l.next = r.next; l.next != nil {
			l.next.prev = l
		} else {
			m.last = l
		}
		up.remove(i)
		m.dropLeaf(r)
		return
	}
	if half := (l.n + r.n) / 2; l.n < half {
		l.takeFrom(r, half-l.n)
	} else {
		l.giveTo(r, l.n-half)
	}
	up.keys[i] = l.keys[l.n-1]
}

// takeFrom moves the first n entries of the next leaf behind those of l.
func (l *leaf[K, V]) takeFrom(r *leaf[K, V], n int) {
	copy(l.keys[l.n:], r.keys[:n])
	copy(l.values[l.n:], r.values[:n])
	copy(r.keys[:], r.keys[n:r.n])
	copy(r.values[:], r.values[n:r.n])
	clear(r.keys[r.n-n : r.n])
	clear(r.values[r.n-n : r.n])
	l.n += n
	r.n -= n
}

// giveTo moves the last n entries of l before those of the next leaf.
func (l *leaf[K, V]) giveTo(r *leaf[K, V], n int) {
	copy(r.keys[n:], r.keys[:r.n])
	copy(r.values[n:], r.values[:r.n])
	copy(r.keys[:n], l.keys[l.n-n:l.n])
	copy(r.values[:n], l.values[l.n-n:l.n])
	clear(l.keys[l.n-n : l.n])
	clear(l.values[l.n-n : l.n])
	l.n -= n
	r.n += n
}

// remove takes key i and the child behind it out of an inner node.
func (at *inner[K, V]) remove(i int) {
	var key K
	copy(at.keys[i:at.n-1], at.keys[i+1:at.n])
	copy(at.kids[i+1:at.n], at.kids[i+2:at.n+1])
	at.keys[at.n-1], at.kids[at.n] = key, node[K, V]{}
	at.n--
}

// evenInners joins children i and i+1, which are inner nodes, or divides their children evenly. The
// key between them takes part.
func (m *Map[K, V]) evenInners(up *inner[K, V], i int) {
	l, r := up.kids[i].inner, up.kids[i+1].inner
	if l.n+1+r.n <= most {
		l.keys[l.n] = up.keys[i]
		copy(l.keys[l.n+1:], r.keys[:r.n])
		copy(l.kids[l.n+1:], r.kids[:r.n+1])
		l.n += 1 + r.n
		up.remove(i)
		m.dropInner(r)
		return
	}
	if half := (l.n + r.n) / 2; l.n < half {
		up.keys[i] = l.takeFrom(r, half-l.n, up.keys[i])
	} else {
		up.keys[i] = l.giveTo(r, l.n-half, up.keys[i])
	}
}

// takeFrom moves the first n children of the next inner node behind those of l. between is the key
// between the two nodes; it returns the new one.
func (l *inner[K, V]) takeFrom(r *inner[K, V], n int, between K) K {
	if n == 0 {
		return between
	}
	l.keys[l.n] = between
	copy(l.keys[l.n+1:], r.keys[:n-1])
	copy(l.kids[l.n+1:], r.kids[:n])
	between = r.keys[n-1]
	copy(r.keys[:], r.keys[n:r.n])
	copy(r.kids[:], r.kids[n:r.n+1])
	clear(r.keys[r.n-n : r.n])
	clear(r.kids[r.n+1-n : r.n+1])
	l.n += n
	r.n -= n
	return between
}

// giveTo moves the last n children of l before those of the next inner node; see takeFrom.
func (l *inner[K, V]) giveTo(r *inner[K, V], n int, between K) K {
	if n == 0 {
		return between
	}
	copy(r.keys[n:], r.keys[:r.n])
	copy(r.kids[n:], r.kids[:r.n+1])
	r.keys[n-1] = between
	copy(r.keys[:n-1], l.keys[l.n-n+1:l.n])
	copy(r.kids[:n], l.kids[l.n+1-n:l.n+1])
	between = l.keys[l.n-n]
	clear(l.keys[l.n-n : l.n])
	clear(l.kids[l.n+1-n : l.n+1])
	l.n -= n
	r.n += n
	return between
}

// dropLeaf frees a leaf that is linked no more. In a Bump the Map keeps it.
func (m *Map[K, V]) dropLeaf(l *leaf[K, V]) {
	if m.mc.Kind().Frees() {
		palloc.Free(l)
	} else {
		m.spare.putLeaf(l)
	}
}

// dropInner works as dropLeaf does.
func (m *Map[K, V]) dropInner(at *inner[K, V]) {
	if m.mc.Kind().Frees() {
		palloc.Free(at)
	} else {
		m.spare.putInner(at)
	}
}

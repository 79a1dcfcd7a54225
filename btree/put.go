package btree

import "github.com/gopalloc/palloc"

// Insertion.
//
// Invariant: all nodes that an insertion needs are allocated before it changes anything. To
// allocate may call functions of OnPressure, which may use the Map: the place is looked up again
// after that.
//
// Cost: a search in each level, and a move of half a leaf. One insertion in 32 splits a leaf, and
// looks the place up once more. Keys that come in ascending order fill the leaves.

// Put sets the value of k, and returns the one that it replaced. It panics with an
// *palloc.OutOfMemoryError when the system or a limit refuses memory for a node: the Map is then as
// it was. To replace a value takes no memory. Owner only.
func (m *Map[K, V]) Put(k K, v V) (old V, replaced bool) {
	old, replaced, err := m.put("btree.Map.Put", k, v)
	if err != nil {
		panic(err)
	}
	return old, replaced
}

// TryPut works as Put does, but returns the *palloc.OutOfMemoryError. Owner only.
func (m *Map[K, V]) TryPut(k K, v V) (old V, replaced bool, err error) {
	return m.put("btree.Map.TryPut", k, v)
}

func (m *Map[K, V]) put(op string, k K, v V) (old V, replaced bool, err error) {
	m.check(op)
	l := m.leafOf(k)
	if l == nil {
		return old, false, m.putSplitting(op, k, v)
	}
	i, found := m.search(&l.keys, l.n, k)
	if found {
		old, l.values[i] = l.values[i], v
		return old, true, nil
	}
	if l.n == width {
		return old, false, m.putSplitting(op, k, v)
	}
	m.add(l, i, k, v)
	return old, false, nil
}

// add puts an entry into a leaf that has room.
func (m *Map[K, V]) add(l *leaf[K, V], i int, k K, v V) {
	if i < l.n {
		copy(l.keys[i+1:l.n+1], l.keys[i:l.n])
		copy(l.values[i+1:l.n+1], l.values[i:l.n])
	}
	l.keys[i], l.values[i] = k, v
	l.n++
	m.n++
	m.changes++
}

// A step is an inner node on the way to a leaf, and which child comes next.
type step[K, V any] struct {
	at *inner[K, V]
	i  int
}

// maxHeight is more than the levels of inner nodes of any Map: each has two children at least, and
// all but those at the right end have 16.
const maxHeight = 16

// A path leads from the root to a leaf.
type path[K, V any] struct {
	steps [maxHeight]step[K, V]
	leaf  *leaf[K, V]
}

// pathTo sets p to the path to the leaf where k is or would be.
func (m *Map[K, V]) pathTo(p *path[K, V], k K) {
	at := m.root
	for level := range m.height {
		i, _ := m.search(&at.inner.keys, at.inner.n, k)
		p.steps[level] = step[K, V]{at.inner, i}
		at = at.inner.kids[i]
	}
	p.leaf = at.leaf
}

// putSplitting puts an entry into a Map where its leaf may be full or missing. The error is an
// *OutOfMemoryError.
func (m *Map[K, V]) putSplitting(op string, k K, v V) error {
	var p path[K, V]
	for {
		m.check(op)
		m.pathTo(&p, k)
		leaves, inners := m.needed(&p)
		if m.spare.leafCount >= leaves && m.spare.innerCount >= inners {
			break
		}
		if err := m.reserve(leaves, inners); err != nil {
			return err
		}
	}
	l := p.leaf
	switch {
	case l == nil:
		l = m.spare.takeLeaf()
		m.root.leaf, m.first, m.last = l, l, l
	case l.n == width:
		l = m.splitLeaf(&p, k)
	}
	i, found := m.search(&l.keys, l.n, k)
	if found { // a function of OnPressure has put it
		l.values[i] = v
		return nil
	}
	m.add(l, i, k, v)
	return nil
}

// needed returns how many nodes an entry more in the path's leaf takes.
func (m *Map[K, V]) needed(p *path[K, V]) (leaves, inners int) {
	if p.leaf != nil && p.leaf.n < width {
		return 0, 0
	}
	if p.leaf == nil {
		return 1, 0
	}
	level := m.height - 1
	for level >= 0 && p.steps[level].at.n == width {
		level--
		inners++
	}
	if level < 0 {
		inners++ // a root
	}
	return 1, inners
}

// splitLeaf splits the path's leaf, which is full, and returns the half where k belongs.
func (m *Map[K, V]) splitLeaf(p *path[K, V], k K) *leaf[K, V] {
	l, r := p.leaf, m.spare.takeLeaf()
	keep := width / 2
	if i, _ := m.search(&l.keys, l.n, k); i == width && l.next == nil {
		keep = width // the next keys come behind
	}
	r.n = copy(r.keys[:], l.keys[keep:])
	copy(r.values[:], l.values[keep:])
	clear(l.keys[keep:])
	clear(l.values[keep:])
	l.n = keep
	r.prev, r.next, l.next = l, l.next, r
	if r.next != nil {
		r.next.prev = r
	} else {
		m.last = r
	}
	m.changes++
	low := l.keys[keep-1]
	m.link(p, low, node[K, V]{leaf: r})
	if i, _ := m.search(&l.keys, l.n, k); i == l.n {
		return r
	}
	return l
}

// link puts a new node behind the path's children, from the lowest level up, and low, the highest key
// before it. It splits the inner nodes that are full.
func (m *Map[K, V]) link(p *path[K, V], low K, kid node[K, V]) {
	end := kid.leaf == m.last
	for level := m.height - 1; level >= 0; level-- {
		at, i := p.steps[level].at, p.steps[level].i
		if at.n < width {
			at.insert(i, low, kid)
			return
		}
		low, kid = m.splitInner(at, i, low, kid, end)
	}
	root := m.spare.takeInner()
	root.n, root.keys[0], root.kids[0], root.kids[1] = 1, low, m.root, kid
	m.root = node[K, V]{inner: root}
	m.height++
}

// insert puts key and the child behind it at i into an inner node that has room.
func (at *inner[K, V]) insert(i int, key K, kid node[K, V]) {
	copy(at.keys[i+1:at.n+1], at.keys[i:at.n])
	copy(at.kids[i+2:at.n+2], at.kids[i+1:at.n+1])
	at.keys[i], at.kids[i+1] = key, kid
	at.n++
}

// splitInner splits an inner node that is full and inserts a child, which leads to the last leaf if
// end. It returns the new node and the highest key before it.
func (m *Map[K, V]) splitInner(at *inner[K, V], i int, low K, kid node[K, V], end bool) (K, node[K, V]) {
	r := m.spare.takeInner()
	keep := width / 2 // keys; the next one goes up
	if end && i == width {
		keep = width - 1 // the next children come behind
	}
	up := at.keys[keep]
	r.n = copy(r.keys[:], at.keys[keep+1:])
	copy(r.kids[:], at.kids[keep+1:])
	clear(at.keys[keep:])
	clear(at.kids[keep+1:])
	at.n = keep
	if i <= keep {
		at.insert(i, low, kid)
	} else {
		r.insert(i-keep-1, low, kid)
	}
	return up, node[K, V]{inner: r}
}

// reserve allocates spare nodes until there are as many. When memory is refused it releases them.
func (m *Map[K, V]) reserve(leaves, inners int) error {
	for m.spare.leafCount < leaves {
		l, err := palloc.TryNew[leaf[K, V]](m.mc)
		if err != nil {
			m.release()
			return err
		}
		m.spare.putLeaf(l)
	}
	for m.spare.innerCount < inners {
		at, err := palloc.TryNew[inner[K, V]](m.mc)
		if err != nil {
			m.release()
			return err
		}
		m.spare.putInner(at)
	}
	return nil
}

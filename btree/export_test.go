package btree

import "fmt"

// Check returns an error that tells which invariant of the nodes does not hold.
func (m *Map[K, V]) Check() error {
	c := &checker[K, V]{m: m}
	if m.first == nil {
		if m.height != 0 || m.n != 0 || m.last != nil || m.root.leaf != nil {
			return fmt.Errorf("no first leaf: height %d, %d entries", m.height, m.n)
		}
		return nil
	}
	c.visit(m.root, m.height, nil, nil, true)
	if c.err == nil && (c.previous != m.last || m.last.next != nil || c.n != m.n) {
		c.err = fmt.Errorf("%d entries in the leaves, %d in all; or the last leaf is another one", c.n, m.n)
	}
	return c.err
}

// Nodes returns the number of nodes that the Map holds, and of those that it does not use.
func (m *Map[K, V]) Nodes() (all, spare int) {
	c := &checker[K, V]{m: m}
	if m.first != nil {
		c.visit(m.root, m.height, nil, nil, true)
	}
	spare = m.spare.leafCount + m.spare.innerCount
	return c.nodes + spare, spare
}

type checker[K, V any] struct {
	m        *Map[K, V]
	previous *leaf[K, V]
	n, nodes int
	keys     [width]K
	err      error
}

func (c *checker[K, V]) bad(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// less compares two keys by the Map's search.
func (c *checker[K, V]) less(a, b K) bool {
	c.keys[0] = a
	i, _ := c.m.search(&c.keys, 1, b)
	return i == 1
}

// visit checks the subtree at, whose keys are more than *low and at most *high. Those at the right
// end may have few keys.
func (c *checker[K, V]) visit(at node[K, V], height int, low, high *K, right bool) {
	c.nodes++
	if height == 0 {
		c.visitLeaf(at.leaf, low, high, right)
		return
	}
	n := at.inner
	if n == nil || at.leaf != nil || n.n < 1 || n.n > width || n.n < least && !right {
		c.bad("an inner node of %d keys at height %d", n.n, height)
		return
	}
	c.ordered(n.keys[:n.n], low, high)
	for i := range n.n + 1 {
		if i > 0 {
			low = &n.keys[i-1]
		}
		end := high
		if i < n.n {
			end = &n.keys[i]
		}
		c.visit(n.kids[i], height-1, low, end, right && i == n.n)
	}
	for _, kid := range n.kids[n.n+1:] {
		if kid.leaf != nil || kid.inner != nil {
			c.bad("a child beyond the last one")
		}
	}
}

func (c *checker[K, V]) visitLeaf(l *leaf[K, V], low, high *K, right bool) {
	if l.n < 1 || l.n > width || l.n < least && !right || l.prev != c.previous || c.previous == nil && l != c.m.first {
		c.bad("a leaf of %d keys, or one that is linked wrong", l.n)
	}
	if c.previous != nil && c.previous.next != l {
		c.bad("a leaf leads to another than the next one")
	}
	c.previous = l
	c.n += l.n
	c.ordered(l.keys[:l.n], low, high)
}

func (c *checker[K, V]) ordered(keys []K, low, high *K) {
	for i := range keys {
		if i > 0 && !c.less(keys[i-1], keys[i]) || low != nil && !c.less(*low, keys[i]) || high != nil && c.less(*high, keys[i]) {
			c.bad("key %v is out of order", keys[i])
		}
	}
}

package btree

// The end of all entries.
//
// Invariant: after Clear and Free the Map is empty and can be used as a new one.
//
// Cost: Clear takes a step for each inner node, of which there is one for some 45 leaves; Free a
// free for each node.

// Clear deletes all entries and keeps the nodes for the next ones. Owner only.
func (m *Map[K, V]) Clear() {
	m.check("btree.Map.Clear")
	if m.first == nil {
		return
	}
	leaves := m.keepInners(m.root, m.height)
	m.last.next, m.spare.leaves = m.spare.leaves, m.first
	m.spare.leafCount += leaves
	m.root, m.height, m.first, m.last, m.n = node[K, V]{}, 0, nil, nil, 0
	m.changes++
}

// keepInners makes the inner nodes of a tree spare nodes, and returns the number of its leaves.
func (m *Map[K, V]) keepInners(at node[K, V], height int) (leaves int) {
	switch height {
	case 0:
		return 1
	case 1:
		leaves = at.inner.n + 1
	default:
		for i := range at.inner.n + 1 {
			leaves += m.keepInners(at.inner.kids[i], height-1)
		}
	}
	m.spare.putInner(at.inner)
	return leaves
}

// Free deletes all entries and frees all nodes, which takes a step for each. Before a reset or
// deletion of the context it is not needed. In a Bump nothing can be freed: Free then does what
// Clear does. Owner only.
//
// PostgreSQL: rbt_delete and pfree, for each node.
func (m *Map[K, V]) Free() {
	m.check("btree.Map.Free")
	m.Clear()
	m.release()
}

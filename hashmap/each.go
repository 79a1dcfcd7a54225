package hashmap

// Loops over all entries.
//
// Invariant: a cursor's groups are the map's as long as changes is the same number, which it looks at
// before each entry, as it does at the context's lifetime.
//
// Cost: a call for each entry, and a step for each group.

// A cursor is a place in a loop over a store's entries.
type cursor[K comparable, V any] struct {
	s       *store[K, V]
	op      string
	changes uint64
	table   uint32 // the next
	number  int    // of the group, in groups
	groups  []group[K, V]
	group   *group[K, V]
	full    uint64      // slots of the group that are still to come
	at      *slot[K, V] // the present entry
}

// loop returns a cursor before the first entry.
func (s *store[K, V]) loop(op string) cursor[K, V] {
	s.check(op)
	return cursor[K, V]{s: s, op: op, changes: s.changes}
}

// next goes to the next entry, and reports whether there is one.
func (c *cursor[K, V]) next() bool {
	if c.s.changes != c.changes || c.s.life.Over() {
		c.changed()
		return false
	}
	if c.full != 0 {
		c.full &= c.group.control // without what was deleted meanwhile
	}
	for c.full == 0 {
		if c.number++; c.number >= len(c.groups) {
			if c.table == c.s.tables {
				return false
			}
			c.groups = c.s.tableAt(c.table).groups
			c.table, c.number = c.table+1, -1
			continue
		}
		c.group = &c.groups[c.number]
		c.full = matchFull(c.group.control)
	}
	c.at = &c.group.slots[first(c.full)]
	c.full &= c.full - 1
	return true
}

// changed panics, unless the loop may simply end: the map is empty.
func (c *cursor[K, V]) changed() {
	if c.s.check(c.op); c.s.count != 0 {
		c.s.life.Misuse(c.op, "a key was inserted during the loop, which may have moved entries: "+
			"collect such keys, and insert them after the loop")
	}
}

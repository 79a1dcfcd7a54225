package hashmap

// Loops over all entries.
//
// Invariant: a cursor's groups are the map's as long as changes is the same number, which it looks
// at after each entry, as it does at the context's lifetime.
//
// Cost: a call for each group, and a step for each entry.

// A cursor is a group in a loop over a store's entries.
type cursor[K comparable, V any] struct {
	s       *store[K, V]
	op      string
	changes uint64
	table   uint32 // the next
	number  int    // of the next group, in groups
	groups  []group[K, V]
	group   *group[K, V]
	full    uint64 // the group's slots with entries
}

// loop returns a cursor before the first group.
func (s *store[K, V]) loop(op string) cursor[K, V] {
	s.check(op)
	return cursor[K, V]{s: s, op: op, changes: s.changes}
}

// next goes to the next group with entries, and reports whether there is one.
func (c *cursor[K, V]) next() bool {
	if c.s.changes != c.changes || c.s.life.Over() {
		c.changed()
		return false
	}
	for {
		for ; c.number < len(c.groups); c.number++ {
			c.group = &c.groups[c.number]
			if c.full = matchFull(c.group.control); c.full != 0 {
				c.number++
				return true
			}
		}
		if c.table == c.s.tables {
			return false
		}
		c.groups = c.s.tableAt(c.table).groups
		c.table, c.number = c.table+1, 0
	}
}

// rest returns the slots that are still to come after the first of them: without what was deleted
// meanwhile, and none if the map has changed otherwise, which next looks at.
func (c *cursor[K, V]) rest(full uint64) uint64 {
	if c.s.changes != c.changes || c.s.life.Over() {
		return 0
	}
	return full & (full - 1) & c.group.control
}

// changed panics, unless the loop may simply end: the map is empty.
func (c *cursor[K, V]) changed() {
	if c.s.check(c.op); c.s.count != 0 {
		c.s.life.Misuse(c.op, "a key was inserted during the loop, which may have moved entries: "+
			"collect such keys, and insert them after the loop")
	}
}

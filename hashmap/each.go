package hashmap

// Loops over all entries.
//
// Invariant: a loop has numbers only, no addresses in the map: whatever the map does meanwhile, it
// reads what the map has. After each entry it looks whether entries may have moved.
//
// Cost: a step for each group, and for each entry.

// each calls yield with each entry, until it returns false.
func (s *store[K, V]) each(op string, yield func(*K, *V) bool) {
	s.check(op)
	if s.count == 0 {
		return
	}
	changes := s.changes
	for n := uint32(0); n < s.tables; n++ {
		for at := 0; at < len(s.tableAt(n).groups); at++ {
			g := &s.tableAt(n).groups[at]
			for full := matchFull(g.control); full != 0; full &= (full - 1) & g.control {
				if at := &g.slots[first(full)]; !yield(&at.key, &at.value) {
					return
				}
				if s.changes != changes || s.life.Over() {
					s.changed(op)
					return
				}
			}
		}
	}
}

// changed panics, unless the loop may simply end: the map is empty.
func (s *store[K, V]) changed(op string) {
	if s.check(op); s.count != 0 {
		s.life.Misuse(op, "a key was inserted during the loop, which may have moved entries: "+
			"collect such keys, and insert them after the loop")
	}
}

package hashmap

import "github.com/gopalloc/palloc"

// A table: groups in which a hash has a place, and searches that go from there to others.
//
// Invariant: the entry of a hash is in the group of the hash, or in a later one (the first follows
// the last) if all groups before have the overflow bit of its tag. The groups of rising hashes
// rise: all entries can be moved to a larger table in one sweep through both.
//
// Cost: that of its groups.

type table[K comparable, V any] struct {
	palloc.NoHeapPointers
	groups []group[K, V] // covers its chunk, but for one at most
	left   int32         // entries that may still be added
	live   int32         // entries
}

// limitOf returns the number of entries that a table may have: seven of eight slots.
func limitOf(groups int) int32 {
	slots := groups * perGroup
	return int32(slots - slots/8)
}

// groupsFor returns the number of groups that n entries need, which is odd.
func groupsFor(n int) int { return (n+n/7)/perGroup + 1 | 1 }

// newTable returns a table of empty groups, of which it uses an odd number.
func newTable[K comparable, V any](groups []group[K, V]) table[K, V] {
	groups = groups[:(len(groups)-1)|1]
	return table[K, V]{groups: groups, left: limitOf(len(groups))}
}

// homeOf returns the group of a hash.
func homeOf(hash uint64, groups int) uint {
	return uint(uint64(uint32(hash)) * uint64(groups) >> 32)
}

// after returns the group that a search for a tag goes to after another. The steps are powers of
// two and the number of groups is odd, so that a search comes to all of them; they differ, so that
// entries which find no room in a group are spread over others.
func (t *table[K, V]) after(n uint, tag uint64) uint {
	if n += 1 << (tag % 8); n >= uint(len(t.groups)) {
		n %= uint(len(t.groups))
	}
	return n
}

// put returns the slot for an entry of a hash, whose tag it sets there. There is an empty slot.
func (t *table[K, V]) put(hash, tag uint64) *slot[K, V] {
	at := homeOf(hash, len(t.groups))
	for {
		g := &t.groups[at]
		if match := matchEmpty(g.control); match != 0 {
			i := first(match)
			g.control |= tag << (i * 8)
			return &g.slots[i]
		}
		g.control |= overflowOf(tag)
		at = t.after(at, tag)
	}
}

// remove removes the entry of a slot, whose key has the hash. It moves no other. From a group that
// has had too many entries, it makes no room: there overflow bits remain that may be of no use, and
// grow in number until the table is purged.
func (t *table[K, V]) remove(at *slot[K, V], hash uint64) {
	g, i := t.groupOf(at, hash)
	if g.control>>overflowShift == 0 {
		t.left++
	}
	g.control &^= 0xff << (i * 8)
	*at = slot[K, V]{}
	t.live--
}

// groupOf returns the group of a slot, and the slot's number in it.
func (t *table[K, V]) groupOf(at *slot[K, V], hash uint64) (g *group[K, V], i uint) {
	tag := tagOf(hash)
	for n := homeOf(hash, len(t.groups)); ; n = t.after(n, tag) {
		g = &t.groups[n]
		for match := matchTag(g.control, tag*ones); match != 0; match &= match - 1 {
			if i = first(match); &g.slots[i] == at {
				return g, i
			}
		}
	}
}

// worn reports whether the table has so few entries that to purge it is better than to grow.
func (t *table[K, V]) worn() bool { return int(t.live) <= int(limitOf(len(t.groups)))*13/16 }

// mayPurge reports whether the table has entries so few that to purge it makes room for as many as are
// worth it, where it cannot grow.
func (t *table[K, V]) mayPurge() bool { return int(t.live)*16 < int(limitOf(len(t.groups)))*15 }

// overdraw lets a full table have a sixteenth more entries than it may, and reports whether it does: an
// insert that has split another table leaves it to a later one that this table grows.
func (t *table[K, V]) overdraw() bool {
	if !t.overdrawn() {
		t.left = limitOf(len(t.groups)) / 16
	}
	return t.left > 0
}

// overdrawn reports whether the table has more entries than it may.
func (t *table[K, V]) overdrawn() bool { return t.live > limitOf(len(t.groups)) }

// clear removes all entries.
func (t *table[K, V]) clear() {
	clear(t.groups)
	t.left, t.live = limitOf(len(t.groups)), 0
}

// purge puts all entries in their places anew, without memory and with the overflow bits that they
// need.
func (t *table[K, V]) purge(h *hasher) {
	for i := range t.groups {
		t.groups[i].control &= 1<<overflowShift - 1
	}
	for i := range t.groups {
		t.purgeGroup(h, &t.groups[i])
	}
	t.left = limitOf(len(t.groups)) - t.live
}

// purgeGroup takes each entry out of the group and puts it where it belongs: here, or in a group
// before that has an empty slot.
func (t *table[K, V]) purgeGroup(h *hasher, g *group[K, V]) {
	for full := matchFull(g.control); full != 0; full &= full - 1 {
		i := first(full)
		tag := tagAt(g.control, i)
		g.control &^= 0xff << (i * 8)
		from := &g.slots[i]
		if to := t.put(hashOf(h, from.key), tag); to != from {
			*to = *from
			*from = slot[K, V]{}
		}
	}
}

// moveTo adds the entries to larger tables: those whose hash has the bit to high, others to low.
// low and high may be the same.
func (t *table[K, V]) moveTo(h *hasher, bit uint64, low, high *table[K, V]) {
	for n := range t.groups {
		g := &t.groups[n]
		for full := matchFull(g.control); full != 0; full &= full - 1 {
			i := first(full)
			from := &g.slots[i]
			var hash uint64
			if h.how == byWord { // hashOf, without the call
				hash = h.word(wordOf(&from.key))
			} else {
				hash = hashSlowly(h, from.key)
			}
			to := low
			if hash&bit != 0 {
				to = high
			}
			if to.left == 0 { // only for a NaN, which has a new hash each time, and is found by none
				to = other(to, low, high)
			}
			*to.put(hash, tagAt(g.control, i)) = *from
			to.left--
			to.live++
		}
	}
}

// other returns the other one of two tables.
func other[T any](one, low, high *T) *T {
	if one == low {
		return high
	}
	return low
}

// count returns how many entries have the bit in their hash.
func (t *table[K, V]) count(h *hasher, bit uint64) (n int) {
	for i := range t.groups {
		g := &t.groups[i]
		for full := matchFull(g.control); full != 0; full &= full - 1 {
			if hashOf(h, g.slots[first(full)].key)&bit != 0 {
				n++
			}
		}
	}
	return n
}

package trace

// The tree of contexts while a trace is built.
//
// Invariant: a live context is on its parent's list of children, newest first; one
// without a parent is on no list. Cost: linking and unlinking are
// constant, a walk visits each descendant once and needs no stack.

type links struct {
	parent, first, prev, next uint32 // None where there is none
}

type family []links

// link puts context mc under parent, which may be None.
func (f family) link(mc, parent uint32) {
	k := &f[mc]
	k.parent, k.prev, k.next = parent, None, None
	if parent == None {
		return
	}
	p := &f[parent]
	if k.next = p.first; k.next != None {
		f[k.next].prev = mc
	}
	p.first = mc
}

// unlink removes context mc, with its descendants, from its parent's list.
func (f family) unlink(mc uint32) {
	k := &f[mc]
	if k.parent == None {
		return
	}
	if k.prev == None {
		f[k.parent].first = k.next
	} else {
		f[k.prev].next = k.next
	}
	if k.next != None {
		f[k.next].prev = k.prev
	}
	k.parent = None
}

// descends reports whether mc is ancestor or one of its descendants.
func (f family) descends(mc, ancestor uint32) bool {
	for mc != ancestor && mc != None {
		mc = f[mc].parent
	}
	return mc == ancestor
}

// descendants calls visit for every descendant of mc, children before parents.
func (f family) descendants(mc uint32, visit func(uint32)) {
	for at := f.deepest(mc); at != mc; {
		next := f[at].parent
		if sibling := f[at].next; sibling != None {
			next = f.deepest(sibling)
		}
		visit(at)
		at = next
	}
}

// deepest follows first children down from mc to one that has none.
func (f family) deepest(mc uint32) uint32 {
	for f[mc].first != None {
		mc = f[mc].first
	}
	return mc
}

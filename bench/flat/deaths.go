package flat

import "unsafe"

// Deaths: which chunks each reset and delete ends, for an allocator whose resets
// must drop them one by one.
//
// Invariant: the slots of a release are those that hold a live chunk of one of
// its contexts. Cost: one walk over the ops, and 4 bytes for each slot that is
// named, off Go's heap where the system maps memory.

// Deaths are the slots that die, release after release.
type Deaths struct {
	ends  []uint32 // in slots, by release
	slots []uint32
}

// Of are the slots of the chunks that release number i of the trace ends.
func (d Deaths) Of(i int) []uint32 {
	from := uint32(0)
	if i > 0 {
		from = d.ends[i-1]
	}
	return d.slots[from:d.ends[i]]
}

// Deaths works them out. It fails when the system refuses memory.
func (t *Trace) Deaths() (d Deaths, err error) {
	l := newLives(t)
	for i, o := range t.ops {
		l.follow(uint32(i), o)
	}
	if d.ends, err = place(l.ends); err == nil {
		d.slots, err = place(l.dead)
	}
	return d, err
}

// place copies a table into memory of its own.
func place(table []uint32) ([]uint32, error) {
	b, err := Memory(4 * len(table))
	if err != nil || len(table) == 0 {
		return nil, err
	}
	placed := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(b))), len(table))
	copy(placed, table)
	return placed, nil
}

// lives is what lives while the ops are walked. The lists of a context may name
// what has left it: a child counts if it has the parent, a chunk if its slot is
// still of the op that made it.
type lives struct {
	parent   []uint32   // by context; None also for one that is gone
	children [][]uint32 // by context
	made     [][]birth  // by context
	maker    []uint32   // by slot: the op, or None
	dead     []uint32
	ends     []uint32
}

// birth is a chunk: its slot and the op that made it.
type birth struct{ slot, op uint32 }

func newLives(t *Trace) *lives {
	n := len(t.contexts)
	return &lives{
		parent:   make([]uint32, n),
		children: make([][]uint32, n),
		made:     make([][]birth, n),
		maker:    make([]uint32, t.Slots()),
	}
}

// follow carries out op number i.
func (l *lives) follow(i uint32, o Op) {
	mc := o.Context
	switch o.Code {
	case Alloc:
		l.maker[o.Arg] = i
		l.made[mc] = append(l.made[mc], birth{o.Arg, i})
	case Free:
		l.maker[o.Arg] = None
	case Create, SetParent:
		l.parent[mc] = o.Arg
		if o.Arg != None {
			l.children[o.Arg] = append(l.children[o.Arg], mc)
		}
	case Reset, ResetOnly, ResetChildren, Delete, DeleteChildren:
		l.release(o.Code, mc)
		l.ends = append(l.ends, uint32(len(l.dead)))
	}
}

func (l *lives) release(how Code, mc uint32) {
	if how != ResetOnly {
		l.descend(mc, how != ResetChildren)
	}
	if how == Reset || how == ResetOnly || how == Delete {
		l.drain(mc)
	}
	if how == Delete {
		l.parent[mc] = None
	}
}

// descend drains every context below one; with die they are gone.
func (l *lives) descend(mc uint32, die bool) {
	for _, child := range l.children[mc] {
		if l.parent[child] != mc {
			continue
		}
		l.descend(child, die)
		l.drain(child)
		if die {
			l.parent[child] = None
		}
	}
	if die {
		l.children[mc] = nil
	}
}

// drain ends the chunks of a context.
func (l *lives) drain(mc uint32) {
	for _, b := range l.made[mc] {
		if l.maker[b.slot] == b.op {
			l.maker[b.slot] = None
			l.dead = append(l.dead, b.slot)
		}
	}
	l.made[mc] = l.made[mc][:0]
}

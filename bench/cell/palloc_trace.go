package cell

import (
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/bench/flat"
)

// palloc: replays of flat traces, the recorded contexts as contexts of palloc
// with its own block sizes.
//
// Invariant: table[slot] is the address of every live chunk, and contexts[i] the
// handle of context i; all hang below root, which a pass makes and deletes.
// Cost: what is measured.

func init() {
	join("palloc", map[string]workload{
		"trace":         onTrace(newPallocReplay, timed),
		"trace-touched": onTrace(newPallocReplay, touched),
	})
}

type pallocReplay struct {
	t        *flat.Trace
	root     palloc.Context
	contexts []palloc.Context
	table    []address
}

func newPallocReplay(t *flat.Trace) (replay, error) {
	table, err := newTable(t.Slots())
	contexts := make([]palloc.Context, len(t.Contexts()))
	for i := range contexts {
		contexts[i] = palloc.Top() // resident, as the table is
	}
	return &pallocReplay{t: t, contexts: contexts, table: table}, err
}

func (r *pallocReplay) begin() { r.root = palloc.NewAllocSet(palloc.Top(), "replay") }

func (r *pallocReplay) end() { r.root.Delete() }

func (r *pallocReplay) at(slot uint32, size int) []byte { return part(r.table[slot].chunk(), 0, size) }

func (r *pallocReplay) play(ops []flat.Op) {
	table, contexts := r.table, r.contexts
	for i := range ops {
		o := &ops[i]
		switch o.Code {
		case flat.Alloc:
			size := int(o.Size)
			mc := contexts[o.Context]
			var p unsafe.Pointer
			if o.Flags&flat.Cleared == 0 {
				p = mc.Alloc(size)
			} else {
				p = mc.AllocZeroed(size)
			}
			table[o.Arg].set(p)
			touchEnds(p, size)
		case flat.Free:
			palloc.FreePointer(table[o.Arg].chunk())
		case flat.Realloc:
			size := int(o.Size)
			p := palloc.Realloc(table[o.Arg].chunk(), size)
			table[o.Arg].set(p)
			touchLast(p, size)
		case flat.Reset:
			contexts[o.Context].Reset()
		default:
			r.context(o)
		}
	}
}

// context carries out an op on a context. It is apart from the loop, which is to
// stay in registers.
func (r *pallocReplay) context(o *flat.Op) {
	mc := &r.contexts[o.Context]
	switch o.Code {
	case flat.Create:
		*mc = r.create(o)
	case flat.ResetOnly:
		mc.ResetOnly()
	case flat.ResetChildren:
		mc.ResetChildren()
	case flat.Delete:
		mc.Delete()
	case flat.DeleteChildren:
		mc.DeleteChildren()
	case flat.SetParent:
		mc.SetParent(r.parent(o))
	case flat.SetIdent:
		mc.SetIdent(r.ident(o))
	case flat.OnReset:
		mc.OnReset(nothing)
	}
}

func nothing() {}

func (r *pallocReplay) create(o *flat.Op) palloc.Context {
	c := &r.t.Contexts()[o.Context]
	name, parent := r.t.Text(c.Name, o.Size), r.parent(o)
	switch c.Kind {
	case flat.Slab:
		return palloc.NewSlab(parent, name, int(c.Sizes[1]))
	case flat.Generation:
		return palloc.NewGeneration(parent, name)
	case flat.Bump:
		return palloc.NewBump(parent, name)
	}
	return palloc.NewAllocSet(parent, name)
}

// parent is the context that an op names as one.
func (r *pallocReplay) parent(o *flat.Op) palloc.Context {
	if o.Arg == flat.None {
		return r.root
	}
	return r.contexts[o.Arg]
}

func (r *pallocReplay) ident(o *flat.Op) string {
	if o.Arg == flat.None {
		return ""
	}
	return r.t.Text(uint64(o.Arg), o.Size)
}

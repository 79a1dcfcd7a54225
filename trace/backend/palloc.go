package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/trace"
)

// Palloc: the recorded contexts as contexts of palloc.
//
// Invariant: during a pass table[slot] is the address of every live chunk, and
// contexts[i] the handle of context i, or that of a context that is gone. Every
// context of the pass lies under one root, for palloc has no context without a
// parent; deleting the root ends the pass. Cost: an indexed load with each call of
// palloc.

// Palloc replays a trace with palloc. The zero value is ready and gives contexts
// palloc's own block sizes.
type Palloc struct {
	// TraceBlockSizes passes on the initial and maximal block sizes that the
	// recorded program asked for.
	TraceBlockSizes bool

	t        *trace.Trace
	root     palloc.Context
	made     []trace.Context // what the contexts are created as
	contexts []palloc.Context
	table    []address
}

var (
	_ trace.Backend = (*Palloc)(nil)
	_ trace.Checker = (*Palloc)(nil)
)

// Root returns the context above all others of the pass. It is valid between
// Begin and End.
func (b *Palloc) Root() palloc.Context { return b.root }

// Begin makes the root.
func (b *Palloc) Begin(t *trace.Trace) {
	if b.t != t {
		b.t, b.made = t, definitions(t)
	}
	b.contexts = sized(b.contexts, t.Counts().Contexts)
	b.table = sized(b.table, t.Counts().MaxLive)
	b.root = palloc.NewAllocSet(palloc.Top(), "replay")
}

// Play calls palloc for each op. A pointer walks the ops and the tables have no bounds to
// check, since what a Trace names was checked when it was read: the loop is to weigh no
// more than one in C. It compares the code with that of a free first, which sorts out the
// three calls that are nearly all.
func (b *Palloc) Play(ops []trace.Op) {
	if len(ops) == 0 {
		return
	}
	table, contexts := first(b.table), first(b.contexts)
	for o, last := &ops[0], &ops[len(ops)-1]; ; o = next(o) {
		switch code := o.Code(); {
		case code > trace.OpFree:
			if code == trace.OpReset {
				row(contexts, o.Context()).Reset()
			} else {
				b.rare(o)
			}
		case code == trace.OpFree:
			palloc.FreePointer(row(table, o.Slot()).chunk())
		default:
			size := int(o.Size())
			mc := *row(contexts, o.Context())
			var p unsafe.Pointer
			if !o.Zeroed() {
				p = mc.Alloc(size)
			} else {
				p = mc.AllocZeroed(size)
			}
			row(table, o.Slot()).set(p)
			if o.Touched() {
				touchEnds(p, int(o.Size()))
			}
		}
		if o == last {
			return
		}
	}
}

// rare carries out an op that is not among the most frequent. It is separate so that the
// loop stays in registers.
func (b *Palloc) rare(o *trace.Op) {
	switch o.Code() {
	case trace.OpRealloc:
		b.realloc(o)
	case trace.OpCreate:
		b.contexts[o.Context()] = b.create(&b.made[o.Context()], b.parent(o))
	case trace.OpResetOnly:
		b.contexts[o.Context()].ResetOnly()
	case trace.OpResetChildren:
		b.contexts[o.Context()].ResetChildren()
	case trace.OpDelete:
		b.contexts[o.Context()].Delete()
	case trace.OpDeleteChildren:
		b.contexts[o.Context()].DeleteChildren()
	case trace.OpSetParent:
		b.contexts[o.Context()].SetParent(b.parent(o))
	case trace.OpSetIdent:
		b.contexts[o.Context()].SetIdent(b.t.Ident(*o))
	case trace.OpOnReset:
		b.contexts[o.Context()].BeforeReset(nothing)
	}
}

func (b *Palloc) realloc(o *trace.Op) {
	size, slot := int(o.Size()), &b.table[o.Slot()]
	p := palloc.Realloc(slot.chunk(), size)
	slot.set(p)
	if o.Touched() {
		touchLast(p, size)
	}
}

func nothing() {}

// create makes a context of the recorded kind and name.
func (b *Palloc) create(c *trace.Context, parent palloc.Context) palloc.Context {
	if c.Kind == trace.AllocSet && !b.TraceBlockSizes {
		return palloc.NewAllocSet(parent, c.Name)
	}
	switch c.Kind {
	case trace.Slab:
		return palloc.NewSlab(parent, c.Name, int(c.ChunkSize), b.options(c.BlockSize, c.BlockSize)...)
	case trace.Generation:
		return palloc.NewGeneration(parent, c.Name, b.options(c.InitSize, c.MaxSize)...)
	case trace.Bump:
		return palloc.NewBump(parent, c.Name, b.options(c.InitSize, c.MaxSize)...)
	}
	return palloc.NewAllocSet(parent, c.Name, b.options(c.InitSize, c.MaxSize)...)
}

// definitions returns what the contexts of a trace are created as.
func definitions(t *trace.Trace) []trace.Context {
	all := make([]trace.Context, t.Counts().Contexts)
	for i := range all {
		all[i] = t.Context(uint32(i))
	}
	return all
}

// options returns what a context is made with.
func (b *Palloc) options(initial, largest int64) []palloc.Option {
	if !b.TraceBlockSizes {
		return nil
	}
	return []palloc.Option{palloc.BlockSizes(int(initial), int(largest))}
}

// parent returns the context that an op names as a parent, or the root for none.
func (b *Palloc) parent(o *trace.Op) palloc.Context {
	if o.Parent() == trace.None {
		return b.root
	}
	return b.contexts[o.Parent()]
}

// Chunk returns what the slot holds.
func (b *Palloc) Chunk(slot uint32) unsafe.Pointer { return b.table[slot].chunk() }

// Check looks for contradictions in all contexts of the pass.
func (b *Palloc) Check() error { return b.root.Check() }

// End deletes the root with everything under it.
func (b *Palloc) End() { b.root.Delete() }

package backend

import (
	"unsafe"

	"github.com/gopalloc/palloc"
	"github.com/gopalloc/palloc/trace"
)

// Palloc: the recorded contexts as contexts of palloc.
//
// Invariant: during a pass contexts[i] is the handle of context i, or that of a
// context that is gone. Every context of the pass lies under one root, for
// palloc has no context without a parent; deleting the root ends the pass. Cost:
// one indexed load beside each call of palloc.

// Palloc replays a trace with palloc. The zero value is ready and gives contexts
// palloc's own block sizes.
type Palloc struct {
	// TraceBlockSizes passes on the initial and maximal block sizes that the
	// recorded program asked for.
	TraceBlockSizes bool

	t        *trace.Trace
	root     palloc.Context
	contexts []palloc.Context
}

var (
	_ trace.Backend = (*Palloc)(nil)
	_ trace.Checker = (*Palloc)(nil)
)

// Root returns the context above all others of the pass. It is valid between
// Begin and End.
func (b *Palloc) Root() palloc.Context { return b.root }

// Begin makes the root.
func (b *Palloc) Begin(t *trace.Trace, _ []unsafe.Pointer) {
	b.t = t
	if n := t.Counts().Contexts; len(b.contexts) != n {
		b.contexts = make([]palloc.Context, n)
	}
	clear(b.contexts)
	b.root = palloc.NewAllocSet(palloc.Top(), "replay")
}

// End deletes the root with everything under it.
func (b *Palloc) End() { b.root.Delete() }

// Check looks for contradictions in all contexts of the pass.
func (b *Palloc) Check() error { return b.root.Check() }

// OnHeap reports false: palloc's memory is its own.
func (b *Palloc) OnHeap() bool { return false }

// Create makes a context of the recorded kind and name.
func (b *Palloc) Create(mc, parent uint32) {
	c := b.t.Context(mc)
	above := b.handle(parent)
	switch c.Kind {
	case trace.Slab:
		b.contexts[mc] = palloc.NewSlab(above, c.Name, int(c.ChunkSize), b.options(c.BlockSize, c.BlockSize)...)
	case trace.Generation:
		b.contexts[mc] = palloc.NewGeneration(above, c.Name, b.options(c.InitSize, c.MaxSize)...)
	case trace.Bump:
		b.contexts[mc] = palloc.NewBump(above, c.Name, b.options(c.InitSize, c.MaxSize)...)
	default:
		b.contexts[mc] = palloc.NewAllocSet(above, c.Name, b.options(c.InitSize, c.MaxSize)...)
	}
}

// options returns what a context is made with.
func (b *Palloc) options(initial, most int64) []palloc.Option {
	if !b.TraceBlockSizes {
		return nil
	}
	return []palloc.Option{palloc.BlockSizes(int(initial), int(most))}
}

// handle returns the handle of a context, or the root for none.
func (b *Palloc) handle(mc uint32) palloc.Context {
	if mc == trace.None {
		return b.root
	}
	return b.contexts[mc]
}

// Alloc allocates from the context.
func (b *Palloc) Alloc(mc uint32, size int, zero bool) unsafe.Pointer {
	if zero {
		return b.contexts[mc].AllocZeroed(size)
	}
	return b.contexts[mc].Alloc(size)
}

// Free frees the chunk; palloc finds its context by itself.
func (b *Palloc) Free(_ uint32, p unsafe.Pointer) { palloc.FreePointer(p) }

// Realloc resizes the chunk; palloc finds its context and size by itself.
func (b *Palloc) Realloc(_ uint32, p unsafe.Pointer, _, size int) unsafe.Pointer {
	return palloc.Realloc(p, size)
}

// Release resets or deletes the context, which is all palloc needs to be told.
func (b *Palloc) Release(o trace.Op) {
	switch mc := b.contexts[o.Context()]; o.Code() {
	case trace.OpReset:
		mc.Reset()
	case trace.OpResetOnly:
		mc.ResetOnly()
	case trace.OpResetChildren:
		mc.ResetChildren()
	case trace.OpDelete:
		mc.Delete()
	case trace.OpDeleteChildren:
		mc.DeleteChildren()
	}
}

// SetParent moves the context.
func (b *Palloc) SetParent(mc, parent uint32) { b.contexts[mc].SetParent(b.handle(parent)) }

// SetIdent sets the ident.
func (b *Palloc) SetIdent(mc uint32, ident string) { b.contexts[mc].SetIdent(ident) }

// OnReset registers a callback that does nothing.
func (b *Palloc) OnReset(mc uint32) { b.contexts[mc].OnReset(nothing) }

func nothing() {}

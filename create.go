package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/tree"
)

// The creation of contexts.
//
// Invariant: a new context is empty, and the first child of its parent.
//
// Cost: without options some 25 instructions where a cached node fits, else a lock and
// some 200.

// Option changes how a context is created.
type Option struct {
	first, max uint32 // 0: the default
	shared     bool
}

// BlockSizes sets the size of the first block that the context acquires, and of the
// largest that its chunks share, in bytes. The default of first is 1 KiB, or what earlier
// contexts of the name needed, up to 8 KiB; that of largest is 1 MiB. Both are rounded down to
// whole KiB and are at most 1 GiB; first is at least 1 KiB, and largest at least first. A kind
// may take smaller blocks: a Generation's are at most 32 KiB, those of an AllocSet that
// joins its free chunks about 64 KiB. A chunk that needs more gets a block of its own. The
// first block may be smaller where the context begins with one that an earlier context
// kept. A negative size is a Fault.
//
// PostgreSQL: initBlockSize and maxBlockSize. There is no minContextSize, since blocks are
// acquired when chunks need them.
func BlockSizes(first, largest int) Option {
	const unit, limit = 1 << 10, 1 << 30
	if first < 0 || largest < 0 {
		panic(&Fault{Op: "BlockSizes", Reason: fmt.Sprintf("block sizes of %d and %d bytes: a size is not negative", first, largest)})
	}
	round := func(size, least int) uint32 { return uint32(min(max(size, least), limit) / unit * unit) }
	least := round(first, unit)
	return Option{first: least, max: round(largest, int(least))}
}

// Shared makes a context that many goroutines may allocate from and free to at the same
// time. It has a shard for each processor, so that they seldom meet. What is said to be
// the owner's may then be done by any goroutine, except for what ends chunks by the many:
// Reset, ResetOnly, Delete and Check need all others to be done. A chunk still belongs to
// one goroutine at a time. With a kind other than AllocSet, Shared is a Fault. Contexts
// below a Shared one are shared only if they are created with Shared themselves.
func Shared() Option { return Option{shared: true} }

// Top returns the root of the tree of contexts, an AllocSet. It exists from the first
// call to the end of the process, and cannot be deleted or moved. Any goroutine; allocate
// from it only where one goroutine does.
//
// PostgreSQL: TopMemoryContext.
func Top() Context { return Context{tree.Root()} }

// NewAllocSet creates a context for anything: chunks of any size, freed and reused one by
// one. parent may belong to another goroutine; the new context belongs to the caller. The
// name should be a constant. NewAllocSet panics with a *Fault when parent was deleted, and
// with an *OutOfMemoryError when the system refuses memory. A context from which nothing
// was allocated holds no block, or one that an earlier context kept.
//
// PostgreSQL: AllocSetContextCreate.
func NewAllocSet(parent Context, name string, opts ...Option) Context {
	return newContext(parent, allocset.ID, name, opts, tree.Create, createWith)
}

// NewGeneration creates a context for chunks that are freed about in the order in which
// they were allocated. A block is released with its last live chunk; the freed chunks of
// a sparse block serve new ones. It is like NewAllocSet otherwise.
//
// PostgreSQL: GenerationContextCreate.
func NewGeneration(parent Context, name string, opts ...Option) Context {
	return newContext(parent, generation.ID, name, opts, tree.Create, createWith)
}

// NewBump creates a context whose chunks have no header and cannot be freed one by one. It
// is like NewAllocSet otherwise.
//
// PostgreSQL: BumpContextCreate.
func NewBump(parent Context, name string, opts ...Option) Context {
	return newContext(parent, bump.ID, name, opts, tree.Create, createWith)
}

// NewSlab creates a context for chunks of exactly chunkSize bytes, freed and reused one by
// one; empty blocks are released, but for a few. Any other size is a Fault. chunkSize is
// at least 0 and below 2 GiB. It is like NewAllocSet otherwise.
//
// PostgreSQL: SlabContextCreate.
func NewSlab(parent Context, name string, chunkSize int, opts ...Option) Context {
	o := options(slab.ID, opts)
	o.Prepare, o.Arg = fixSlab, uintptr(chunkSize)
	return Context{tree.CreateWith(parent.ref, slab.ID, name, o)}
}

// fixSlab sets the size of the chunks of a Slab.
func fixSlab(c *kind.Core, size uintptr) error {
	if !slab.Fix(c, size) {
		return kind.Misuse(fmt.Sprintf("a chunk size of %d bytes: it is at least 0 and below 2 GiB", int(size)))
	}
	return nil
}

// newContext is inlined: without options a creation is one call with few arguments. It
// takes the functions that it calls as arguments since a call of an argument costs less of
// the inlining budget.
func newContext(parent Context, id kind.ID, name string, opts []Option, plain func(tree.Ref, kind.ID, string) tree.Ref, full func(tree.Ref, kind.ID, string, []Option) tree.Ref) Context {
	if len(opts) == 0 {
		return Context{plain(parent.ref, id, name)}
	}
	return Context{full(parent.ref, id, name, opts)}
}

func createWith(parent tree.Ref, id kind.ID, name string, opts []Option) tree.Ref {
	return tree.CreateWith(parent, id, name, options(id, opts))
}

// options returns all options as one; of several BlockSizes the last counts.
func options(id kind.ID, opts []Option) (all tree.Options) {
	for _, o := range opts {
		if o.first != 0 {
			all.First, all.Max = o.first, o.max
		}
		all.Shared = all.Shared || o.shared
	}
	if all.Shared && id != allocset.ID {
		panic(&Fault{Op: "New" + Kind(id).String(), Reason: "only an AllocSet can be Shared"})
	}
	return all
}

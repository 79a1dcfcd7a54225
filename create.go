package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/tree"
)

// The creation of contexts.
//
// Invariant: a new context is empty, and the first child of its parent.
//
// Cost: without options some 25 instructions if a cached node fits, otherwise a lock and
// some 200.

// An Option changes how a context is created.
type Option struct {
	first, max uint32 // 0: the default
	kind       Kind   // of OfKind, or sharedSet for Shared; 0: the function's own
	checked    *checked.Settings
}

// sharedSet is the kind of a Shared AllocSet.
const sharedSet = Kind(shared.ID)

// BlockSizes sets the size in bytes of the first block that the context acquires, and of the
// largest that its chunks share. The default of first is 1 KiB, or more, up to 8 KiB, if
// earlier contexts of the same name needed it. The default of largest is 1 MiB. Both are
// rounded down to whole KiB and limited to 1 GiB; first is at least 1 KiB, and largest at
// least first. A kind may acquire smaller blocks: a Generation's are at most 32 KiB, those
// of an AllocSet that joins its free chunks about 64 KiB. A larger chunk gets a block of its
// own. The first block may be smaller if the context begins with one that an earlier context
// kept. A negative size is a Fault.
//
// PostgreSQL: initBlockSize and maxBlockSize. There is no minContextSize, since blocks are
// acquired when chunks need them.
func BlockSizes(first, largest int) Option {
	const unit, limit = 1 << 10, 1 << 30
	if first < 0 || largest < 0 {
		panic(raise(&Fault{Op: "BlockSizes", Reason: fmt.Sprintf("block sizes of %d and %d bytes: they must not be negative", first, largest)}))
	}
	round := func(size, minimum int) uint32 { return uint32(min(max(size, minimum), limit) / unit * unit) }
	smallest := round(first, unit)
	return Option{first: smallest, max: round(largest, int(smallest))}
}

// Shared makes the new context one from which many goroutines may allocate and free
// concurrently. It has a shard for each processor, to avoid contention. Any goroutine may
// call the functions documented as "Owner only." for it, except that during Reset,
// ResetOnly, Delete, Check and Layout no other goroutine may use it. A chunk still belongs to one
// goroutine at a time. Only an AllocSet can be Shared: for other kinds it is a Fault.
// Contexts below a Shared one are shared only if they are created with Shared, too.
func Shared() Option { return Option{kind: sharedSet} }

// OfKind makes the context of a Scope one of the kind, instead of an AllocSet:
//
//	palloc.Scope(parent, "request", handle, palloc.OfKind(palloc.KindBump))
//
// The other functions that create a context have their kind in their name: with another one
// it is a Fault there, as is KindSlab everywhere, which needs a size of its chunks, and a
// Kind that is none.
//
// PostgreSQL has none.
func OfKind(k Kind) Option {
	switch k {
	case KindAllocSet, KindGeneration, KindBump:
		return Option{kind: k}
	}
	panic(raise(&Fault{Op: "OfKind", Reason: fmt.Sprintf("a Scope of %v: it must be KindAllocSet, KindGeneration or KindBump; "+
		"create a Slab with NewSlab, which has the size of its chunks", k)}))
}

// kindOf returns the kind that the options ask for. Those that ask for two are refused by
// addTo.
func kindOf(opts []Option) (id kind.ID) {
	id = allocset.ID
	for _, o := range opts {
		if o.kind != 0 && o.kind != sharedSet {
			id = kind.ID(o.kind)
		}
	}
	return id
}

// Top returns the root of the tree of contexts, an AllocSet. The first call creates it, and
// it lives as long as the process: deleting or moving it is a Fault. Any goroutine may call
// Top and create children of it, but only one at a time may allocate from it.
//
// PostgreSQL: TopMemoryContext.
func Top() Context { return Context{tree.Root()} }

// NewAllocSet creates a context for general use: chunks of any size, freed and reused one by
// one. parent may belong to another goroutine; the new context belongs to the caller. The
// name should be a constant, shared by all contexts for one purpose: SetIdent tells them
// apart. A context from which nothing was allocated holds no block, or one block of a
// deleted context of its name. NewAllocSet panics with a *Fault when parent was deleted, and
// with an *OutOfMemoryError when the system refuses memory. Any goroutine.
//
// PostgreSQL: AllocSetContextCreate.
func NewAllocSet(parent Context, name string, opts ...Option) Context {
	return newContext(parent, allocset.ID, name, opts, tree.Create, createWith)
}

// NewGeneration creates a context for chunks that are freed roughly in the order of their
// allocation. A block is released when its last chunk is freed; new chunks reuse the freed
// chunks of a sparse block. Otherwise it is like NewAllocSet. Any goroutine.
//
// PostgreSQL: GenerationContextCreate.
func NewGeneration(parent Context, name string, opts ...Option) Context {
	return newContext(parent, generation.ID, name, opts, tree.Create, createWith)
}

// NewBump creates a context whose chunks have no header and cannot be freed one by one.
// Otherwise it is like NewAllocSet. Any goroutine.
//
// PostgreSQL: BumpContextCreate.
func NewBump(parent Context, name string, opts ...Option) Context {
	return newContext(parent, bump.ID, name, opts, tree.Create, createWith)
}

// NewSlab creates a context for chunks of exactly chunkSize bytes, freed and reused one by
// one. Empty blocks are released, except for a few. Allocating any other size is a Fault,
// as is a chunkSize below 0 or of 2 GiB and more. Otherwise it is like NewAllocSet. Any
// goroutine.
//
// PostgreSQL: SlabContextCreate.
func NewSlab(parent Context, name string, chunkSize int, opts ...Option) Context {
	o := options(slab.ID, opts)
	o.Prepare, o.Arg = fixSlab, uintptr(chunkSize)
	return Context{tree.CreateWith(parent.ref, slab.ID, name, o)}
}

// fixSlab sets the chunk size of a Slab.
func fixSlab(c *kind.Core, size uintptr) error {
	if !slab.Fix(c, size) {
		return kind.Misuse(fmt.Sprintf("a chunk size of %d bytes: it must be at least 0 and below 2 GiB", int(size)))
	}
	return nil
}

// newContext is inlined, so that a creation without options is one call with few arguments.
// It takes the functions that it calls as arguments, since a call of an argument uses less
// of the inlining budget.
func newContext(parent Context, id kind.ID, name string, opts []Option, plain func(tree.Ref, kind.ID, string) tree.Ref, full func(tree.Ref, kind.ID, string, []Option) tree.Ref) Context {
	if len(opts) == 0 {
		return Context{plain(parent.ref, id, name)}
	}
	return Context{full(parent.ref, id, name, opts)}
}

func createWith(parent tree.Ref, id kind.ID, name string, opts []Option) tree.Ref {
	return tree.CreateWith(parent, id, name, options(id, opts))
}

// options merges the options; of several BlockSizes the last prevails.
func options(id kind.ID, opts []Option) (all tree.Options) {
	for _, o := range opts {
		if o.first != 0 {
			all.First, all.Max = o.first, o.max
			continue
		}
		o.addTo(&all, id)
	}
	return all
}

// addTo adds what is no BlockSizes to the options of a context of a kind.
func (o Option) addTo(all *tree.Options, id kind.ID) {
	switch o.kind {
	case sharedSet:
		if all.Shared = true; id != allocset.ID {
			panic(raise(&Fault{Op: "New" + Kind(id).String(), Reason: "only an AllocSet can be Shared"}))
		}
	case 0:
		if o.checked != nil {
			all.Checked = o.checked
		}
	case Kind(id):
	default:
		panic(raise(&Fault{Op: "New" + Kind(id).String(), Reason: fmt.Sprintf("the option OfKind asks for another kind, %v: call New%[1]v without it", o.kind)}))
	}
}

package palloc

import (
	"fmt"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Option changes how a context is created.
type Option struct {
	first, most uint32 // 0: the default
}

// BlockSizes sets the size of the first block that the context buys, and of the
// largest that its chunks share, in bytes. The defaults are 1 KiB and 1 MiB.
// Both are rounded to whole KiB; first is at least 1 KiB, most at least first
// and at most 1 GiB. Chunks that need more get blocks of their own. The first
// block may be smaller where the context begins with one that was kept from an
// earlier context. A negative size is a Fault.
//
// PostgreSQL: initBlockSize and maxBlockSize; there is no counterpart of
// minContextSize, since blocks are bought when chunks need them.
func BlockSizes(first, most int) Option {
	const unit, limit = 1 << 10, 1 << 30
	if first < 0 || most < 0 {
		panic(&Fault{Op: "BlockSizes", Reason: fmt.Sprintf("block sizes of %d and %d bytes: a size is not negative", first, most)})
	}
	first = min(max(first, unit), limit) / unit * unit
	most = min(max(most, first), limit) / unit * unit
	return Option{first: uint32(first), most: uint32(most)}
}

// rootIndex is the number of the root's core: the first that is handed out.
const rootIndex = 1

// root is the handle of the root, once rootReady says so.
var (
	root      Context
	rootReady atomic.Bool
)

// Top is the root of the tree of contexts, an AllocSet. It exists from the first
// call to the end of the process and cannot be deleted or moved. Any goroutine;
// allocate from it only where one goroutine does.
//
// PostgreSQL: TopMemoryContext.
func Top() Context {
	if rootReady.Load() {
		return root
	}
	return plant()
}

// plant is apart from Top, which is to unfold: it makes the root, once.
func plant() Context {
	tree.Lock()
	defer tree.Unlock()
	if !rootReady.Load() {
		s, err := takeCore()
		if err != nil {
			panic(&OutOfMemoryError{Op: "Top", Context: "Top", Size: kind.SlotSize, Err: err})
		}
		s.setName("Top")
		s.open(kind.AllocSet, nil)
		root = handle(&s.Core)
		rootReady.Store(true)
	}
	return root
}

// NewAllocSet creates a context for anything: chunks of any size, freed and
// reused one by one. parent may belong to another goroutine; the new context
// belongs to the caller. It panics with a *Fault when parent was deleted, and
// with an *OutOfMemoryError when the system refuses memory. The name is to be a
// constant. A context that nothing was allocated from holds no block, or one
// that an earlier context left.
//
// PostgreSQL: AllocSetContextCreate.
func NewAllocSet(parent Context, name string, opts ...Option) Context {
	return create(parent, kind.AllocSet, "NewAllocSet", name, opts)
}

// NewGeneration creates a context for chunks that are freed about in the order
// in which they were allocated. As NewAllocSet otherwise.
//
// PostgreSQL: GenerationContextCreate.
func NewGeneration(parent Context, name string, opts ...Option) Context {
	return create(parent, kind.Generation, "NewGeneration", name, opts)
}

// NewBump creates a context whose chunks have no header and cannot be freed one
// by one. As NewAllocSet otherwise.
//
// PostgreSQL: BumpContextCreate.
func NewBump(parent Context, name string, opts ...Option) Context {
	return create(parent, kind.Bump, "NewBump", name, opts)
}

// NewSlab creates a context for chunks of exactly chunkSize bytes, freed and
// reused one by one; blocks that become empty go back. Any other size is a
// Fault. As NewAllocSet otherwise. chunkSize is at least 0 and below 2 GiB.
//
// PostgreSQL: SlabContextCreate.
func NewSlab(parent Context, name string, chunkSize int, opts ...Option) Context {
	s := begin(parent, "NewSlab")
	if !slab.Fix(&s.Core, uintptr(chunkSize)) {
		giveCore(s)
		tree.Unlock()
		panic(&Fault{Op: "NewSlab", Reason: fmt.Sprintf("a chunk size of %d bytes: it is at least 0 and below 2 GiB", chunkSize)})
	}
	return finish(parent, s, kind.Slab, name, opts)
}

// create makes a child of parent, from its spare if it has one. A Slab's sizes
// are read by others under the lock, so that it never begins as a spare.
func create(parent Context, id kind.ID, op, name string, opts []Option) Context {
	if parent.Live() {
		if s := parent.slot().takeSpare(name); s != nil {
			s.open(id, opts)
			mc := handle(&s.Core)
			if relaxed.Load32(&s.firstChild) != 0 { // came to its last life too late
				mc.deleteChildren()
			}
			return mc
		}
	}
	return finish(parent, begin(parent, op), id, name, opts)
}

// begin takes the tree's lock and a core for a child of parent. It panics, the
// lock free again, when there is no parent or no core.
func begin(parent Context, op string) *core {
	tree.Lock()
	if !parent.Live() {
		tree.Unlock()
		panic(parent.gone(op))
	}
	s, err := takeCore()
	if err != nil {
		tree.Unlock()
		raise(parent.core, op, kind.SlotSize, err)
	}
	return s
}

// finish makes the core a context and sets the lock free.
func finish(parent Context, s *core, id kind.ID, name string, opts []Option) Context {
	if !s.sameName(name) {
		s.setName(name)
	}
	s.open(id, opts)
	link(parent.slot(), s)
	if !parent.Live() {
		s.abandon(parent, id)
	}
	mc := handle(&s.Core)
	tree.Unlock()
	return mc
}

// abandon takes back the creation of a child whose parent was deleted at the
// very moment. It sets the lock free and panics.
func (s *core) abandon(parent Context, id kind.ID) {
	relaxed.Store64(&s.Epoch, nextEpoch(s.Epoch, kind.None))
	if s.BlockCount != 0 {
		s.Retire()
	}
	s.Close()
	unlink(s)
	giveCore(s)
	tree.Unlock()
	panic(parent.gone("New" + methods[id].Name()))
}

// open makes a core without an owner a context of a kind.
func (s *core) open(id kind.ID, opts []Option) {
	first, most := uint32(kind.DefaultFirst), uint32(kind.DefaultMost)
	for _, o := range opts {
		if o.first != 0 {
			first, most = o.first, o.most
		}
	}
	s.Grow(first, most)
	methods[id].Open(&s.Core)
	relaxed.Store64(&s.Epoch, nextEpoch(s.Epoch, id))
}

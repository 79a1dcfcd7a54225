package palloc

import (
	"fmt"
	"sync"

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
// minContextSize, since a context without chunks holds no block.
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

var root = sync.OnceValue(func() Context {
	tree.Lock()
	defer tree.Unlock()
	s, err := takeCore()
	if err != nil {
		panic(&OutOfMemoryError{Op: "Top", Context: "Top", Size: kind.SlotSize, Err: err})
	}
	s.set(kind.AllocSet, "Top", nil)
	return handle(&s.Core)
})

// Top is the root of the tree of contexts, an AllocSet. It exists from the first
// call to the end of the process and cannot be deleted or moved. Any goroutine;
// allocate from it only where one goroutine does.
//
// PostgreSQL: TopMemoryContext.
func Top() Context { return root() }

// NewAllocSet creates a context for anything: chunks of any size, freed and
// reused one by one. parent may belong to another goroutine; the new context
// belongs to the caller. It panics with a *Fault when parent was deleted, and
// with an *OutOfMemoryError when the system refuses memory. A context that
// nothing was allocated from holds no block.
//
// PostgreSQL: AllocSetContextCreate.
func NewAllocSet(parent Context, name string, opts ...Option) Context {
	return create(parent, kind.AllocSet, name, opts)
}

// NewGeneration creates a context for chunks that are freed about in the order
// in which they were allocated. As NewAllocSet otherwise.
//
// PostgreSQL: GenerationContextCreate.
func NewGeneration(parent Context, name string, opts ...Option) Context {
	return create(parent, kind.Generation, name, opts)
}

// NewBump creates a context whose chunks have no header and cannot be freed one
// by one. As NewAllocSet otherwise.
//
// PostgreSQL: BumpContextCreate.
func NewBump(parent Context, name string, opts ...Option) Context {
	return create(parent, kind.Bump, name, opts)
}

// NewSlab creates a context for chunks of exactly chunkSize bytes, freed and
// reused one by one; blocks that become empty go back. Any other size is a
// Fault. As NewAllocSet otherwise. chunkSize is from 0 to 2 GiB.
//
// PostgreSQL: SlabContextCreate.
func NewSlab(parent Context, name string, chunkSize int, opts ...Option) Context {
	s := begin(parent, "NewSlab")
	if !slab.Fix(&s.Core, uintptr(chunkSize)) {
		giveCore(s)
		tree.Unlock()
		panic(&Fault{Op: "NewSlab", Reason: fmt.Sprintf("a chunk size of %d bytes: it is from 0 to 2 GiB", chunkSize)})
	}
	return finish(parent, s, kind.Slab, name, opts)
}

func create(parent Context, id kind.ID, name string, opts []Option) Context {
	return finish(parent, begin(parent, "New"+methods[id].Name()), id, name, opts)
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
	s.set(id, name, opts)
	link(parent.slot(), s)
	mc := handle(&s.Core)
	tree.Unlock()
	return mc
}

// set makes a core without an owner a context of a kind.
func (s *core) set(id kind.ID, name string, opts []Option) {
	s.FirstBlock, s.MostBlock = kind.DefaultFirst, kind.DefaultMost
	for _, o := range opts {
		if o.first != 0 {
			s.FirstBlock, s.MostBlock = o.first, o.most
		}
	}
	s.NextBlock = s.FirstBlock
	s.name = names.intern(name, s.name)
	relaxed.Store64(&s.Epoch, nextEpoch(s.Epoch, id))
	methods[id].Open(&s.Core)
}

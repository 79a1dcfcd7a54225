package palloc

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Option changes how a context is created.
type Option struct {
	first, most uint32 // 0: the default
	shared      bool
}

// BlockSizes sets the size of the first block that the context buys, and of the
// largest that its chunks share, in bytes. The defaults are 1 KiB, or what earlier
// contexts of the name came to need up to 8 KiB, and 1 MiB. Both are rounded down to
// whole KiB; first is raised to 1 KiB and most to first where they are less, and both
// are at most 1 GiB. A kind may take smaller blocks: a Generation's are at most 32 KiB,
// those of an AllocSet that joins its free chunks about 64 KiB. Chunks that need more
// get blocks of their own. The first block may be smaller where the context begins with
// one that was kept from an earlier context. A negative size is a Fault.
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
		n := names.number("Top")
		s, err := takeCore(n)
		if err != nil {
			panic(&OutOfMemoryError{Op: "Top", Context: "Top", Size: kind.SlotSize, Err: err})
		}
		s.setName(n)
		s.open(allocset.ID, nil)
		s.Has = isPermanent
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
	return newContext(parent, allocset.ID, name, opts, create, createNew)
}

// NewGeneration creates a context for chunks that are freed about in the order
// in which they were allocated. A block goes back with its last live chunk; the freed
// chunks of one that is sparse serve new ones. As NewAllocSet otherwise.
//
// PostgreSQL: GenerationContextCreate.
func NewGeneration(parent Context, name string, opts ...Option) Context {
	return newContext(parent, generation.ID, name, opts, create, createNew)
}

// NewBump creates a context whose chunks have no header and cannot be freed one
// by one. As NewAllocSet otherwise.
//
// PostgreSQL: BumpContextCreate.
func NewBump(parent Context, name string, opts ...Option) Context {
	return newContext(parent, bump.ID, name, opts, create, createNew)
}

// NewSlab creates a context for chunks of exactly chunkSize bytes, freed and
// reused one by one; blocks that become empty go back. Any other size is a
// Fault. As NewAllocSet otherwise. chunkSize is at least 0 and below 2 GiB.
//
// PostgreSQL: SlabContextCreate.
func NewSlab(parent Context, name string, chunkSize int, opts ...Option) Context {
	refuseShared(slab.ID, opts)
	s := begin(parent, slab.ID, name)
	if !slab.Fix(&s.Core, uintptr(chunkSize)) {
		giveCore(s)
		tree.Unlock()
		panic(&Fault{Op: "NewSlab", Reason: fmt.Sprintf("a chunk size of %d bytes: it is at least 0 and below 2 GiB", chunkSize)})
	}
	return finish(parent, s, slab.ID, opts)
}

// newContext is what unfolds of a creation: without options it is a call with few
// arguments.
func newContext(parent Context, id kind.ID, name string, opts []Option, plain func(Context, kind.ID, string) Context, full func(Context, kind.ID, string, []Option) Context) Context {
	if len(opts) == 0 {
		return plain(parent, id, name)
	}
	return full(parent, id, name, opts)
}

// create makes a child of parent, of a parked core if one was of the same kind and name:
// a keeper fits the context that does the same again, and would be too large for many
// others. Of several it is the last that has only parked ones before it, so that the
// latest child still comes before those that are older.
func create(parent Context, id kind.ID, name string) Context {
	key := nameKey(name)
	if parent.core == nil || key == 0 {
		return createNew(parent, id, name, nil)
	}
	var s *core
	i := relaxed.Load32(&parent.slot().FirstChild)
	for n := 0; i != 0 && n < reach; n++ {
		child := coreAt(i)
		word := relaxed.Load32(&child.Parked)
		if word == 0 {
			break
		}
		if parkedKind(word) == id && relaxed.Load64(&child.nameKey) == key {
			s = child
		}
		i = relaxed.Load32(&child.nextSibling)
	}
	if s == nil {
		return createNew(parent, id, name, nil)
	}
	word, ok := s.take(id)
	if ok && !s.waits(parent, key) {
		relaxed.Release32(&s.Parked, word)
		ok = false
	}
	if !ok {
		return createNew(parent, id, name, nil)
	}
	mc := Context{&s.Core, kind.NextEpoch(s.Epoch, id)}
	if id&kind.Reopens != 0 {
		return mc.rise()
	}
	relaxed.Store64(&s.Epoch, mc.epoch)
	return mc
}

// rise is apart from create because it calls: some kinds do not stand as they are to
// begin.
func (mc Context) rise() Context {
	kinds.Methods[kind.KindOf(mc.epoch)].Open(mc.core)
	relaxed.Store64(&mc.core.Epoch, mc.epoch)
	return mc
}

// waits says that the core is what it was when it was found, before it was taken:
// a child of parent with a name. That parent is alive is asked with a fence behind the
// taking: see leave.
func (s *core) waits(parent Context, key uint64) bool {
	return relaxed.Load64(&s.nameKey) == key && relaxed.Load32(&s.parent) == parent.core.Number() && parent.Live()
}

// createNew makes a child of parent under the tree's lock.
func createNew(parent Context, id kind.ID, name string, opts []Option) Context {
	if slices.ContainsFunc(opts, isShared) {
		if id == allocset.ID {
			return createShared(parent, name, opts)
		}
		refuseShared(id, opts)
	}
	return finish(parent, begin(parent, id, name), id, opts)
}

// begin takes the tree's lock and a core for a child of parent, and names it. It
// panics, the lock free again, when there is no parent or no core.
func begin(parent Context, id kind.ID, name string) *core {
	tree.Lock()
	if !parent.Live() {
		tree.Unlock()
		panic(parent.gone(opOf(id)))
	}
	n := names.find(name)
	s, err := takeCore(n)
	if err != nil {
		tree.Unlock()
		raise(parent.core, opOf(id), kind.SlotSize, err)
	}
	s.setName(n)
	return s
}

// opOf is what was called to create a context of a kind.
func opOf(id kind.ID) string { return "New" + kinds.Methods[id].Name() }

// finish makes the core a context and sets the lock free.
func finish(parent Context, s *core, id kind.ID, opts []Option) Context {
	s.enroll(parent.slot())
	s.open(id, opts)
	link(parent.slot(), s)
	if creations.on {
		s.recordCreation()
	}
	mc := handle(&s.Core)
	tree.Unlock() // a fence, too: see leave
	if !parent.Live() {
		mc.abandon(parent)
	}
	return mc
}

// abandon takes back the creation of a child whose parent was deleted at the
// very moment, unless its deleter has done so, and panics.
func (mc Context) abandon(parent Context) {
	tree.Lock()
	if mc.Live() {
		mc.slot().reap()
	}
	tree.Unlock()
	panic(parent.gone(opOf(kind.KindOf(mc.epoch))))
}

// open makes a core without an owner a context of a kind.
func (s *core) open(id kind.ID, opts []Option) {
	first, most := kind.HintedFirst(names.habit(s.name).first), uint32(kind.DefaultMax)
	for _, o := range opts {
		if o.first != 0 {
			first, most = o.first, o.most
		}
	}
	s.SetSizes(first, most)
	kinds.Methods[id].Open(&s.Core)
	relaxed.Store64(&s.Epoch, kind.NextEpoch(s.Epoch, id))
}

package palloc

import (
	"slices"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Shared contexts: AllocSets that many goroutines use at once.
//
// Invariant: the parts are cores of their own that no handle leads to and no walk
// meets; whoever asks about one of their chunks is told of the context.
//
// Cost: a core for each part, at creation.

// Shared makes a context that many goroutines may allocate from and free to at the
// same time, in parts, so that they seldom meet. All that is said to be the owner's is
// then anyone's, but for what ends chunks by the many: Reset, ResetOnly, Delete and
// Check need everybody else to be done, and a chunk still belongs to one goroutine at a
// time. It is for NewAllocSet; with the other kinds it is a Fault. Contexts below it are
// shared only if they say so themselves.
//
// PostgreSQL has none: a context belongs to a process.
func Shared() Option { return Option{shared: true} }

func isShared(o Option) bool { return o.shared }

// IsShared says whether the context was created with Shared. Any goroutine.
func (mc Context) IsShared() bool {
	mc.check("Context.IsShared")
	return kind.KindOf(mc.epoch).IsConcurrent()
}

// refuseShared panics when the options ask for what the kind cannot be.
func refuseShared(id kind.ID, opts []Option) {
	if slices.ContainsFunc(opts, isShared) {
		panic(&Fault{Op: opOf(id), Reason: "only an AllocSet can be Shared"})
	}
}

// createShared makes a shared child of parent.
func createShared(parent Context, name string, opts []Option) Context {
	s := begin(parent, allocset.ID, name)
	for range shared.WantedShards() {
		part, err := takeBare()
		if err != nil {
			giveCore(s)
			tree.Unlock()
			raise(parent.core, opOf(allocset.ID), kind.SlotSize, err)
		}
		s.Has |= hasParts
		shared.Attach(&s.Core, &part.Core)
	}
	return finish(parent, s, shared.ID, opts)
}

// dismissParts makes the parts of a context free cores. The tree's lock must be held.
func (s *core) dismissParts() {
	if s.Has&hasParts != 0 {
		shared.Detach(&s.Core, func(part *kind.Core) { giveBare(kind.Slot[core](part)) })
	}
}

// closeParts takes back all that the parts of a context that ends hold.
func (s *core) closeParts() {
	if relaxed.Load32(&s.Has)&hasParts != 0 {
		shared.Close(&s.Core)
	}
}

// seller is the core whose chunk is at p, where that is one of the context's: its own,
// or a part's.
func (mc Context) seller(p uintptr) *kind.Core {
	if kind.KindOf(mc.epoch).IsConcurrent() {
		if c := kind.Of(chunk.Header(p)); c.Owner() == mc.core {
			return c
		}
	}
	return mc.core
}

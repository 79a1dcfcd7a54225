package kind

import (
	"sync"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Parts: cores that sell on behalf of a context which is not theirs alone, the payer:
// so that many goroutines can use it at once, each part under a lock of its own.
//
// Invariant: what the parts hold is counted with the payer as well, under the payer's
// lock, which is taken inside a part's. A part is no node of the tree: its lock and its
// payer lie where the tree's words are in other cores.
//
// Cost: a look at a word of the core for each purchase and each sale.

// Part is the bit of Core.Has that says that the core is a part.
const IsShard = 1 << 30

// Shard is the slot of a part.
type Shard struct {
	Core
	sync.Mutex
	owner uint32 // number of the payer's core
}

// hires is the payer's own part, as far as purchases need it.
type ownerPart struct{ sync.Mutex }

// Hire makes a core that nobody owns a part of c, of the kind that sells for it.
func (c *Core) Attach(part *Core, id ID) {
	h := Slot[Shard](part)
	h.Mutex = sync.Mutex{} // there was a node's name
	relaxed.Store32(&h.owner, c.Number())
	relaxed.Store32(&part.Has, IsShard)
	relaxed.Store64(&part.Epoch, NextEpoch(part.Epoch, id))
}

// Dismiss makes the part, which holds nothing, a core that nobody owns.
func (h *Shard) Detach() {
	relaxed.Store32(&h.owner, 0)
	h.Prefix = h.Cookie // the next owner's headers say nothing of a part
	relaxed.Store32(&h.Has, 0)
	relaxed.Store64(&h.Epoch, NextEpoch(h.Epoch, None))
}

// Owner is the core on whose behalf c sells: itself, but for a part.
func (c *Core) Owner() *Core {
	if relaxed.Load32(&c.Has)&IsShard == 0 {
		return c
	}
	return At(relaxed.Load32(&Slot[Shard](c).owner))
}

// ShardOf returns the part of c with a number, nil when there is none of the kind: for a
// caller that trusts neither.
func (c *Core) ShardOf(number uint32, id ID) *Shard {
	if number >= chunk.MostCores {
		return nil
	}
	h := Slot[Shard](At(number))
	if h.Number() != number || h.Kind() != id || relaxed.Load32(&h.Has)&IsShard == 0 || relaxed.Load32(&h.owner) != c.Number() {
		return nil
	}
	return h
}

// deal begins a purchase or a sale: until dealt nobody else buys or sells for the
// payer.
func (c *Core) lockOwner() *Core {
	p := c.Owner()
	if p != c {
		Private[ownerPart](p).Lock()
	}
	return p
}

// dealt ends what deal began.
func (c *Core) unlockOwner(p *Core) {
	if p != c {
		Private[ownerPart](p).Unlock()
	}
}

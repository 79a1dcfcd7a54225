package kind

import (
	"sync"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Shards: nodes that allocate for a context, their owner, so that many goroutines can
// use it at once, each shard under a lock of its own.
//
// Invariant: what the shards hold is counted with the owner as well, under the owner's
// lock, which is taken inside that of a shard. A shard is no node of the tree: its lock
// and the number of its owner lie where other nodes have the tree's words.
//
// Cost: a look at a word of the node for each block acquired or released.

// IsShard is the bit of Core.Has for shards.
const IsShard = 1 << 30

// Shard is the slot of a shard.
type Shard struct {
	Core
	sync.Mutex
	owner uint32 // number of the owner's node
}

// ownerPart is the beginning of the owner's own part.
type ownerPart struct{ sync.Mutex }

// Attach makes a node that no context owns a shard of c, of a kind.
func (c *Core) Attach(shard *Core, id ID) {
	h := Slot[Shard](shard)
	h.Mutex = sync.Mutex{} // the tree had a name here
	relaxed.Store32(&h.owner, c.Number())
	relaxed.Store32(&shard.Has, IsShard)
	relaxed.Store64(&shard.Epoch, NextEpoch(shard.Epoch, id))
}

// Detach makes a shard, which holds nothing, a node that no context owns.
func (h *Shard) Detach() {
	relaxed.Store32(&h.owner, 0)
	h.Prefix = h.Cookie // headers of the next context have no mark
	relaxed.Store32(&h.Has, 0)
	relaxed.Store64(&h.Epoch, NextEpoch(h.Epoch, None))
}

// Owner returns the node for which c allocates: itself, unless it is a shard.
func (c *Core) Owner() *Core {
	if relaxed.Load32(&c.Has)&IsShard == 0 {
		return c
	}
	return At(relaxed.Load32(&Slot[Shard](c).owner))
}

// ShardOf returns the shard of c with a number and a kind, nil when there is none.
// Neither need be valid.
func (c *Core) ShardOf(number uint32, id ID) *Shard {
	if number >= chunk.MaxCores {
		return nil
	}
	h := Slot[Shard](At(number))
	if h.Number() != number || h.Kind() != id || relaxed.Load32(&h.Has)&IsShard == 0 || relaxed.Load32(&h.owner) != c.Number() {
		return nil
	}
	return h
}

// lockOwner returns the owner. Until unlockOwner no other shard acquires or releases
// blocks for it.
func (c *Core) lockOwner() *Core {
	p := c.Owner()
	if p != c {
		Private[ownerPart](p).Lock()
	}
	return p
}

// unlockOwner ends what lockOwner began.
func (c *Core) unlockOwner(p *Core) {
	if p != c {
		Private[ownerPart](p).Unlock()
	}
}

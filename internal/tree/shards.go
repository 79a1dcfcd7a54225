package tree

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The shards of a Shared context: nodes of their own, which no Ref identifies and no walk
// visits.
//
// Invariant: the bit HasShards of a node is set while it has any.
//
// Cost: a node for each shard, at creation.

// attachShards gives the node, which is about to be a Shared context, its shards. The
// tree's lock must be held.
func (s *Node) attachShards() error {
	for range shared.WantedShards() {
		shard, err := takeEmpty()
		if err != nil {
			return err
		}
		s.Has |= HasShards
		shared.Attach(&s.Core, &shard.Core)
	}
	return nil
}

// freeShards makes the shards of a node free nodes. The tree's lock must be held.
func (s *Node) freeShards() {
	if s.Has&HasShards != 0 {
		shared.Detach(&s.Core, func(shard *kind.Core) { freeShard(kind.Slot[Node](shard)) })
	}
}

// closeShards releases the memory of the shards of a context that ends.
func (s *Node) closeShards() {
	if relaxed.Load32(&s.Has)&HasShards != 0 {
		shared.Close(&s.Core)
	}
}

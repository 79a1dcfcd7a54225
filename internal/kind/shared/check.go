package shared

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
)

// The check of a shared context: of each shard, and of the sum; and its layout.
//
// Invariant: as in package kind. No other goroutine uses the context.
//
// Cost: that of an AllocSet's, for each shard.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	o := own(c)
	if o.n > MaxShards {
		report(kind.Flaw{Reason: fmt.Sprintf("it has %d shards, of at most %d", o.n, MaxShards)})
		return
	}
	total, blocks := uintptr(0), uint32(0)
	for _, number := range o.shards[:o.n] {
		p := c.ShardOf(number, ShardID)
		if p == nil {
			report(kind.Flaw{Reason: fmt.Sprintf("core %d should be one of its shards, and is not", number)})
			return
		}
		set.Check(&p.Core, report)
		total += p.Total
		blocks += p.BlockCount
	}
	if total != c.Total || blocks != c.BlockCount {
		report(kind.Flaw{Reason: fmt.Sprintf("its shards hold %d bytes in %d blocks, and the accounts say %d in %d",
			total, blocks, c.Total, c.BlockCount)})
	}
}

func (Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) {
	o := own(c)
	for _, number := range o.shards[:min(o.n, MaxShards)] {
		if p := c.ShardOf(number, ShardID); p != nil {
			set.Layout(&p.Core, report)
		}
	}
}

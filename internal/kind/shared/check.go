package shared

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
)

// The check of a shared context: of each part, and of the sum.
//
// Invariant: as in package kind. Nobody else is at work.
//
// Cost: that of an AllocSet's, for each part.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	o := own(c)
	if o.n > MaxShards {
		report(kind.Flaw{Reason: fmt.Sprintf("it has %d parts, of at most %d", o.n, MaxShards)})
		return
	}
	total, blocks := uintptr(0), uint32(0)
	for _, number := range o.shards[:o.n] {
		p := c.ShardOf(number, ShardID)
		if p == nil {
			report(kind.Flaw{Reason: fmt.Sprintf("core %d is to be one of its parts, and is not", number)})
			return
		}
		set.Check(&p.Core, report)
		total += p.Total
		blocks += p.BlockCount
	}
	if total != c.Total || blocks != c.BlockCount {
		report(kind.Flaw{Reason: fmt.Sprintf("its parts hold %d bytes in %d blocks, and the accounts say %d in %d",
			total, blocks, c.Total, c.BlockCount)})
	}
}

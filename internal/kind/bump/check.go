package bump

import "github.com/gopalloc/palloc/internal/kind"

// The check of a Bump: its blocks and accounts; and its layout. Chunks have no headers to walk
// through: of a block is known up to where it was allocated, if it is the current one.
//
// Invariant: as in package kind.
//
// Cost: that of an inspection of the blocks.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	x := kind.Inspect(c, report)
	if x == nil {
		return
	}
	for _, b := range append(x.List("blocks", c.Blocks), x.List("large blocks", c.Large)...) {
		x.IsShared(b)
	}
	x.CheckSums()
	x.CheckCurrent(kind.BlockHeader)
	x.CheckPrefix(c.Cookie)
	x.CheckReset(false)
	heads := uintptr(c.BlockCount) * kind.BlockHeader
	if largest := c.Total - c.Remaining() - heads; !x.Partial() && (largest > c.Total || c.Tails > largest) {
		x.Flaw(0, 0, "the accounts say that %d bytes are lost at the ends of blocks, which have space for %d", c.Tails, largest)
	}
}

func (Methods) Layout(c *kind.Core, report func(kind.BlockLayout)) {
	kind.LayOut(c, kind.BlockHeader, func(b *kind.Block, addr uintptr) kind.Part {
		end := b.End()
		if b.Address() == c.Blocks {
			end = c.Cur
		}
		return kind.Part{Use: kind.UseLive, Size: end - addr}
	}, report)
}

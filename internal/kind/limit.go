package kind

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// The gate: who is asked before a guarded context buys wholesale.
//
// Invariant: of a guarded context the gate knows what it holds, to the byte, after
// every purchase and every sale.
//
// Cost: a look at a word of the core for each purchase and each sale; nothing on
// the hot paths.

// Limited is the bit of Core.Has that says that the gate is asked.
const Limited = 1 << 31

// CheckLimit is told what a guarded context holds, or is about to hold, in bytes. An
// error refuses that; a context that comes to hold less is never refused. It is
// set once, before the first context is guarded.
var CheckLimit func(c *Core, holds uintptr) error

// bid begins a purchase of size bytes, if the gate allows it. It answers the payer,
// for won or lost, one of which is to follow.
func (c *Core) reserve(size uintptr) (p *Core, err error) {
	if p = c.lockOwner(); relaxed.Load32(&p.Has)&Limited == 0 {
		return p, nil
	}
	if err = CheckLimit(p, p.Total+size); err != nil {
		c.unlockOwner(p)
	}
	return p, err
}

// won counts what was bought, in so many more blocks.
func (c *Core) charge(p *Core, size uintptr, blocks int) {
	c.account(p, size, blocks)
	c.unlockOwner(p)
}

// lost says that the warehouse had nothing.
func (c *Core) cancel(p *Core) {
	c.report(p)
	c.unlockOwner(p)
}

// sold counts a block that is sold.
func (c *Core) uncharge(size uintptr) {
	p := c.lockOwner()
	c.account(p, -size, -1)
	atomic.StoreUintptr(&p.Total, p.Total) // a fence: either tell sees the guard, or who sets it what is held
	c.report(p)
	c.unlockOwner(p)
}

// tell tells the gate what the payer holds: less than the gate knew.
func (c *Core) report(p *Core) {
	if relaxed.Load32(&p.Has)&Limited != 0 {
		_ = CheckLimit(p, p.Total) // less is never refused
	}
}

// account adds to the bytes and the number of blocks held, of the core and of its
// payer.
func (c *Core) account(p *Core, size uintptr, blocks int) {
	relaxed.Store(&c.Total, c.Total+size)
	relaxed.Store32(&c.BlockCount, c.BlockCount+uint32(blocks))
	c.NeedsReset |= ResetBlocks
	if p != c {
		relaxed.Store(&p.Total, p.Total+size)
		relaxed.Store32(&p.BlockCount, p.BlockCount+uint32(blocks))
	}
}

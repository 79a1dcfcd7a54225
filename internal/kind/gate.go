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

// Guarded is the bit of Core.Has that says that the gate is asked.
const Guarded = 1 << 31

// Gate is told what a guarded context holds, or is about to hold, in bytes. An
// error refuses that; a context that comes to hold less is never refused. It is
// set once, before the first context is guarded.
var Gate func(c *Core, holds uintptr) error

// bid begins a purchase of size bytes, if the gate allows it. It answers the payer,
// for won or lost, one of which is to follow.
func (c *Core) bid(size uintptr) (p *Core, err error) {
	if p = c.deal(); relaxed.Load32(&p.Has)&Guarded == 0 {
		return p, nil
	}
	if err = Gate(p, p.Total+size); err != nil {
		c.dealt(p)
	}
	return p, err
}

// won counts what was bought, in so many more blocks.
func (c *Core) won(p *Core, size uintptr, blocks int) {
	c.account(p, size, blocks)
	c.dealt(p)
}

// lost says that the warehouse had nothing.
func (c *Core) lost(p *Core) {
	c.tell(p)
	c.dealt(p)
}

// sold counts a block that is sold.
func (c *Core) sold(size uintptr) {
	p := c.deal()
	c.account(p, -size, -1)
	atomic.StoreUintptr(&p.Total, p.Total) // a fence: either tell sees the guard, or who sets it what is held
	c.tell(p)
	c.dealt(p)
}

// tell tells the gate what the payer holds: less than the gate knew.
func (c *Core) tell(p *Core) {
	if relaxed.Load32(&p.Has)&Guarded != 0 {
		_ = Gate(p, p.Total) // less is never refused
	}
}

// account adds to the bytes and the number of blocks held, of the core and of its
// payer.
func (c *Core) account(p *Core, size uintptr, blocks int) {
	relaxed.Store(&c.Total, c.Total+size)
	relaxed.Store32(&c.BlockCount, c.BlockCount+uint32(blocks))
	c.Busy |= BusyBlocks
	if p != c {
		relaxed.Store(&p.Total, p.Total+size)
		relaxed.Store32(&p.BlockCount, p.BlockCount+uint32(blocks))
	}
}

package kind

import (
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/relaxed"
)

// Limits: what is asked before a context under a limit acquires a block.
//
// Invariant: of a context under a limit, CheckLimit is told what it holds, to the byte,
// after every block that it acquires or releases.
//
// Cost: a look at a word of the node for each block acquired or released; nothing on the
// hot paths.

// Limited is the bit of Core.Has for contexts of which CheckLimit is told.
const Limited = 1 << 31

// CheckLimit is told what a limited context holds, or is about to hold, in bytes. An
// error refuses that; a context that comes to hold less is never refused. It is set
// once, before the first context is limited.
var CheckLimit func(c *Core, holds uintptr) error

// isAlone reports whether nothing else is told what the node acquires: it is no shard, and
// under no limit.
func (c *Core) isAlone() bool { return relaxed.Load32(&c.Has)&(Limited|IsShard) == 0 }

// reserve checks the limit before size bytes are acquired. It returns the owner, for
// charge or cancel, one of which must follow unless there is an error.
func (c *Core) reserve(size uintptr) (p *Core, err error) {
	if p = c.lockOwner(); relaxed.Load32(&p.Has)&Limited == 0 {
		return p, nil
	}
	if err = CheckLimit(p, p.Total+size); err != nil {
		c.unlockOwner(p)
	}
	return p, err
}

// charge counts size bytes as acquired, in blocks more blocks.
func (c *Core) charge(p *Core, size uintptr, blocks int) {
	c.account(p, size, blocks)
	c.unlockOwner(p)
}

// cancel ends a reservation for which the page heap had no memory.
func (c *Core) cancel(p *Core) {
	c.report(p)
	c.unlockOwner(p)
}

// uncharge counts a block of size bytes as released.
func (c *Core) uncharge(size uintptr) {
	p := c
	if !c.isAlone() {
		p = c.lockOwner()
	}
	c.account(p, -size, -1)
	atomic.StoreUintptr(&p.Total, p.Total) // a fence: either report sees the bit, or the goroutine that sets it sees what is held
	c.report(p)
	if p != c {
		c.unlockOwner(p)
	}
}

// AcquireElsewhere counts size bytes as a block of the node, which from acquires from another
// source than the page heap.
func (c *Core) AcquireElsewhere(size uintptr, from func() error) error {
	p, err := c.reserve(size)
	if err != nil {
		return err
	}
	if err := from(); err != nil {
		c.cancel(p)
		return err
	}
	c.charge(p, size, 1)
	c.NeedsReset |= ResetElsewhere
	return nil
}

// ReleaseElsewhere counts a block of size bytes as released that AcquireElsewhere acquired.
func (c *Core) ReleaseElsewhere(size uintptr) { c.uncharge(size) }

// report tells CheckLimit what the owner holds, which is less than it was told before.
func (c *Core) report(p *Core) {
	if relaxed.Load32(&p.Has)&Limited != 0 {
		_ = CheckLimit(p, p.Total) // cannot fail: less is never refused
	}
}

// account adds to the bytes and the number of blocks that the node and its owner hold.
func (c *Core) account(p *Core, size uintptr, blocks int) {
	relaxed.Store(&c.Total, c.Total+size)
	relaxed.Store32(&c.BlockCount, c.BlockCount+uint32(blocks))
	c.NeedsReset |= ResetBlocks
	if p != c {
		relaxed.Store(&p.Total, p.Total+size)
		relaxed.Store32(&p.BlockCount, p.BlockCount+uint32(blocks))
	}
}

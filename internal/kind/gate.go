package kind

import "github.com/gopalloc/palloc/internal/relaxed"

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

// ask asks the gate for a purchase of size bytes.
func (c *Core) ask(size uintptr) error {
	if relaxed.Load32(&c.Has)&Guarded == 0 {
		return nil
	}
	return Gate(c, c.Total+size)
}

// tell tells the gate what the core holds: less than it knew.
func (c *Core) tell() {
	if relaxed.Load32(&c.Has)&Guarded != 0 {
		_ = Gate(c, c.Total) // less is never refused
	}
}

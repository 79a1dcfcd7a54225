package block

import "math/bits"

// How long a run is, by the accounts of its page alone: for who mistrusts the head
// of a block.
//
// Invariant: the answer is that of one moment; of a run that stays sold it does not
// change.
//
// Cost: the lock, and a step for each level.

// Extent is how many bytes the sold run has that begins at addr, room to grow
// included; 0 when none begins there.
func Extent(addr uintptr) uintptr {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	r := regionOf(addr)
	if r == nil {
		return 0
	}
	off := addr - r.base
	for l := 0; l <= r.top; l++ {
		p, u := r.pageOf(l, off)
		first, sold := p.runAt(u)
		switch {
		case !sold:
			continue
		case first != u || off%(1<<unitShift(l)) != 0:
			return 0
		}
		return uintptr(p.length(u)) << unitShift(l)
	}
	return 0
}

// length is how many units the sold run has that begins with unit u: it ends where
// another begins, or units that are unused, split or at rest.
func (p *page) length(u uint) uint {
	end := (p.start | ^p.used | p.split | p.rest) >> u >> 1
	return min(uint(bits.TrailingZeros64(end))+1, unitsPerPage-u)
}

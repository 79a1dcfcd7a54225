package block

import "math/bits"

// How long a run is, by the accounts of its page alone: for who mistrusts the head
// of a block.
//
// Invariant: the answer is that of one moment; of a run that stays sold it does not
// change.
//
// Cost: the lock, and a step for each level.

// CapacityAt is how many bytes the sold run has that begins at addr, room to grow
// included; 0 when none begins there.
func CapacityAt(addr uintptr) uintptr {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	r, l, ok := begun(addr)
	if !ok {
		return 0
	}
	p, u := r.pageOf(l, addr-r.base)
	return uintptr(p.length(u)) << unitShift(l)
}

// begun is the region and the level of the sold run that begins at addr; false when
// none begins there.
func begun(addr uintptr) (r *region, l int, ok bool) {
	if r = regionOf(addr); r == nil {
		return nil, 0, false
	}
	off := addr - r.base
	for l = 0; l <= r.top; l++ {
		p, u := r.pageOf(l, off)
		if first, sold := p.runAt(u); sold {
			return r, l, first == u && off%(1<<unitShift(l)) == 0
		}
	}
	return nil, 0, false
}

// length is how many units the sold run has that begins with unit u: it ends where
// another begins, or units that are unused, split or at rest.
func (p *page) length(u uint) uint {
	end := (p.start | ^p.used | p.split | p.rest) >> u >> 1
	return min(uint(bits.TrailingZeros64(end))+1, unitsPerPage-u)
}

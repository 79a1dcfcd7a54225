package block

import "math/bits"

// The length of a block, from the bits of its page alone: for checks that do not
// trust what the block itself says.
//
// Invariant: the result is that of one moment. For a block that stays acquired it does
// not change.
//
// Cost: the lock, and a step for each level.

// CapacityAt returns the size of the block that begins at addr, spare capacity
// included; 0 if none begins there.
func CapacityAt(addr uintptr) uintptr {
	heap.mu.Lock()
	defer heap.mu.Unlock()
	r, l, ok := blockAt(addr)
	if !ok {
		return 0
	}
	p, u := r.pageOf(l, addr-r.base)
	return uintptr(p.length(u)) << unitShift(l)
}

// blockAt returns the region and the level of the block that begins at addr; false if
// none begins there. The lock is held.
func blockAt(addr uintptr) (r *region, l int, ok bool) {
	if r = regionOf(addr); r == nil {
		return nil, 0, false
	}
	off := addr - r.base
	for l = 0; l <= r.top; l++ {
		p, u := r.pageOf(l, off)
		if first, ok := p.runStart(u); ok {
			return r, l, first == u && off%(1<<unitShift(l)) == 0
		}
	}
	return nil, 0, false
}

// length returns the number of units in the block that begins at unit u. It ends where
// another one begins, and before units that are free, split or cached.
func (p *page) length(u uint) uint {
	end := (p.start | ^p.used | p.split | p.cached) >> u >> 1
	return min(uint(bits.TrailingZeros64(end))+1, unitsPerPage-u)
}

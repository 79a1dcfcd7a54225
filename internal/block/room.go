package block

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/osmem"
)

// Blocks with room to grow: more address space than is for use at once, so that
// what grows stays where it is.
//
// Invariant: what was not yet widened into was never given to anyone to use, and
// counts neither as sold nor, but for the rest of a unit, as resident.
//
// Cost: that of any block, and for each widening the lock.

// AcquireGrowable takes a block of at least size bytes at the beginning of at least room
// bytes, and answers its address, its true size and the true room. As Acquire
// otherwise.
func AcquireGrowable(size, room uintptr) (addr, got, most uintptr, err error) {
	l, n, ok := plan(room)
	if !ok {
		return 0, 0, 0, fmt.Errorf("%w: no region has room for %d bytes", osmem.ErrNoMemory, room)
	}
	got = RoundUpGrowable(size)
	addr, err = purchase(l, n, got, anywhere)
	return addr, got, uintptr(n) << unitShift(l), err
}

// Grow makes a block of AcquireGrowable at least size bytes large, within its room, and
// answers its true size.
func Grow(addr, old, room, size uintptr) (got uintptr) {
	got = RoundUpGrowable(size)
	warehouse.mu.Lock()
	warehouse.sold += got - old
	warehouse.peak = max(warehouse.peak, warehouse.sold)
	warehouse.trade()
	ask := warehouse.afterPurchase()
	warehouse.mu.Unlock()
	if ask != nil {
		ask()
	}
	return got
}

// RoundUpGrowable is the true size of a block with room that is bought for, or widened to,
// size bytes.
func RoundUpGrowable(size uintptr) uintptr { return roundUp(size, 1<<firstShift) }

// units is how many units of level l size bytes take.
func units(l int, size uintptr) uint {
	return uint((size + 1<<unitShift(l) - 1) >> unitShift(l))
}

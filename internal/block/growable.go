package block

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/osmem"
)

// Growable blocks: they have more address space, their capacity, than is for use, so
// that they grow without being moved.
//
// Invariant: memory between the size and the capacity was never given to the owner. It
// counts neither as in use nor, but for the rest of a unit, as resident.
//
// Cost: that of any block, and the lock each time it grows.

// AcquireGrowable returns the address of a block of at least size bytes that can grow
// to at least capacity bytes, its true size and its true capacity. Otherwise it is
// like Acquire.
func AcquireGrowable(size, capacity uintptr) (addr, got, limit uintptr, err error) {
	l, n, ok := levelFor(capacity)
	if !ok {
		return 0, 0, 0, fmt.Errorf("%w: a capacity of %d bytes is larger than any region", osmem.ErrNoMemory, capacity)
	}
	got = RoundUpGrowable(size)
	addr, err = acquireRun(l, n, got, anyUnit)
	return addr, got, uintptr(n) << unitShift(l), err
}

// Grow grows a block of AcquireGrowable, which has old bytes, to at least size bytes,
// and returns its true size. size must not be less than old nor more than the
// capacity. It cannot fail: the memory is committed.
func Grow(addr, old, capacity, size uintptr) (got uintptr) {
	got = RoundUpGrowable(size)
	heap.mu.Lock()
	heap.inUse += got - old
	heap.peak = max(heap.peak, heap.inUse)
	heap.countOperation()
	unlockAndCall(heap.residentExcess())
	return got
}

// RoundUpGrowable returns the true size of a growable block that is acquired for, or
// grown to, size bytes.
func RoundUpGrowable(size uintptr) uintptr { return alignUp(size, MinSize) }

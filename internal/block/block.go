// Package block is the page heap of contexts: it gets memory from the operating system
// and hands it out in blocks.
//
// It holds: large reservations of address space (regions), cut into pages of 64
// units. Units have 256 bytes, 2 KiB, 16 KiB and so on, by the level of the page; a
// bit for each unit says whether it is in use. A block is a run of units of one page,
// which one context owns.
//
// Invariant: every byte belongs to one block, is free, or is being returned to the
// system. Address space is never unmapped. Freed memory stays resident for the next
// request within a bound; beyond the bound it is returned to the system.
//
// Cost: acquiring or releasing a block takes one lock and some tens of instructions,
// however much is free. The lock is held for a bounded number of steps, and while the
// system commits memory, but not while the system takes memory back. Finding the
// block of an address takes no lock.
//
// All functions may be called by any goroutine, except where they say otherwise.
// Sizes are in bytes.
package block

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/osmem"
)

// heap is the page heap of the process. There is one: an address has one owner.
// Its lock guards all that is in it and in the regions, except what says otherwise.
var heap struct {
	mu      sync.Mutex
	regions atomic.Pointer[[]*region] // a copy replaces it when a region is added
	runCache
	demand
	observers
	scavenger
}

// Acquire returns the address of a block of at least size bytes, and its true size, a
// multiple of MinSize. size is at least 1. The content is undefined; see KnownZero. On
// an error, which wraps osmem.ErrNoMemory, the page heap is as it was.
func Acquire(size uintptr) (addr, got uintptr, err error) {
	l, n, ok := levelFor(size)
	if !ok {
		return 0, 0, fmt.Errorf("%w: a block of %d bytes is larger than any region", osmem.ErrNoMemory, size)
	}
	got = uintptr(n) << unitShift(l)
	addr, err = acquireRun(l, n, got, anyUnit)
	return addr, got, err
}

// RoundUp returns the true size of a block that is acquired for size bytes, or size if
// no block is that large.
func RoundUp(size uintptr) uintptr {
	l, n, ok := levelFor(size)
	if !ok {
		return size
	}
	return uintptr(n) << unitShift(l)
}

// AcquireAligned returns the address of a block of size bytes, a power of two of at
// least MinSize, that begins at a multiple of size. Otherwise it is like Acquire.
func AcquireAligned(size uintptr) (addr uintptr, err error) {
	l, n, ok := levelFor(size)
	if !ok || size != uintptr(n)<<unitShift(l) || size&(size-1) != 0 {
		return 0, fmt.Errorf("%w: no aligned block has %d bytes: it takes a power of two from %d to what a region holds", osmem.ErrNoMemory, size, MinSize)
	}
	return acquireRun(l, n, size, alignedUnits(n))
}

// MinSize is the size of the smallest block: a unit of the finest level.
const MinSize = 1 << firstShift

// AcquireHook, if not nil, is called before a block of size bytes is acquired, and its
// error is returned. Tests use it to make memory run out at any block they like. It
// must not be set while other goroutines acquire blocks.
var AcquireHook func(size uintptr) error

// acquireRun returns the address of a run of n units of level l, which begins at one
// of the units in starts. size bytes of it are for use now.
func acquireRun(l int, n uint, size uintptr, starts uint64) (addr uintptr, err error) {
	if AcquireHook != nil {
		if err := AcquireHook(size); err != nil {
			return 0, err
		}
	}
	heap.mu.Lock()
	if addr = heap.takeCached(l, n, starts); addr == 0 {
		return acquireUncached(l, n, size, starts)
	}
	heap.retained -= uintptr(n) << unitShift(l)
	after := afterAcquire(size)
	heap.mu.Unlock()
	if after != nil {
		after()
	}
	return addr, nil
}

// acquireUncached is acquireRun for a run that is not cached. The lock is held, and is
// released.
func acquireUncached(l int, n uint, size uintptr, starts uint64) (addr uintptr, err error) {
	r, off, err := allocRun(l, n, starts)
	if err != nil {
		heap.mu.Unlock()
		return 0, err
	}
	from, to := r.freshPages(l, off, n, size)
	heap.retained -= r.residentBytes(l, off, n)
	unlockAndCall(afterAcquire(size))
	if from < to {
		osmem.Current().Populate(r.base+from, to-from)
	}
	return r.base + off, nil
}

// Release frees a block that Acquire or AcquireAligned returned; size is its true size.
func Release(addr, size uintptr) { ReleaseGrowable(addr, size, size) }

// ReleaseGrowable frees a block that AcquireGrowable returned; size is what Grow made
// of it, if it was called.
func ReleaseGrowable(addr, size, capacity uintptr) {
	l, n, _ := levelFor(capacity)
	r := regionOf(addr)
	off := addr - r.base
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	written := m
	if size != capacity {
		written = mask(u, unitsIn(l, size))
	}
	heap.mu.Lock()
	p.markDirty(written)
	r.touched = max(r.touched, off+size)
	resident, whole := uintptr(n)<<unitShift(l), p.dirty&^p.part&m == m
	if !whole {
		resident = r.residentBytes(l, off, n)
	}
	heap.countOperation()
	heap.inUse -= size
	heap.retained += resident
	if over := heap.retained > heap.bound() && osmem.Current().DiscardFrees(); over || !whole || !heap.cacheRun(l, n, addr, p, m) {
		if l, off, n := r.freeRun(l, off, n); over {
			r.discardFreed(l, off, n)
		}
	}
	after := heap.retainedExcess()
	heap.mu.Unlock()
	if after != nil {
		after()
	}
}

package block

import (
	"fmt"
	"math/bits"

	"github.com/gopalloc/palloc/internal/osmem"
)

// The regions of the page heap, and in which of them a run is allocated.
//
// Invariant: free committed memory of any region is used before the system is asked
// for more, so that a refusal of the system hides no memory that is free. What is not
// committed is tried again by each request that finds nothing else.
//
// Cost: a step for each region. Each has at least an eighth of the size of all before
// it, so that they stay few.

// allocRun allocates a run of n units of level l that begins at one of the units in
// starts. Where the system refuses, it waits once for the runs that are being
// returned to the system. The lock is held.
func allocRun(l int, n uint, starts uint64) (r *region, off uintptr, err error) {
	for started := heap.started; ; heap.done.Wait() {
		for _, r := range regions() {
			if off, err := r.allocRun(l, n, starts, r.frontier.Load()); err == nil {
				return r, off, nil
			}
		}
		if r, off, err = allocFresh(l, n, starts); err == nil || heap.finished >= started {
			return r, off, err
		}
	}
}

// allocFresh is like allocRun, in memory that is not committed yet.
func allocFresh(l int, n uint, starts uint64) (*region, uintptr, error) {
	var refused error
	for _, r := range regions() {
		off, err := r.allocFresh(l, n, starts)
		if err == nil {
			return r, off, nil
		}
		if err != errFull {
			refused = err
		}
	}
	if refused != nil { // more address space would not help
		return nil, 0, refused
	}
	return allocInNewRegion(l, n, starts)
}

// allocInNewRegion is like allocRun, in a new region, which is given back if the run
// cannot be allocated there.
func allocInNewRegion(l int, n uint, starts uint64) (*region, uintptr, error) {
	need := uint64(n+unitsPerParent) << unitShift(l) // the first units are split for the one that is never used
	minSize := uint64(1) << bits.Len64(need-1)
	if minSize > uint64(^uintptr(0))-commitStep {
		return nil, 0, fmt.Errorf("%w: a region of %d bytes is more than the address space", osmem.ErrNoMemory, minSize)
	}
	var all uintptr
	for _, r := range regions() {
		all += r.size
	}
	r, err := newRegion(max(osmem.Current().RegionSize(), uintptr(minSize), 1<<bits.Len(uint(all))>>3), uintptr(minSize))
	if err != nil {
		return nil, 0, err
	}
	off, err := r.allocFresh(l, n, starts)
	if err != nil {
		r.unreserve()
		return nil, 0, err
	}
	addRegion(r)
	return r, off, nil
}

// addRegion makes a region one of the page heap's.
func addRegion(r *region) {
	all := append(regions()[:len(regions()):len(regions())], r)
	if len(all) == 1 {
		firstRegion.base = r.base + 8
	}
	heap.regions.Store(&all)
	r.publishFrontier()
}

// regions returns the regions of the page heap. It takes no lock.
func regions() []*region {
	if p := heap.regions.Load(); p != nil {
		return *p
	}
	return nil
}

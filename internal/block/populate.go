package block

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/osmem"
)

// Populating: fresh memory that is about to be used is made resident by one system call, where
// the system would have a page fault for each of its pages.
//
// Invariant: units that are populated and in no block are marked dirty, and count as retained.
// A run of which nothing was populated beyond it is still known to be zero.
//
// Cost: a system call, without the lock, for 16 KiB of small blocks, or for a fresh block of at
// most maxPopulated bytes. Of larger blocks only what is used becomes resident.
const maxPopulated = 64 << 10

// freshPages returns the offsets between which memory is to be populated for a block of size
// bytes, a run of n units of level l at offset off that was just allocated; equal ones for
// nothing. On the finest level they include all free units of the page, if none was dirty.
func (r *region) freshPages(l int, off uintptr, n uint, size uintptr) (from, to uintptr) {
	p, u := r.pageOf(l, off)
	m := mask(u, n)
	switch {
	case p.dirty&m != 0 || size > maxPopulated || !osmem.Current().Populates():
		return 0, 0
	case l > 0:
		return off &^ (osmem.PageSize() - 1), alignUp(off+size, osmem.PageSize())
	case p.dirty != 0:
		return 0, 0
	}
	p.dirty = ^p.used | m
	heap.retained += uintptr(bits.OnesCount64(p.dirty)) << firstShift
	const whole = unitsPerPage << firstShift
	return off &^ (whole - 1), alignUp(off+1, whole)
}

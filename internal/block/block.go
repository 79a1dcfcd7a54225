// Package block is the warehouse: memory bought wholesale.
//
// It holds: large reservations of address space (regions), cut into pages of 64
// units, units of 256 bytes, 2 KiB, 16 KiB and so on; a bit for each unit says
// whether it is sold. A block is a run of units that one context owns.
//
// Invariant: every byte belongs to one block, is free, or is on its way back to the
// system. Address space is never unmapped; what is freed stays resident for the next
// request within a bound, and is given back beyond it.
//
// Cost: to take or free a block is one lock and some tens of instructions, however
// much is free; the lock is held for a bounded number of steps, and while
// the system makes address space usable, but not while it takes memory back.
// Asking whose an address is takes no lock.
package block

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// warehouse is the process's stock. There is one: an address has one owner.
var warehouse struct {
	mu      sync.Mutex
	regions atomic.Pointer[[]*region] // grows only; replaced, never changed
	tide
	watch
	returns
}

// home is the first region, which a hot path asks about by itself.
var home struct {
	base uintptr // the region's, and 8; written once, before anything is sold
	open uintptr // words of 8 bytes that are committed, from base
}

// InFirstRegion says whether addr is a multiple of 8 in the committed part of the first
// region: if so, the words at it and before it can be read. False says nothing:
// ask Readable.
func InFirstRegion(addr uintptr) bool {
	return uintptr(bits.RotateLeft(uint(addr-home.base), -3)) < relaxed.Peek(&home.open)
}

// Readable says whether addr is a multiple of 8 in committed memory of ours: the
// words at it and before it can be read.
func Readable(addr uintptr) bool {
	r := regionOf(addr)
	return r != nil && addr%8 == 0 && addr != r.base
}

// Find is the address at which the block begins that holds addr; false when no
// block in anyone's hands does. Asked about a block that is being sold or
// bought meanwhile, it may answer either way.
func Find(addr uintptr) (uintptr, bool) {
	r := regionOf(addr)
	if r == nil {
		return 0, false
	}
	off, ok := r.find(addr - r.base)
	return r.base + off, ok
}

// Acquire takes a block of at least size bytes and answers its address and its true
// size, a multiple of 256. The content is undefined. The error wraps
// osmem.ErrNoMemory and leaves the warehouse as it was.
func Acquire(size uintptr) (addr, got uintptr, err error) {
	l, n, ok := plan(size)
	if !ok {
		return 0, 0, fmt.Errorf("%w: no region is as large as %d bytes", osmem.ErrNoMemory, size)
	}
	return buy(l, n, anywhere)
}

// RoundUp is the true size of a block that is bought for size bytes; size itself
// where no block is as large.
func RoundUp(size uintptr) uintptr {
	l, n, ok := plan(size)
	if !ok {
		return size
	}
	return uintptr(n) << unitShift(l)
}

// AcquireAligned takes a block of size bytes, a power of two of at least MinSize, on
// a multiple of size. As Acquire otherwise.
func AcquireAligned(size uintptr) (addr uintptr, err error) {
	l, n, ok := plan(size)
	if !ok || size != uintptr(n)<<unitShift(l) || size&(size-1) != 0 {
		return 0, fmt.Errorf("%w: no frame has %d bytes", osmem.ErrNoMemory, size)
	}
	addr, _, err = buy(l, n, multiples(n))
	return addr, err
}

// MinSize is the size of the smallest frame in bytes: a unit of the finest
// level.
const MinSize = 1 << firstShift

// AcquireHook, when there is one, is asked before each purchase of so many bytes: it is the
// seam where tests make memory run out at any purchase they like. It must not be set
// while others buy.
var AcquireHook func(size uintptr) error

func rationed(size uintptr) error {
	if AcquireHook == nil {
		return nil
	}
	return AcquireHook(size)
}

func buy(l int, n uint, where uint64) (addr, got uintptr, err error) {
	got = uintptr(n) << unitShift(l)
	addr, err = purchase(l, n, got, where)
	return addr, got, err
}

// purchase sells a run of n units of level l, got bytes of which are for use, that
// begins with one of the units in where.
func purchase(l int, n uint, got uintptr, where uint64) (addr uintptr, err error) {
	if err := rationed(got); err != nil {
		return 0, err
	}
	warehouse.mu.Lock()
	r, off, err := find(l, n, where)
	if err != nil {
		warehouse.mu.Unlock()
		return 0, err
	}
	r.retained -= r.owned(l, off, n)
	ask := bought(got)
	warehouse.mu.Unlock()
	if ask != nil {
		ask()
	}
	return r.base + off, nil
}

// find takes a run of n units of level l that begins with one of where: one that is
// committed, in whatever region, before the system is asked for more. Where it
// refuses, memory that was on its way back to the system is waited for once.
func find(l int, n uint, where uint64) (r *region, off uintptr, err error) {
	for until := warehouse.launched; ; warehouse.landing.Wait() {
		for _, r := range regions() {
			if off, ok := r.wake(l, n, where); ok {
				return r, off, nil
			}
			if off, err := r.buy(l, n, where, r.frontier.Load()); err == nil {
				return r, off, nil
			}
		}
		if r, off, err = fresh(l, n, where); err == nil || warehouse.landed >= until {
			return r, off, err
		}
	}
}

// fresh is find in memory that is not committed yet.
func fresh(l int, n uint, where uint64) (*region, uintptr, error) {
	var refused error
	for _, r := range regions() {
		off, err := r.commit(l, n, where)
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
	return grow(l, n, where)
}

// Release takes back a block that Acquire sold: its address and its true size.
func Release(addr, size uintptr) { ReleaseGrowable(addr, size, size) }

// ReleaseGrowable takes back a block that AcquireGrowable sold, of a size that Grow may have
// changed since.
func ReleaseGrowable(addr, size, room uintptr) {
	l, n, _ := plan(room)
	r := regionOf(addr)
	off := addr - r.base
	warehouse.mu.Lock()
	r.soil(l, off, size)
	resident := r.owned(l, off, n)
	warehouse.trade()
	warehouse.sold -= size
	r.retained += resident
	if over := retained() > warehouse.bound() && osmem.Current().DiscardFrees(); over || !r.lay(l, off, n) {
		if l, off, n := r.sell(l, off, n); over {
			r.release(l, off, n)
		}
	}
	ask := warehouse.afterSale()
	warehouse.mu.Unlock()
	if ask != nil {
		ask()
	}
}

// Stats is what the warehouse has, in bytes.
type Stats struct {
	Reserved  uintptr // address space
	Committed uintptr // of it, made usable
	InUse     uintptr // in the hands of contexts
	Retained  uintptr // unused, and resident
	Metadata  uintptr // the accounts of all that, as far as they were made usable
}

// ReadStats reads the stock at one moment.
func ReadStats() Stats {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	s := Stats{InUse: warehouse.sold, Retained: retained()}
	for _, r := range regions() {
		s.Reserved += r.size
		s.Committed += r.frontier.Load()
		for l := range r.levels {
			s.Metadata += r.levels[l].committed
		}
	}
	return s
}

func regions() []*region {
	if p := warehouse.regions.Load(); p != nil {
		return *p
	}
	return nil
}

// regionOf is the region in whose committed part addr lies, or nil.
func regionOf(addr uintptr) *region {
	for _, r := range regions() {
		if addr-r.base < r.frontier.Load() {
			return r
		}
	}
	return nil
}

func retained() (sum uintptr) {
	for _, r := range regions() {
		sum += r.retained
	}
	return sum
}

// grow is find in a further region, of which nobody hears unless the run is had
// there. Each is an eighth of all before it at least, so that they stay few.
func grow(l int, n uint, where uint64) (*region, uintptr, error) {
	need := uint64(n+perPage) << unitShift(l) // the first units are split for the one that is kept
	least := uint64(1) << bits.Len64(need-1)
	if least > uint64(^uintptr(0))-commitStep {
		return nil, 0, fmt.Errorf("%w: a region of %d bytes is more than the address space", osmem.ErrNoMemory, least)
	}
	var all uintptr
	for _, r := range regions() {
		all += r.size
	}
	r, err := newRegion(max(osmem.Current().RegionSize(), uintptr(least), 1<<bits.Len(uint(all))>>3), uintptr(least))
	if err != nil {
		return nil, 0, err
	}
	off, err := r.commit(l, n, where)
	if err != nil {
		r.forget()
		return nil, 0, err
	}
	r.announce()
	return r, off, nil
}

// announce makes a region one of the warehouse's.
func (r *region) announce() {
	all := append(regions()[:len(regions()):len(regions())], r)
	if len(all) == 1 {
		home.base = r.base + 8
	}
	warehouse.regions.Store(&all)
	r.publish()
}

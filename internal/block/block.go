// Package block is the warehouse: memory bought wholesale.
//
// It holds: large reservations of address space (regions), cut into pages of 64
// units, units of 256 bytes, 2 KiB, 16 KiB and so on; a bit for each unit says
// whether it is sold. A block is a run of units that one context owns.
//
// Invariant: every byte is in the hands of one buyer or of the warehouse.
// Address space is never unmapped; what is sold back waits resident for the
// next buyer within a bound, and is emptied beyond it.
//
// Cost: a purchase or a sale takes one lock and some tens of instructions,
// whatever is in stock. Asking whose an address is takes no lock.
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
}

// home is the first region, which a hot path asks about by itself.
var home struct {
	base uintptr // the region's, and 8; written once, before anything is sold
	open uintptr // words of 8 bytes that are committed, from base
}

// AtHome says whether addr is a multiple of 8 in the committed part of the first
// region: if so, the words at it and before it can be read. False says nothing:
// ask Known.
func AtHome(addr uintptr) bool {
	return uintptr(bits.RotateLeft(uint(addr-home.base), -3)) < relaxed.Peek(&home.open)
}

// Known says whether addr is a multiple of 8 in committed memory of ours: the
// words at it and before it can be read.
func Known(addr uintptr) bool {
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

// Buy takes a block of at least size bytes and answers its address and its true
// size, a multiple of 256. The content is undefined. The error wraps
// osmem.ErrNoMemory and leaves the warehouse as it was.
func Buy(size uintptr) (addr, got uintptr, err error) {
	l, n, ok := plan(size)
	if !ok {
		return 0, 0, fmt.Errorf("%w: no region is as large as %d bytes", osmem.ErrNoMemory, size)
	}
	return buy(l, n, anywhere)
}

// Rounded is the true size of a block that is bought for size bytes; size itself
// where no block is as large.
func Rounded(size uintptr) uintptr {
	l, n, ok := plan(size)
	if !ok {
		return size
	}
	return uintptr(n) << unitShift(l)
}

// BuyFrame takes a block of size bytes, a power of two of at least LeastFrame, on
// a multiple of size. As Buy otherwise.
func BuyFrame(size uintptr) (addr uintptr, err error) {
	l, n, ok := plan(size)
	if !ok || size != uintptr(n)<<unitShift(l) || size&(size-1) != 0 {
		return 0, fmt.Errorf("%w: no frame has %d bytes", osmem.ErrNoMemory, size)
	}
	addr, _, err = buy(l, n, multiples(n))
	return addr, err
}

// LeastFrame is the size of the smallest frame in bytes: a unit of the finest
// level.
const LeastFrame = 1 << firstShift

// Ration, when there is one, is asked before each purchase of so many bytes: it is the
// seam where tests make memory run out at any purchase they like. It must not be set
// while others buy.
var Ration func(size uintptr) error

func rationed(size uintptr) error {
	if Ration == nil {
		return nil
	}
	return Ration(size)
}

func buy(l int, n uint, where uint64) (addr, got uintptr, err error) {
	got = uintptr(n) << unitShift(l)
	if err := rationed(got); err != nil {
		return 0, 0, err
	}
	warehouse.mu.Lock()
	addr, err = find(l, n, n, got, where)
	ask := warehouse.afterPurchase()
	warehouse.mu.Unlock()
	if ask != nil {
		ask()
	}
	return addr, got, err
}

// find is buy under the lock, of a run of n units of which the first, as many as
// part, are for use: got bytes of them.
func find(l int, n, part uint, got uintptr, where uint64) (addr uintptr, err error) {
	for _, r := range regions() {
		addr, err = r.purchase(l, n, part, where)
		if err == nil {
			bought(got)
			return addr, nil
		}
		if err != errFull { // the system refuses: more address space would not help
			return 0, err
		}
	}
	r, err := grow(uintptr(n+perPage) << unitShift(l)) // the first units are split for the one that is kept
	if err != nil {
		return 0, err
	}
	if addr, err = r.purchase(l, n, part, where); err != nil {
		return 0, err
	}
	bought(got)
	return addr, nil
}

// bought counts a purchase, and lets go of old stock when a period ends.
func bought(size uintptr) {
	warehouse.trade()
	if warehouse.bought(size) && retained() > warehouse.bound() {
		trim(warehouse.bound())
	}
}

// Sell takes back a block that Buy sold: its address and its true size.
func Sell(addr, size uintptr) { SellRoom(addr, size, size) }

// SellRoom takes back a block that BuyRoom sold, of a size that Widen may have
// changed since.
func SellRoom(addr, size, room uintptr) {
	l, n, _ := plan(room)
	warehouse.mu.Lock()
	warehouse.trade()
	warehouse.sold -= size
	r := regionOf(addr)
	if retained()+size > warehouse.bound() || !r.lay(l, addr-r.base, n) {
		l, off, n := r.sell(l, addr-r.base, n)
		if retained() > warehouse.bound() {
			warehouse.release(r, l, off, n)
		}
	}
	ask := warehouse.afterSale()
	warehouse.mu.Unlock()
	if ask != nil {
		ask()
	}
}

// Trim gives the memory of every unused unit back to the system and answers how
// many bytes that were. The address space stays.
func Trim() uintptr { return TrimTo(0) }

// TrimTo is Trim, but stops when about so many bytes are retained.
func TrimTo(keep uintptr) uintptr {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	before := retained()
	trim(keep)
	return before - retained()
}

// trim lowers the stock that waits resident towards keep bytes.
func trim(keep uintptr) {
	if !osmem.Current().Returns() {
		return
	}
	for _, r := range regions() {
		if all := retained(); all > keep {
			r.rouse()
			r.trim(r.top, 0, r.retained-min(r.retained, all-keep))
		}
	}
}

// Stock is what the warehouse has, in bytes.
type Stock struct {
	Reserved  uintptr // address space
	Committed uintptr // of it, made usable
	Sold      uintptr // in the hands of contexts
	Retained  uintptr // unused, and resident
	Accounts  uintptr // the accounts of all that, as far as they were made usable
}

// Count reads the stock at one moment.
func Count() Stock {
	warehouse.mu.Lock()
	defer warehouse.mu.Unlock()
	s := Stock{Sold: warehouse.sold, Retained: retained()}
	for _, r := range regions() {
		s.Reserved += r.size
		s.Committed += r.frontier.Load()
		for l := range r.levels {
			s.Accounts += r.levels[l].committed
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

// grow reserves a further region in which at least size bytes fit.
func grow(size uintptr) (*region, error) {
	least := uintptr(1) << bits.Len(uint(size))
	r, err := newRegion(max(osmem.Current().Region(), least), least)
	if err != nil {
		return nil, err
	}
	all := append(regions()[:len(regions()):len(regions())], r)
	if len(all) == 1 {
		home.base = r.base + 8
	}
	warehouse.regions.Store(&all)
	r.publish()
	return r, nil
}

package block

import (
	"sync/atomic"
	"unsafe"

	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The levels of a region: how large a unit is, as a power of two. A page of one
// level is eight units of the next, so that runs come in steps of a seventh.
const (
	firstShift = 8  // 256 bytes
	levelShift = 3  // eight times that, and so on
	pageShift  = 6  // 64 units a page
	maxLevels  = 10 // up to 32 GiB
	perPage    = 1 << (pageShift - levelShift)
)

// commitStep is the grain at which a region's memory is made usable.
const commitStep = 4 << 20

// smallestRegion is where asking for less and less address space ends.
const smallestRegion = 16 << 20

// region is one reservation of address space and the accounts of its pages.
//
// Invariant: all of [base, base+frontier) is committed, and the accounts of its
// pages are, so that any address below the frontier can be read and asked about;
// nothing above it was ever sold. The byte at
// base is never sold: what lies before a chunk can always be looked at.
//
// Cost: 64 bytes of accounts for 16 KiB in use, 0.4 %.
type region struct {
	base, size uintptr
	addr       uintptr // of the reservation, which base is aligned in
	frontier   atomic.Uintptr
	retained   uintptr // bytes that are resident and in nobody's hands
	touched    uintptr // nothing from this offset on was ever sold back, or given back to the system
	top        int     // the level of which the whole region is one page
	resting
	levels [maxLevels]level
}

// level is the pages of one unit size, and the memory their accounts lie in.
type level struct {
	shelf
	accounts  uintptr // address of pages[0]
	reserved  uintptr // bytes of accounts
	committed uintptr // bytes of accounts that may be touched
}

func unitShift(l int) uint { return firstShift + uint(l)*levelShift }

// regionAlign is what a region begins on a multiple of.
const regionAlign = commitStep

// newRegion reserves size bytes, or as much as the system grants down to least.
// On an error nothing stays reserved.
func newRegion(size, least uintptr) (*region, error) {
	for ; ; size /= 2 {
		addr, err := osmem.Current().Reserve(size + regionAlign)
		if err == nil {
			r := &region{base: (addr + regionAlign - 1) &^ (regionAlign - 1), addr: addr, size: size}
			if err = r.layOut(); err != nil {
				r.forget()
				return nil, err
			}
			return r, nil
		}
		if size/2 < least || size/2 < smallestRegion {
			return nil, err
		}
	}
}

// layOut reserves the accounts and opens the one page of the top level.
func (r *region) layOut() error {
	for uint64(r.size) > 1<<(unitShift(r.top)+pageShift) {
		r.top++
	}
	for l := 0; l <= r.top; l++ {
		size := roundUp(r.pageCount(l)*unsafe.Sizeof(page{}), commitStep)
		addr, err := osmem.Current().Reserve(size)
		if err != nil {
			return err
		}
		v := &r.levels[l]
		v.accounts, v.reserved = addr, size
		// Sound: pages hold no pointers, and only committed ones are touched.
		v.pages = unsafe.Slice((*page)(osmem.At(addr)), r.pageCount(l))
	}
	if err := r.account(r.top, 0); err != nil {
		return err
	}
	root := &r.levels[r.top].pages[0]
	*root = page{used: ^mask(0, uint(r.size>>unitShift(r.top)))}
	root.longest = longestRun(^root.used)
	r.levels[r.top].put(0)
	return r.keepFirst()
}

// pageCount is how many pages of level l the region has room for.
func (r *region) pageCount(l int) uintptr {
	return max(1, r.size>>(unitShift(l)+pageShift))
}

// forget gives back a region that nobody has heard of yet.
func (r *region) forget() {
	for _, v := range r.levels {
		if v.reserved != 0 {
			osmem.Current().Release(v.accounts, v.reserved)
		}
	}
	osmem.Current().Release(r.addr, r.size+regionAlign)
}

// keepFirst buys the first unit for good, so that no chunk begins at base.
func (r *region) keepFirst() error {
	_, err := r.commit(0, 1, anywhere)
	return err
}

// account makes the account of page i of level l usable.
func (r *region) account(l, i int) error {
	v := &r.levels[l]
	need := uintptr(i+1) * unsafe.Sizeof(page{})
	if need <= v.committed {
		return nil
	}
	grow := roundUp(need-v.committed, 64<<10)
	if err := osmem.Current().Commit(v.accounts+v.committed, grow); err != nil {
		return err
	}
	v.committed += grow
	return nil
}

// open commits the region up to offset end.
func (r *region) open(end uintptr) error {
	frontier := r.frontier.Load()
	if end <= frontier {
		return nil
	}
	end = roundUp(end, commitStep)
	for l := 0; l <= r.top; l++ {
		if err := r.account(l, int((end-1)>>(unitShift(l)+pageShift))); err != nil {
			return err
		}
	}
	if err := osmem.Current().Commit(r.base+frontier, end-frontier); err != nil {
		return err
	}
	r.frontier.Store(end)
	r.publish()
	return nil
}

// publish tells the hot path's question about the first region.
func (r *region) publish() {
	if r.base+8 == home.base {
		relaxed.Store(&home.open, r.frontier.Load()/8-1)
	}
}

func roundUp(n, to uintptr) uintptr { return (n + to - 1) &^ (to - 1) }

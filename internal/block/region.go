package block

import (
	"sync/atomic"
	"unsafe"

	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The levels of a region: the size of a unit, as a power of two. A page of one level is
// eight units of the next, so that the sizes of runs increase by at most a seventh.
//
// In this package l is a level, i the number of a page among those of its level, u the
// number of a unit in its page, n a number of units, and off an offset from base.
const (
	firstShift     = 8  // 256 bytes
	levelShift     = 3  // eight times that, and so on
	pageShift      = 6  // 64 units a page
	maxLevels      = 10 // up to 32 GiB
	unitsPerParent = 1 << (pageShift - levelShift)
)

// commitStep is the unit in which a region is committed, in bytes.
const commitStep = 4 << 20

// metadataStep is the unit in which metadata is committed, in bytes. That of a level which has at
// most smallMetadata is committed as a whole, with that of the levels above.
const (
	metadataStep  = 64 << 10
	smallMetadata = 128 << 10
)

// minRegion is the smallest region to ask for, in bytes, when the system refuses larger
// ones.
const minRegion = 16 << 20

// region is a reservation of address space and the metadata of its pages.
//
// Invariant: all of [base, base+frontier) is committed, and so is the metadata of its
// pages, so that any address below the frontier can be read and looked up. Nothing
// above the frontier was ever in a block. The first unit is never handed out: the
// memory before a chunk can always be read.
//
// Cost: 64 bytes of metadata for 16 KiB in use, 0.4 %.
type region struct {
	base, size uintptr
	addr       uintptr // of the reservation, which begins with the metadata
	reserved   uintptr // bytes of it
	frontier   atomic.Uintptr
	touched    uintptr // nothing from this offset on was ever released or discarded
	top        int     // the level on which the whole region is one page
	levels     [maxLevels]level
}

// level is the pages of one size of units, and the memory of their metadata.
type level struct {
	freeLists
	metadata  uintptr // address of pages[0]
	reserved  uintptr // bytes of metadata
	committed uintptr // bytes of metadata that may be read and written
}

// unitShift returns the size of a unit of level l, as a power of two. It is below 64, which
// is said for the compiler.
func unitShift(l int) uint { return (firstShift + uint(l)*levelShift) & 63 }

// regionAlign is the alignment of base, in bytes.
const regionAlign = commitStep

// newRegion returns a region of size bytes, or of as much as the system grants down to
// minSize. On an error nothing stays reserved.
func newRegion(size, minSize uintptr) (*region, error) {
	for ; ; size /= 2 {
		r := &region{size: size}
		metadata := r.layOut()
		r.reserved = metadata + size + regionAlign
		addr, err := osmem.Current().Reserve(r.reserved)
		if err == nil {
			r.addr, r.base = addr, alignUp(addr+metadata, regionAlign)
			if err = r.init(); err != nil {
				r.unreserve()
				return nil, err
			}
			return r, nil
		}
		if size/2 < minSize || size/2 < minRegion {
			return nil, err
		}
	}
}

// layOut places the metadata of the levels, and returns how many bytes it takes at the
// beginning of the reservation. That of the coarse levels, which is small, comes first.
func (r *region) layOut() (size uintptr) {
	for uint64(r.size) > 1<<(unitShift(r.top)+pageShift) {
		r.top++
	}
	for l := r.top; l >= 0; l-- {
		v := &r.levels[l]
		v.reserved = max(1, r.size>>(unitShift(l)+pageShift)) * unsafe.Sizeof(page{})
		if v.reserved > smallMetadata {
			size = alignUp(size, metadataStep)
		}
		v.metadata = size
		size += v.reserved
	}
	return alignUp(size, metadataStep)
}

// init commits the small metadata, makes the page of the top level, and allocates the first
// unit for good, so that no chunk begins at base.
func (r *region) init() error {
	small := uintptr(0)
	for l := range r.levels[:r.top+1] {
		v := &r.levels[l]
		if v.reserved <= smallMetadata {
			small = max(small, alignUp(v.metadata+v.reserved, metadataStep))
			v.committed = v.reserved
		}
		v.metadata += r.addr
		// Sound: pages hold no pointers, and only committed ones are read or written.
		v.pages = unsafe.Slice((*page)(osmem.At(v.metadata)), v.reserved/unsafe.Sizeof(page{}))
	}
	if err := osmem.Current().Commit(r.addr, small); err != nil {
		return err
	}
	root := &r.levels[r.top].pages[0]
	*root = page{used: ^mask(0, uint(r.size>>unitShift(r.top)))}
	root.longest = longestRun(^root.used)
	r.levels[r.top].insert(0)
	_, err := r.allocFresh(0, 1, anyUnit)
	return err
}

// unreserve gives back a region that was not added to the page heap.
func (r *region) unreserve() { osmem.Current().Release(r.addr, r.reserved) }

// commitMetadata commits the metadata of page i of level l, and of those before it.
func (r *region) commitMetadata(l, i int) error {
	v := &r.levels[l]
	need := uintptr(i+1) * unsafe.Sizeof(page{})
	if need <= v.committed {
		return nil
	}
	grow := alignUp(need-v.committed, metadataStep)
	if err := osmem.Current().Commit(v.metadata+v.committed, grow); err != nil {
		return err
	}
	v.committed += grow
	return nil
}

// commit commits the region up to offset end, and the metadata of its pages.
func (r *region) commit(end uintptr) error {
	frontier := r.frontier.Load()
	if end <= frontier {
		return nil
	}
	end = alignUp(end, commitStep)
	for l := 0; l <= r.top; l++ {
		if err := r.commitMetadata(l, int((end-1)>>(unitShift(l)+pageShift))); err != nil {
			return err
		}
	}
	if err := osmem.Current().Commit(r.base+frontier, end-frontier); err != nil {
		return err
	}
	r.frontier.Store(end)
	r.publishFrontier()
	return nil
}

// publishFrontier copies the frontier of the first region to where InFirstRegion reads
// it.
func (r *region) publishFrontier() {
	if r.base+8 == firstRegion.base {
		relaxed.Store(&firstRegion.words, r.frontier.Load()/8-1)
	}
}

// alignUp returns n rounded up to a multiple of align, a power of two.
func alignUp(n, align uintptr) uintptr { return (n + align - 1) &^ (align - 1) }

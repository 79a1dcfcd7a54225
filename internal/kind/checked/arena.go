package checked

import (
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/asan"
	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The address space of checked chunks.
//
// It holds: regions, and in them blocks of whole pages. After each block is a page that cannot
// be accessed. A block is retired when none of its chunks is in use. If it is protected it
// takes no memory, and a late access is a page fault. To protect a block costs system calls;
// so only large ones and those with Guard are, the first protectedFirst, and later one for every
// protectedEvery chunks that were allocated. Others keep their memory, filled, and are verified when they leave
// the queue.
//
// Invariant: an address is in one block. It does not come back as long as its block is in
// a queue.
//
// Cost: a lock of the process for each block acquired or retired, for a bounded number of
// steps. Finding the block of an address takes no lock.

const (
	protectedFirst = 256
	protectedEvery = 32 << 10

	// A block of so many bytes is always protected: to fill it would take as long.
	alwaysProtected = 64 << 10

	// What the queues hold, in bytes. The filled blocks take memory: a quarter of what is in use in
	// checked contexts, or leastFilled.
	leastFilled   = 128 << 10
	leastPoisoned = 64 << 20                      // in a build with -asan, which protects none
	leastSpare    = 4 << 20                       // of idle blocks that take memory, or as much as is in use
	mostProtected = 1 << (28 + 3*osmem.WideShift) // address space: 16 GiB, 256 MiB with 32 bits
	mostRecorded  = 1 << (21 + 2*osmem.WideShift) // of Go's heap, of their records: 32 MiB, 2 MiB with 32 bits

	mostBlock = 1 << (30 + 5*osmem.WideShift) // what no system grants, or would have filled: 1 TiB, 1 GiB with 32 bits

	regionSize = 1 << (24 + 2*osmem.WideShift) // 256 MiB, 16 MiB with 32 bits

	// mostGuarded is how many blocks that can be accessed have a page after them that cannot be, and
	// so are mappings of their own: Linux allows a process some 65000. More blocks touch each other.
	mostGuarded = 1 << 14
)

// region is a reservation.
type region struct {
	base, size uintptr
	used       uintptr                  // bytes up to the last block
	shift      int                      // pageShift, or more than any address has bits, if the region is of one block
	blocks     []atomic.Pointer[chunks] // by page, or the only one: the block that it is in, or was in last
}

// at returns where the block of an address is noted.
func (r *region) at(p uintptr) *atomic.Pointer[chunks] { return &r.blocks[(p-r.base)>>r.shift] }

// arena is the address space of the process.
var arena struct {
	mu        sync.Mutex
	regions   atomic.Pointer[[]*region]
	idle      map[uintptr][]*chunks // by size: blocks that left the queues
	filled    queue
	protected queue
	inUse     uintptr      // bytes of blocks that are not retired
	spare     uintptr      // bytes of idle blocks that take memory
	committed atomic.Int64 // blocks that can be accessed
	credit    int          // chunks that were allocated, or count as such, for which no block was protected
}

func init() { arena.credit, arena.idle = protectedFirst*protectedEvery, map[uintptr][]*chunks{} }

// InUse returns how many bytes of blocks are in use. Any goroutine.
func InUse() uintptr {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	return arena.inUse
}

// queue is a queue of retired blocks.
type queue struct {
	blocks   []*chunks
	first    int
	bytes    uintptr
	recorded uintptr // bytes of records
}

func (q *queue) push(b *chunks) {
	q.blocks = append(q.blocks, b)
	q.bytes += b.size
	q.recorded += b.recorded()
}

// recorded returns how many bytes the records of a block take.
func (b *chunks) recorded() uintptr { return uintptr(cap(b.records)) * recordSize }

// leastQueued is how many blocks a queue holds, however large they are. Where memory can be protected
// the filled ones are small.
const leastQueued = 8

// pop returns the block that has waited longest; nil while the queue has at most limit bytes, and mostRecorded
// of records.
func (q *queue) pop(limit uintptr) *chunks {
	if n := len(q.blocks) - q.first; q.bytes <= limit && q.recorded <= mostRecorded || n == 0 || limit > 0 && n <= leastQueued {
		return nil
	}
	b := q.blocks[q.first]
	q.blocks[q.first] = nil
	if q.first++; q.first > 64 && q.first > len(q.blocks)/2 {
		q.blocks = append(q.blocks[:0], q.blocks[q.first:]...)
		q.first = 0
	}
	q.bytes -= b.size
	q.recorded -= b.recorded()
	return b
}

// pageSize is the size of the arena's pages, and pageShift its power of two.
var (
	pageSize  = max(osmem.PageSize(), 4096)
	pageShift = bits.TrailingZeros64(uint64(pageSize))
)

// Owns reports whether an address is in the address space of checked chunks. Any goroutine.
func Owns(p uintptr) bool { return regionOf(p) != nil }

func regionOf(p uintptr) *region {
	all := arena.regions.Load()
	if all == nil {
		return nil
	}
	for _, r := range *all {
		if p-r.base < r.size {
			return r
		}
	}
	return nil
}

// blockAt returns the block that an address is in, or was in last; nil if there was none. An address
// in the page after a block counts as that block's. Any goroutine.
func blockAt(p uintptr) *chunks {
	r := regionOf(p)
	if r == nil {
		return nil
	}
	return r.at(p).Load()
}

// blockSize returns the size of the block for size bytes: whole pages, and of the larger sizes
// eight for each power of two, so that the blocks of one size serve many.
func blockSize(size uintptr) uintptr {
	step := min(max(pageSize, 1<<bits.Len64(uint64(size-1))>>4), regionSize)
	return (size + step - 1) &^ (step - 1)
}

// acquire returns an empty block of size bytes, which blockSize returned. The error wraps
// osmem.ErrNoMemory.
func acquire(size uintptr) (*chunks, error) {
	if size > mostBlock {
		return nil, fmt.Errorf("%w: a block of %d bytes is larger than a checked context may have", osmem.ErrNoMemory, size)
	}
	if block.AcquireHook != nil {
		if err := block.AcquireHook(size); err != nil {
			return nil, err
		}
	}
	arena.mu.Lock()
	defer arena.mu.Unlock()
	var b *chunks
	if list := arena.idle[size]; len(list) > 0 {
		b = list[len(list)-1]
		list[len(list)-1] = nil
		arena.idle[size] = list[:len(list)-1]
		if b.spare {
			b.spare = false
			arena.spare -= size
		}
	} else {
		b = &chunks{size: size}
		if err := b.reserve(); err != nil {
			return nil, err
		}
	}
	if !b.committed {
		if err := b.commit(); err != nil {
			if !b.release() {
				arena.idle[size] = append(arena.idle[size], b)
			}
			return nil, err
		}
	}
	arena.inUse += size
	b.renew()
	return b, nil
}

// commit makes the block accessible; beyond mostGuarded also the page before it.
func (b *chunks) commit() error {
	from := b.base
	if arena.committed.Load() >= mostGuarded {
		from -= pageSize
	}
	to := b.base + b.size
	if asan.Enabled {
		to += pageSize // where Go's nil checks may look before the sanitizer is asked
	}
	if err := osmem.Current().Commit(from, to-from); err != nil {
		return err
	}
	b.committed = true
	arena.committed.Add(1)
	return nil
}

// reserve gives the block addresses that no block had. The arena's lock is held.
func (b *chunks) reserve() error {
	var list []*region
	if all := arena.regions.Load(); all != nil {
		list = *all
	}
	need := b.size + pageSize
	if need+pageSize > min(osmem.Current().RegionSize(), regionSize) {
		r, err := newRegion(need+pageSize, 64, 1)
		if err != nil {
			return err
		}
		b.enter(r)
		list = append([]*region{r}, list...) // the last one is that which blocks are cut from
		arena.regions.Store(&list)
		return nil
	}
	if n := len(list); n == 0 || list[n-1].size-list[n-1].used < need {
		size := min(osmem.Current().RegionSize(), regionSize)
		r, err := newRegion(size, pageShift, int(size/pageSize+1))
		if err != nil {
			return err
		}
		list = append(list[:n:n], r)
		arena.regions.Store(&list)
	}
	b.enter(list[len(list)-1])
	return nil
}

// release releases the region of a block that has one of its own, and cannot be accessed, and reports
// whether it did. The arena's lock is held.
func (b *chunks) release() bool {
	r := regionOf(b.base)
	if r.shift == pageShift || b.committed {
		return false
	}
	list := slices.DeleteFunc(slices.Clone(*arena.regions.Load()), func(other *region) bool { return other == r })
	arena.regions.Store(&list)
	osmem.Current().Release(r.base, r.size)
	return true
}

// newRegion reserves a region of n blocks or pages.
func newRegion(size uintptr, shift, n int) (*region, error) {
	base, err := osmem.Current().Reserve(size)
	if err != nil {
		return nil, fmt.Errorf("the address space of checked chunks: %w", err)
	}
	relaxed.Store(&Any, 1)
	r := &region{base: base, size: size, used: pageSize, shift: shift, blocks: make([]atomic.Pointer[chunks], n)}
	if off := base % pageSize; off != 0 { // Go's heap
		r.base, r.size = base+pageSize-off, size-pageSize
	}
	return r, nil
}

// renew makes a block that was retired an empty one.
func (b *chunks) renew() {
	b.records, b.origin, b.cut, b.live, b.dedicated, b.room, b.name = b.records[:0], b.base, 0, 0, 0, 0, ""
	b.fresh, b.idle = 0, 0
	b.protected, b.guarded = false, false
	b.life.Add(1)
	b.retired.Store(false)
}

// enter gives the block the next addresses of a region. The arena's lock is held.
func (b *chunks) enter(r *region) {
	b.base = r.base + r.used
	r.used += b.size + pageSize
	for i := (b.base - r.base) >> r.shift; i <= (b.base+b.size-r.base)>>r.shift; i++ {
		r.blocks[i].Store(b)
	}
}

// used returns how many bytes at the beginning of the block belong to slots.
func (b *chunks) used() uintptr {
	if b.dedicated != 0 {
		return b.size
	}
	return b.cut
}

// retire puts a block without chunks into a queue. allocated is the number of chunks that its
// context has allocated since the last time. It notes what it finds in blocks that leave a queue.
func (b *chunks) retire(allocated int) {
	protect := b.isHuge() || b.has(Quarantine) && (b.guarded || b.size >= alwaysProtected || mayProtect(allocated)) && arena.committed.Load() < mostGuarded
	if !protect || !b.protect() {
		fill(b.base, b.used(), freedPage)
	} else {
		b.unpoison()
	}
	arena.mu.Lock()
	arena.inUse -= b.size
	if b.protected {
		arena.protected.push(b)
	} else {
		arena.filled.push(b)
	}
	limit := max(leastFilled, arena.inUse/4)
	if asan.Enabled {
		limit = max(leastPoisoned, arena.inUse)
	}
	if !b.has(Quarantine) {
		limit = 0
	}
	var left [5]*chunks // more than one of each, so that a queue becomes shorter
	n := arena.filled.leave(left[:3], limit)
	n += arena.protected.leave(left[n:n+2], mostProtected)
	arena.mu.Unlock()
	for _, b := range left[:n] {
		b.examine()
		b.lay()
	}
}

// leave pops blocks, no more than into has room for, and returns how many.
func (q *queue) leave(into []*chunks, limit uintptr) (n int) {
	for n < len(into) {
		if into[n] = q.pop(limit); into[n] == nil {
			break
		}
		n++
	}
	return n
}

// lay makes a block that left a queue an idle one. It gives its memory back if idle blocks take more than
// those in use.
func (b *chunks) lay() {
	arena.mu.Lock()
	b.spare = b.committed && arena.spare+b.size <= max(leastSpare, arena.inUse)
	arena.mu.Unlock()
	if b.committed && !b.spare {
		b.spare = osmem.Current().Discard(b.base, b.size) != nil
	}
	arena.mu.Lock()
	defer arena.mu.Unlock()
	if b.release() {
		return
	}
	if b.spare {
		arena.spare += b.size
	}
	arena.idle[b.size] = append(arena.idle[b.size], b)
}

// mayProtect counts chunks that were allocated, and reports whether they pay for the protection
// of a block.
func mayProtect(allocated int) bool {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	arena.credit = min(arena.credit+allocated, protectedFirst*protectedEvery)
	if arena.credit < protectedEvery {
		return false
	}
	arena.credit -= protectedEvery
	return true
}

// protect makes the block inaccessible and empties it, and reports whether it did.
func (b *chunks) protect() bool {
	if asan.Enabled && !b.isHuge() {
		return false // a nil check would fault before the sanitizer is asked
	}
	if osmem.Current().Protect(b.base, b.size) != nil {
		return false
	}
	b.protected, b.committed = true, false
	arena.committed.Add(-1)
	return true
}

// examine notes whether a filled block was written to.
func (b *chunks) examine() {
	if b.protected {
		return
	}
	d := damage(b.base, b.used(), freedPage)
	if d.to == 0 {
		return
	}
	i, ok := b.find(d.from)
	if !ok || len(b.records) == 0 {
		note(&Finding{Mistake: WriteAfterFree, Core: b.core, Epoch: b.epoch, Name: b.name, From: d.from, Bytes: d.to - d.from,
			Text: fmt.Sprintf("memory at %#x in which no chunk was allocated was written to", d.from)})
		return
	}
	f := b.finding(WriteAfterFree, i, fmt.Sprintf("%s was written to after it was %s: %s, the first of them at offset %d",
		b.describe(i), b.endedBy(i), bytesText(d.to-d.from), int(d.from)-int(b.at(i))))
	f.From, f.Bytes = d.from, d.to-d.from
	note(f)
}

// ExamineAll verifies every block that waits in the queue of filled ones, and notes what it finds. It
// holds no lock while it looks at a block.
func ExamineAll() {
	arena.mu.Lock()
	n := len(arena.filled.blocks) - arena.filled.first
	arena.mu.Unlock()
	for range n {
		arena.mu.Lock()
		b := arena.filled.pop(0)
		arena.mu.Unlock()
		if b == nil {
			return
		}
		b.examine()
		fill(b.base, b.used(), freedPage)
		arena.mu.Lock()
		arena.filled.push(b)
		arena.mu.Unlock()
	}
}

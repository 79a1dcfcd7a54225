package checked

import (
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// What a checked context has.
//
// Invariant: blocks has every block with a chunk that is in use or waits in the quarantine, and
// the current one. A node keeps its state for its next context.
//
// Cost: a load from a table by the number of the node.

// slot names the slot of a chunk.
type slot struct {
	b    *chunks
	i    int32
	life uint32 // of the block: if it has another one, the slot is gone
	room uint32
}

// freed reports whether the slot is still one of a freed chunk.
func (at slot) freed() bool {
	return at.b.life == at.life && !at.b.retired.Load() && at.b.records[at.i].state == freed
}

// state is the state of one node.
type state struct {
	core     *kind.Core
	name     string
	shared   bool
	frees    bool    // single chunks
	fixed    uintptr // 1 more than the size of all chunks, 0 for any
	settings Settings
	mu       sync.Mutex // held inside; another context's Check tries to take it
	owner

	blocks    []*chunks
	current   *chunks               // that slots are cut from, nil for none
	idle      [chunk.Classes][]slot // whose quarantine ended, by the class of their room
	waiting   []slot                // the quarantine
	first     int                   // of waiting
	waited    uintptr               // bytes of the slots in waiting
	allocated int                   // chunks since a block was retired
	countdown int64                 // chunks until one is guarded
	nextType  uint16                // of the next chunk

	inUse     uintptr // bytes of live chunks; others read these three
	chunks    uint32  // live
	freeSlots uint32

	lives [4]life // that ended, the last one first
}

// life is the end of a context.
type life struct {
	epoch uint64
	name  string
	why   Stack
}

// states has the state of each node by its number.
var states struct {
	sync.Mutex
	segments atomic.Pointer[[]*[segment]atomic.Pointer[state]]
}

const segment = 1024

// stateOf returns the state of a node, which the first call makes. Any goroutine.
func stateOf(c *kind.Core) *state {
	if s := peekState(c); s != nil {
		return s
	}
	states.Lock()
	defer states.Unlock()
	n := int(c.Number())
	var list []*[segment]atomic.Pointer[state]
	if p := states.segments.Load(); p != nil {
		list = *p
	}
	if len(list) <= n/segment {
		grown := append([]*[segment]atomic.Pointer[state](nil), list...)
		for len(grown) <= n/segment {
			grown = append(grown, new([segment]atomic.Pointer[state]))
		}
		list = grown
		states.segments.Store(&list)
	}
	at := &list[n/segment][n%segment]
	if at.Load() == nil {
		at.Store(&state{core: c})
	}
	return at.Load()
}

// Begin readies the state of a node that becomes a checked context of a kind. Package tree calls it
// for a creation.
func Begin(c *kind.Core, id kind.ID, name string, with Settings) {
	s := stateOf(c)
	s.name, s.shared, s.settings = name, id.IsConcurrent(), with
	s.busy = idle // a panic may have ended the last call
	s.frees, s.fixed = id != Bump, 0
	if id == Slab {
		s.fixed = uintptr(c.ChunkSize) + 1
	}
}

// SettingsOf returns the settings of a checked context.
func SettingsOf(c *kind.Core) Settings { return stateOf(c).settings }

// has reports whether something is checked in the context.
func (s *state) has(m Mode) bool { return s.settings.Mode&m != 0 }

// Records reports whether stacks are recorded in the checked context that a node is about to become.
func Records(c *kind.Core) bool { return stateOf(c).has(Stacks) }

// record returns the stack of the caller, without skip frames, if stacks are recorded, else 0.
func (s *state) record(skip int) Stack {
	if !s.has(Stacks) {
		return 0
	}
	return capture(skip + 1)
}

// peekState returns the state of a node, nil if it has none.
func peekState(c *kind.Core) *state {
	p, n := states.segments.Load(), int(c.Number())
	if p == nil || n/segment >= len(*p) {
		return nil
	}
	return (*p)[n/segment][n%segment].Load()
}

// alloc returns a chunk. The state is entered.
func (s *state) alloc(c *kind.Core, size, align uintptr) (p uintptr, err error) {
	made := s.record(3)
	s.allocated++
	b, i, err := s.place(c, size, align)
	if err != nil {
		s.nextType = 0
		return 0, err
	}
	p = b.begin(i, size, made)
	b.records[i].typ, s.nextType = s.nextType, 0
	relaxed.Store(&s.inUse, s.inUse+size)
	relaxed.Store32(&s.chunks, s.chunks+1)
	return p, nil
}

// place returns a slot for a chunk.
func (s *state) place(c *kind.Core, size, align uintptr) (*chunks, int, error) {
	if s.guards() {
		b, i, err := s.dedicate(c, size, align)
		if err == nil {
			b.guarded = true
		}
		return b, i, err
	}
	if size+zone > chunk.MaxSize || align > 256 {
		return s.dedicate(c, size, align)
	}
	class := chunk.Class(size + zone)
	if align == chunk.Align {
		if b, i, ok := s.reuse(class); ok {
			return b, i, nil
		}
	}
	room := chunk.Size(class)
	if b := s.current; b != nil {
		if p := b.next(align); p+room <= b.base+b.size {
			return b, b.slot(p, room, align), nil
		}
	}
	b, err := s.newBlock(c, max(s.nextSize(c), front+align+room))
	if err != nil {
		return nil, 0, err
	}
	b.poison()
	s.leaveCurrent(c)
	s.current = b
	return b, b.slot(b.next(align), room, align), nil
}

// guards reports whether the next chunk is one that gets pages of its own.
func (s *state) guards() bool {
	if s.has(Guard) {
		return true
	}
	if s.settings.Sample == 0 {
		return false
	}
	if s.countdown--; s.countdown > 0 {
		return false
	}
	s.countdown = distance(s.settings.Sample)
	return true
}

// next returns where the next chunk begins, at a multiple of align.
func (b *chunks) next(align uintptr) uintptr {
	return (b.base + b.cut + front + align - 1) &^ (align - 1)
}

// nextSize returns the size of the next block: as much as the context has, up to a limit.
func (s *state) nextSize(c *kind.Core) uintptr {
	const most = 64 << 10
	return min(max(uintptr(c.FirstBlock), c.Total/2, pageSize), max(most, uintptr(c.FirstBlock)))
}

// reuse takes a slot off a free list.
func (s *state) reuse(class uint64) (*chunks, int, bool) {
	list := s.idle[class]
	for len(list) > 0 {
		at := list[len(list)-1]
		list = list[:len(list)-1]
		if at.freed() {
			if f := at.b.inspect(int(at.i)); f != nil {
				note(f)
				continue
			}
			s.idle[class] = list
			relaxed.Store32(&s.freeSlots, s.freeSlots-1)
			at.b.refill(int(at.i))
			return at.b, int(at.i), true
		}
	}
	s.idle[class] = list
	return nil, 0, false
}

// dedicate returns a block for one chunk, which ends at a page that cannot be accessed, or at a zone
// where there is no such page.
func (s *state) dedicate(c *kind.Core, size, align uintptr) (*chunks, int, error) {
	behind := uintptr(zone)
	if osmem.Current().Protects() {
		behind = 0
	}
	b, err := s.newBlock(c, front+size+align+behind)
	if err != nil {
		return nil, 0, err
	}
	p := (b.base + b.size - behind - max(size, 1)) &^ (align - 1)
	b.fresh = b.size
	if b.records == nil {
		b.records = make([]record, 0, 1)
	}
	i := b.slot(p, 0, align)
	b.dedicated, b.room, b.cut = size+1, b.base+b.size-p, b.size
	b.poison()
	from, n := b.lead()
	if !b.isHuge() {
		n = b.size
	}
	fill(from, n, freshPage)
	return b, i, nil
}

// newBlock acquires a block that counts as the context's.
func (s *state) newBlock(c *kind.Core, size uintptr) (b *chunks, err error) {
	size = blockSize(size)
	if err = c.AcquireElsewhere(size, func() (err error) { b, err = acquire(size); return err }); err != nil {
		return nil, err
	}
	b.core, b.epoch, b.cookie, b.settings = c, c.Epoch, c.Cookie, s.settings
	b.index = len(s.blocks)
	s.blocks = append(s.blocks, b)
	return b, nil
}

// leaveCurrent retires the current block if no chunk of it is in use.
func (s *state) leaveCurrent(c *kind.Core) {
	if b := s.current; b != nil {
		s.current = nil
		if b.live == 0 {
			s.retire(c, b, 0)
		}
	}
}

// free ends a live chunk. The error is a finding about it, or about one that leaves the quarantine.
func (s *state) free(c *kind.Core, b *chunks, i int) error {
	f := b.inspect(i)
	why := s.record(3)
	if f != nil {
		f.Ended = why
	}
	relaxed.Store(&s.inUse, s.inUse-b.sizeOf(i))
	relaxed.Store32(&s.chunks, s.chunks-1)
	b.end(i, why)
	if f != nil {
		b.records[i].state = condemned
	}
	if b.live == 0 && b != s.current {
		s.retire(c, b, why)
	} else if f == nil {
		s.wait(b, i)
	}
	if g := s.expire(max(leastWaiting, s.inUse/2)); f == nil {
		f = g
	} else if g != nil {
		note(g)
	}
	if f != nil {
		return f
	}
	return nil
}

// leastWaiting is how many bytes a quarantine may hold at least. It may hold half of what is in use.
const leastWaiting = 4 << 10

// wait puts a slot into the quarantine.
func (s *state) wait(b *chunks, i int) {
	s.waiting = append(s.waiting, slot{b, int32(i), b.life, b.records[i].room})
	s.waited += uintptr(b.records[i].room)
}

// expire ends the quarantine of the oldest slots until at most limit bytes wait. It returns the first
// finding.
func (s *state) expire(limit uintptr) (found *Finding) {
	if !s.has(Quarantine) {
		limit = 0
	}
	for s.waited > limit && s.first < len(s.waiting) && (limit == 0 || len(s.waiting)-s.first > leastQueued) {
		at := s.waiting[s.first]
		s.waiting[s.first] = slot{}
		s.first++
		s.waited -= uintptr(at.room)
		if !at.freed() {
			continue
		}
		if f := at.b.inspect(int(at.i)); f != nil {
			if found == nil {
				found = f
			} else {
				note(f)
			}
			continue
		}
		class := chunk.Class(at.b.roomOf(int(at.i)))
		s.idle[class] = append(s.idle[class], at)
		relaxed.Store32(&s.freeSlots, s.freeSlots+1)
	}
	if s.first > 64 && s.first > len(s.waiting)/2 {
		s.waiting = append(s.waiting[:0], s.waiting[s.first:]...)
		s.first = 0
	}
	return found
}

// shrink makes a live chunk smaller.
func (s *state) shrink(b *chunks, i int, size uintptr) error {
	if f := b.inspect(i); f != nil {
		return f
	}
	relaxed.Store(&s.inUse, s.inUse-b.sizeOf(i)+size)
	if b.dedicated != 0 {
		b.dedicated = size + 1
	} else {
		b.records[i].size = uint32(size)
	}
	behind, n := b.trail(i)
	fill(behind, n, freshPage)
	return nil
}

// chunk returns the record of the live chunk of the context that begins at p. The error is a
// *Finding.
func (s *state) chunk(p uintptr) (*chunks, int, error) {
	b := blockAt(p)
	if b == nil {
		return nil, 0, kind.NotAChunk
	}
	i, err := b.chunkAt(p)
	return b, i, err
}

// retire releases a block without chunks in use.
func (s *state) retire(c *kind.Core, b *chunks, why Stack) {
	b.name = s.name
	b.empty(why)
	last := len(s.blocks) - 1
	s.blocks[b.index] = s.blocks[last]
	s.blocks[b.index].index = b.index
	s.blocks[last] = nil
	s.blocks = s.blocks[:last]
	size := b.size
	b.retire(s.allocated)
	s.allocated = 0
	c.ReleaseElsewhere(size)
}

func init() { kind.RetireElsewhere = retireAll }

// End returns the name of the context of a node that ended with an epoch, and where; false if that is not
// known. The caller excludes deletions.
func End(c *kind.Core, epoch uint64) (name string, why Stack, ok bool) {
	if s := peekState(c); s != nil {
		for _, l := range s.lives {
			if l.epoch == epoch && epoch != 0 {
				return l.name, l.why, true
			}
		}
	}
	return "", 0, false
}

// retireAll ends all chunks of a node, at a reset, or at a deletion, when the epoch has ended.
func retireAll(c *kind.Core) {
	s := stateOf(c)
	if err := s.enter(); err != nil {
		note(err)
	} else {
		defer s.leave()
	}
	s.reset(c)
}

// reset ends all chunks.
func (s *state) reset(c *kind.Core) {
	why := s.record(4)
	if c.Kind() == kind.None {
		copy(s.lives[1:], s.lives[:])
		s.lives[0] = life{c.Epoch, s.name, why}
	}
	s.current = nil
	for len(s.blocks) > 0 {
		s.retire(c, s.blocks[len(s.blocks)-1], why)
	}
	for i := range s.idle {
		s.idle[i] = s.idle[i][:0]
	}
	clear(s.waiting)
	s.waiting, s.first, s.waited, s.nextType = s.waiting[:0], 0, 0, 0
	relaxed.Store(&s.inUse, 0)
	relaxed.Store32(&s.chunks, 0)
	relaxed.Store32(&s.freeSlots, 0)
}

// compact ends the quarantine of all chunks, and returns how many bytes of blocks it released.
func (s *state) compact(c *kind.Core) uintptr {
	before := c.Total
	if f := s.expire(0); f != nil {
		note(f)
	}
	s.leaveCurrent(c)
	return before - c.Total
}

// held returns the bytes of all blocks.
func (s *state) held() (sum uintptr) {
	for _, b := range s.blocks {
		sum += b.size
	}
	return sum
}

func statsOf(c *kind.Core) kind.Stats {
	total := relaxed.Load(&c.Total)
	t := kind.Stats{Total: total, Blocks: relaxed.Load32(&c.BlockCount), Free: total}
	if s := peekState(c); s != nil && total != 0 {
		t.Free = total - min(relaxed.Load(&s.inUse)+front*uintptr(relaxed.Load32(&s.chunks)), total)
		t.FreeChunks, t.Chunks = relaxed.Load32(&s.freeSlots), relaxed.Load32(&s.chunks)
		t.Live = t.Chunks != 0
	}
	return t
}

package checked

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/asan"
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

// stays reports whether the block of the slot is still the context's. The order matters: a block that another
// context acquired has its next life before it is not retired. Owner only.
func (at slot) stays() bool { return !at.b.retired.Load() && at.b.life.Load() == at.life }

// freed reports whether the slot is still one of a freed chunk. Owner only.
func (at slot) freed() bool { return at.stays() && at.b.records[at.i].state == freed }

// state is the state of one node.
type state struct {
	core     *kind.Core
	name     string
	shared   bool
	frees    bool    // single chunks
	fixed    uintptr // 1 more than the size of all chunks, 0 for any
	settings Settings
	guards   bool // there are chunks with pages of their own
	simple   bool // Alloc serves it
	owner

	blocks    []*chunks
	current   *chunks               // that slots are cut from, nil for none
	idle      [chunk.Classes][]slot // whose quarantine ended, by the class of their room
	waiting   []slot                // the quarantine
	first     int                   // of waiting
	waited    uintptr               // bytes of the slots in waiting
	stale     int                   // slots in idle whose block is gone
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
	return newState(c)
}

// newState makes the state of a node, unless another goroutine does.
func newState(c *kind.Core) *state {
	states.Lock()
	defer states.Unlock()
	n := c.Number()
	var list []*[segment]atomic.Pointer[state]
	if p := states.segments.Load(); p != nil {
		list = *p
	}
	if len(list) <= int(n/segment) {
		grown := append([]*[segment]atomic.Pointer[state](nil), list...)
		for len(grown) <= int(n/segment) {
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
	s.name, s.shared = name, id.IsConcurrent()
	s.frees, s.fixed = id != Bump, 0
	if id == Slab {
		s.fixed = uintptr(c.ChunkSize) + 1
	}
	s.set(with)
	atomic.StoreUint32(&s.busy, idle) // a panic may have ended the last call
}

// set sets what is checked.
func (s *state) set(with Settings) {
	s.settings, s.guards, s.alone = with, with.Mode&Guard != 0 || with.Sample != 0, with.Mode&Owner != 0 && !s.shared
	s.simple = s.alone && !s.guards && s.fixed == 0 && !s.has(Stacks)
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
	p, n := states.segments.Load(), c.Number()
	if p == nil || int(n/segment) >= len(*p) {
		return nil
	}
	return (*p)[n/segment][n%segment].Load()
}

// alloc returns a chunk. The state is entered.
func (s *state) alloc(c *kind.Core, size, align uintptr, made Stack) (uintptr, error) {
	if room := s.usualRoom(size); room != 0 && align == chunk.Align && !s.guards {
		if p := s.carve(s.current, size, room, made); p != 0 {
			return p, nil
		}
	}
	p, err := s.place(c, size, align, made)
	s.nextType = 0
	return p, err
}

// usualRoom returns the room of a chunk that may be carved from the current block, 0 where there is no such
// block, the chunk needs one of its own, or a slot waits to be reused. The state is entered.
func (s *state) usualRoom(size uintptr) uintptr {
	if s.current == nil || size > chunk.MaxSize-zone {
		return 0
	}
	class := chunk.Class(size + zone)
	if len(s.idle[class]) != 0 {
		return 0
	}
	return chunk.Size(class)
}

// carve returns a chunk with room bytes from what is prepared of a block, 0 where that is too small.
func (s *state) carve(b *chunks, size, room uintptr, made Stack) uintptr {
	off, n := b.cut+front, len(b.records)
	if off+room > b.fresh || n == cap(b.records) {
		return 0
	}
	b.cut = off + room
	b.records = b.records[:n+1]
	r := &b.records[n] // a word at a time: a literal would be written twice
	r.off, r.size, r.room, r.made, r.ended = uint32(off), uint32(size), uint32(room), made, 0
	r.typ, r.state, r.shift = s.nextType, inUse, usualShift
	p := b.base + off
	if !asan.Enabled && (*word(p - 16) != freshWord || *word(p - 8) != freshWord) {
		fill(p+size, room-size, freshPage) // a chunk before was written to beyond its end: its own zone tells
	}
	b.begin(n, p, size)
	s.count(size)
	return p
}

// count counts a chunk that was allocated.
func (s *state) count(size uintptr) {
	s.nextType = 0
	s.allocated++
	relaxed.Store(&s.inUse, s.inUse+size)
	relaxed.Store32(&s.chunks, s.chunks+1)
}

// mostAlign is the alignment beyond which a chunk has a block of its own.
const mostAlign = 256

// place returns a chunk, whatever it takes.
func (s *state) place(c *kind.Core, size, align uintptr, made Stack) (uintptr, error) {
	if size > kind.MaxChunk-1<<16 || align > kind.MaxChunk/2 {
		return 0, kind.TooLarge(max(size, align))
	}
	if guarded := s.guards && s.guard(); guarded || size > chunk.MaxSize-zone || align > mostAlign {
		return s.dedicate(c, guarded, size, align, made)
	}
	class := chunk.Class(size + zone)
	if align == chunk.Align {
		if at, ok := s.idleSlot(class); ok {
			return s.reuse(at.b, int(at.i), size, made), nil
		}
	}
	room := chunk.Size(class)
	if s.current == nil || !s.current.prepare(room, align) {
		b, err := s.newBlock(c, max(s.nextSize(c), front+align+room))
		if err != nil {
			return 0, err
		}
		b.poison()
		s.leaveCurrent(c)
		s.current = b
		b.prepare(room, align)
	}
	b := s.current
	p := s.carve(b, size, room, made)
	b.records[len(b.records)-1].shift = uint8(bits.TrailingZeros64(uint64(align)))
	return p, nil
}

// reuse makes a slot whose quarantine ended one of a live chunk.
func (s *state) reuse(b *chunks, i int, size uintptr, made Stack) uintptr {
	r, p := &b.records[i], b.at(i)
	fill(p, uintptr(r.room), freshPage)
	r.size, r.state, r.made, r.ended, r.typ = uint32(size), inUse, made, 0, s.nextType
	b.begin(i, p, size)
	s.count(size)
	return p
}

// guard reports whether the next chunk is one that gets pages of its own.
func (s *state) guard() bool {
	if s.has(Guard) {
		return true
	}
	if s.countdown--; s.countdown > 0 {
		return false
	}
	s.countdown = distance(s.settings.Sample)
	return true
}

// nextSize returns the size of the next block: as much as the context has, up to a limit.
func (s *state) nextSize(c *kind.Core) uintptr {
	const most = 64 << 10
	return min(max(uintptr(c.FirstBlock), c.Total/2, pageSize), max(most, uintptr(c.FirstBlock)))
}

// idleSlot takes a slot off a free list, which it verifies.
func (s *state) idleSlot(class uint64) (at slot, ok bool) {
	for list := s.idle[class]; len(list) > 0 && !ok; s.idle[class] = list {
		at = list[len(list)-1]
		list = list[:len(list)-1]
		if !at.stays() {
			s.stale--
			continue
		}
		at.b.idle--
		relaxed.Store32(&s.freeSlots, s.freeSlots-1)
		if ok = at.freed(); !ok {
			continue
		}
		if f := at.b.inspect(int(at.i)); f != nil {
			note(f)
			ok = false
		}
	}
	return at, ok
}

// dedicate returns a chunk with a block of its own, which ends at a page that cannot be accessed, or at a zone
// where there is no such page.
func (s *state) dedicate(c *kind.Core, guarded bool, size, align uintptr, made Stack) (uintptr, error) {
	behind := uintptr(zone)
	if osmem.Current().Protects() {
		behind = 0
	}
	b, err := s.newBlock(c, front+size+align+behind)
	if err != nil {
		return 0, err
	}
	p := (b.base + b.size - behind - max(size, 1)) &^ (align - 1)
	b.origin, b.dedicated, b.room, b.fresh, b.guarded = p, size+1, b.base+b.size-p, b.size, guarded
	b.cut, b.records = b.size, append(b.records, record{made: made, typ: s.nextType, shift: uint8(bits.TrailingZeros64(uint64(align)))})
	b.poison()
	from, n := b.lead()
	if !b.isHuge() {
		n = b.size
	}
	fill(from, n, freshPage)
	b.begin(0, p, size)
	s.count(size)
	return p, nil
}

// newBlock acquires a block that counts as the context's.
func (s *state) newBlock(c *kind.Core, size uintptr) (b *chunks, err error) {
	size = blockSize(size)
	if err = c.AcquireElsewhere(size, func() (err error) { b, err = acquire(size); return err }); err != nil {
		return nil, err
	}
	b.core, b.state, b.epoch, b.cookie, b.settings = c, s, c.Epoch, c.Cookie, s.settings
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
	damaged := b.records[i].state == condemned
	why := s.record(3)
	if f != nil {
		f.Ended = why
	}
	relaxed.Store(&s.inUse, s.inUse-b.sizeOf(i))
	relaxed.Store32(&s.chunks, s.chunks-1)
	b.end(i, why)
	if damaged {
		b.records[i].state = withdrawn
	}
	if b.live == 0 && b != s.current {
		s.retire(c, b, why)
	} else if !damaged {
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
	s.waiting = append(s.waiting, slot{b, int32(i), b.life.Load(), b.records[i].room})
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
		class := chunk.Class(uintptr(at.room))
		s.idle[class] = append(s.idle[class], at)
		at.b.idle++
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
	s.forget(b)
	size := b.size
	b.retire(s.allocated)
	s.allocated = 0
	c.ReleaseElsewhere(size)
}

// forget notes that the slots of a block that is retired are no longer idle. They leave the lists once they are
// more than those that can be allocated: aligned chunks would not take them off.
func (s *state) forget(b *chunks) {
	relaxed.Store32(&s.freeSlots, s.freeSlots-uint32(b.idle))
	s.stale += b.idle
	if s.stale < 64 || s.stale <= int(s.freeSlots) {
		return
	}
	for i, list := range s.idle {
		s.idle[i] = slices.DeleteFunc(list, func(at slot) bool { return !at.stays() })
	}
	s.stale = 0
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
	for i := range s.idle {
		clear(s.idle[i])
		s.idle[i] = s.idle[i][:0]
	}
	for len(s.blocks) > 0 {
		s.retire(c, s.blocks[len(s.blocks)-1], why)
	}
	clear(s.waiting)
	s.waiting, s.first, s.waited, s.stale, s.nextType = s.waiting[:0], 0, 0, 0, 0
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

package checked

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/asan"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Blocks of checked chunks, and the records of the chunks.
//
// Invariant: the records of a block are in the order of their addresses, and their slots
// touch each other, but for gaps of Fresh bytes before aligned chunks. A slot keeps its place as
// long as the block lives.
//
// Cost: 24 bytes of Go's heap for each slot; finding the slot of an address takes a load of
// the word before it, or a binary search where that was overwritten.

const (
	front = 16 // bytes before a chunk: the number of its record, and the header
	zone  = 8  // bytes after a chunk, at least, unless it ends at a page that cannot be accessed
)

// The states of a record.
const (
	inUse     uint8 = iota // the program has the chunk
	freed                  // it waits in the quarantine, or to be allocated again
	gone                   // its block was retired
	condemned              // it was found damaged, and is not looked at again; the program still has it
	withdrawn              // it was found damaged and freed, and is not allocated again
)

// record is what is known of one chunk.
type record struct {
	off   uint32 // of the chunk from the block's origin
	size  uint32 // bytes that were requested; of a dedicated block see there
	room  uint32 // bytes from off to the end of the slot, likewise
	made  Stack
	ended Stack
	typ   uint16 // number of the type that was recorded, 0 for none
	state uint8
	shift uint8 // the alignment, as a power of two
}

// recordSize is how many bytes a record takes.
var recordSize = reflect.TypeFor[record]().Size()

// isHeld reports whether the program has the chunk.
func (r *record) isHeld() bool { return r.state == inUse || r.state == condemned }

// condemn notes that the chunk was found damaged.
func (r *record) condemn() {
	if r.isHeld() {
		r.state = condemned
	} else {
		r.state = withdrawn
	}
}

func (r *record) align() uintptr { return 1 << r.shift }

// chunks is a block of checked chunks.
type chunks struct {
	base, size uintptr
	origin     uintptr // from which the records' offsets count: base, or the chunk of a dedicated block
	core       *kind.Core
	state      *state
	settings   Settings
	epoch      uint64 // of the context when the block was acquired
	cookie     uint64 // likewise
	name       string // of the context, once the block is retired

	index     int // in the blocks of the context
	records   []record
	cut       uintptr // bytes that are cut into slots
	fresh     uintptr // bytes that were filled with Fresh since the block was acquired
	live      int     // chunks that the program has
	idle      int     // slots in the context's lists of idle ones
	dedicated uintptr // not 0: the size of the only chunk, which ends at the block's end
	room      uintptr // of a dedicated block: from the chunk to the end

	life      atomic.Uint32 // how often the block was acquired
	retired   atomic.Bool
	protected bool // nothing can be read or written
	guarded   bool // it has one chunk, which was to be guarded
	committed bool // it could be, before it was retired
	spare     bool // it is idle and takes memory
}

// has reports whether something is checked in the block.
func (b *chunks) has(m Mode) bool { return b.settings.Mode&m != 0 }

// at returns the address of the chunk with a record.
func (b *chunks) at(i int) uintptr { return b.origin + uintptr(b.records[i].off) }

// mostFilled is the size of a block from which on only what is around its chunk is filled.
const mostFilled = 64 << 20

// mostAround is how many bytes are filled at most on either side of such a chunk.
const mostAround = 1 << 20

// isHuge reports whether the block has one chunk that is not filled, so that it takes no memory until the
// program writes to it.
func (b *chunks) isHuge() bool { return b.dedicated != 0 && b.size > mostFilled }

// lead returns where the bytes before the words before a dedicated block's chunk begin, and how many
// are filled.
func (b *chunks) lead() (from, n uintptr) {
	end := b.at(0) - front
	n = end - b.base
	if b.isHuge() {
		n = min(n, mostAround)
	}
	return end - n, n
}

// trail returns where the bytes behind a live chunk begin, and how many are filled.
func (b *chunks) trail(i int) (from, n uintptr) {
	size := b.sizeOf(i)
	n = b.roomOf(i) - size
	if b.isHuge() {
		n = min(n, mostAround)
	}
	return b.at(i) + size, n
}

// leadIsFresh reports whether these are as they were.
func (b *chunks) leadIsFresh() bool { return isFresh(b.lead()) }

// sizeOf returns how many bytes were requested.
func (b *chunks) sizeOf(i int) uintptr {
	if b.dedicated != 0 {
		return b.dedicated - 1
	}
	return uintptr(b.records[i].size)
}

// roomOf returns how many bytes there are from the chunk to the end of its slot.
func (b *chunks) roomOf(i int) uintptr {
	if b.dedicated != 0 {
		return b.room
	}
	return uintptr(b.records[i].room)
}

// word returns a word before a chunk.
func word(addr uintptr) *uint64 { return (*uint64)(osmem.At(addr)) } // of a block that can be accessed

// usualSlot is how many bytes a slot is expected to have, usualShift how it is aligned, and usualBlock how many
// bytes a block has records for from the beginning.
const (
	usualSlot  = 160
	usualShift = 3
	usualBlock = 64 << 10
)

// prepare readies the block for a chunk with room bytes that is aligned to align, and reports whether it
// has them. The next one that is carved is aligned then.
func (b *chunks) prepare(room, align uintptr) bool {
	p := (b.base + b.cut + front + align - 1) &^ (align - 1)
	if p+room > b.base+b.size {
		return false
	}
	end := b.cut
	b.cut = p - front - b.base
	b.freshen(b.cut + front + room)
	if gap := b.cut - end; !isFresh(b.base+end, gap) { // a chunk before was written to beyond its end: see carve
		fill(b.base+end, gap, freshPage)
	}
	if b.records == nil {
		b.records = make([]record, 0, min(b.size, usualBlock)/usualSlot+1)
	}
	b.records = slices.Grow(b.records, 1)
	return true
}

// begin writes the words before a chunk that becomes live.
func (b *chunks) begin(i int, p, size uintptr) {
	b.live++
	if asan.Enabled {
		b.open(p, size)
	} else {
		*word(p - 16) = uint64(i)
	}
	chunk.SetHeader(p, b.cookie|Live)
}

// open lets the program access a chunk, and this package its header, in a build with -asan. What is
// around them stays poisoned.
func (b *chunks) open(p, size uintptr) {
	if !b.isHuge() {
		asan.Unpoison(p-8, 8+size)
		paint(p, size, freshPage)
	}
}

// poison poisons the block in a build with -asan, of a huge one only what is around its chunk: the sanitizer
// needs a byte for eight.
func (b *chunks) poison() {
	switch {
	case !asan.Enabled:
	case b.isHuge():
		from, n := b.lead()
		asan.Poison(from, n+front-8)
		from, n = b.trail(0)
		asan.Poison(from, n)
		asan.Poison(b.base+b.size, pageSize)
	default:
		asan.Poison(b.base, b.size+pageSize)
	}
}

// unpoison ends that of a huge block, whose addresses other memory may have later.
func (b *chunks) unpoison() {
	if asan.Enabled && b.isHuge() {
		from, n := b.lead()
		asan.Unpoison(from, n+front)
		from, n = b.trail(0)
		asan.Unpoison(from, n) // of a chunk that became smaller
		n = min(b.room, mostAround)
		asan.Unpoison(b.base+b.size-n, n+pageSize)
	}
}

// freshStep is how many bytes are filled ahead of the slots.
const freshStep = 4 << 10

// freshen fills the block up to an offset with Fresh.
func (b *chunks) freshen(to uintptr) {
	if to > b.fresh {
		to = min(max(to, b.fresh+freshStep), b.size)
		fill(b.base+b.fresh, to-b.fresh, freshPage)
		b.fresh = to
	}
}

// end fills the chunk, which is free from now on.
func (b *chunks) end(i int, why Stack) {
	r := &b.records[i]
	r.state, r.ended = freed, why
	b.live--
	p := b.at(i)
	chunk.SetHeader(p, b.cookie|endedTag)
	if b.has(Poison) && !b.isHuge() {
		fill(p, b.roomOf(i), freedPage)
	}
}

// find returns the record in whose slot an address is; false if it is in none.
func (b *chunks) find(p uintptr) (i int, ok bool) {
	if b.dedicated != 0 {
		return 0, p-b.base < b.size
	}
	if !b.protected && !b.retired.Load() {
		if i, ok = b.named(p); ok {
			return i, true
		}
	}
	i = sort.Search(len(b.records), func(i int) bool { return b.at(i)-front > p }) - 1
	return i, i >= 0 && p-b.base < b.cut
}

// named returns the record whose number is before an address in a block that can be accessed; false if its chunk
// does not begin there.
func (b *chunks) named(p uintptr) (i int, ok bool) {
	if asan.Enabled || p%chunk.Align != 0 || p-b.base-front >= b.size-front {
		return 0, false
	}
	n := *word(p - 16)
	return int(n), n < uint64(len(b.records)) && b.at(int(n)) == p
}

// chunkAt returns the record of the live chunk that begins at p. The error is a *Finding.
func (b *chunks) chunkAt(p uintptr) (int, error) {
	if !b.protected && !b.retired.Load() {
		if i, ok := b.named(p); ok && b.records[i].state == inUse {
			return i, nil
		}
	}
	i, ok := b.find(p)
	if !ok {
		return 0, &Finding{Mistake: Interior, Core: b.core, Epoch: b.epoch, Name: b.name, From: p,
			Text: "the address is not the start of a chunk: none was allocated there"}
	}
	if f := b.unfit(i, p); f != nil {
		f.From = p
		return i, f
	}
	return i, nil
}

// unfit returns why an address in the slot of a record is not where a live chunk begins, nil if it is.
func (b *chunks) unfit(i int, p uintptr) *Finding {
	if b.records[i].isHeld() && b.at(i) == p {
		return nil
	}
	const no = "the address is not the start of a chunk: it is "
	begin, size := b.at(i), b.sizeOf(i)
	inside := ""
	if p > begin && p < begin+size {
		inside = fmt.Sprintf(", and the address is %s from its beginning", bytesText(p-begin))
	}
	switch state := b.records[i].state; {
	case state == gone:
		return b.finding(Stale, i, fmt.Sprintf("the pointer is stale: %s was %s%s", b.describe(i), b.endedBy(i), inside))
	case state == withdrawn:
		return b.finding(DoubleFree, i, fmt.Sprintf("%s is already free, and was found damaged%s", b.describe(i), inside))
	case state == freed:
		return b.finding(DoubleFree, i, fmt.Sprintf("%s is already free: it was %s%s", b.describe(i), b.endedBy(i), inside))
	case inside != "":
		return b.finding(Interior, i, fmt.Sprintf(no+"inside of %s, %s from its beginning", b.describe(i), bytesText(p-begin)))
	case p < begin:
		return b.finding(Interior, i, fmt.Sprintf(no+"%s before %s", bytesText(begin-p), b.describe(i)))
	case p > begin:
		return b.finding(Interior, i, fmt.Sprintf(no+"%s behind the end of %s", bytesText(p-begin-size), b.describe(i)))
	}
	return nil
}

// Chunk returns the node of the live chunk that begins at p, which Owns reports to be of a checked
// context. The error is a *Finding; the node may then be that of a former chunk, or nil.
func Chunk(p uintptr) (*kind.Core, error) {
	c, _, err := Capacity(p)
	return c, err
}

// Capacity returns also how many bytes were requested for the chunk. The Mistake of the *Finding is
// Interior if p is inside of a live chunk.
func Capacity(p uintptr) (c *kind.Core, size uintptr, err error) {
	b := blockAt(p)
	if b == nil {
		return nil, 0, &Finding{Mistake: Interior, From: p, Text: "the address is not the start of a chunk: none was allocated there"}
	}
	if !b.retired.Load() {
		s := b.state
		if err := s.enter(); err != nil {
			return b.core, 0, err
		}
		defer s.leave()
	}
	i, err := b.chunkAt(p)
	if err != nil {
		return b.core, 0, err
	}
	return b.core, b.sizeOf(i), nil
}

// Free frees the chunk that begins at p. The error is a *Finding or a kind.Misuse; the node may be nil then.
func Free(p uintptr) (c *kind.Core, err error) {
	b := blockAt(p)
	if b == nil || b.retired.Load() {
		c, _, err = Capacity(p)
		return c, err
	}
	c = b.core // before the free, after which the block may be another context's
	return c, freeIn(b, p)
}

// freeIn frees a chunk of a block that is in use.
func freeIn(b *chunks, p uintptr) error {
	s := b.state
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	i, err := b.chunkAt(p)
	switch {
	case err != nil:
		return err
	case !s.frees:
		return kind.Headerless(bump.Methods{})
	}
	return s.free(b.core, b, i)
}

// inspect verifies the bytes around a live chunk, or all of a freed one. It returns nil if they
// are as they should be. A chunk with a finding is condemned.
func (b *chunks) inspect(i int) *Finding {
	r := &b.records[i]
	var f *Finding
	switch r.state {
	case inUse:
		if !b.isWhole(i) && b.has(RedZones) {
			f = b.inspectLive(i)
		}
	case freed:
		if b.has(Poison) && !b.isHuge() {
			f = b.inspectFreed(i)
		}
	}
	if f != nil {
		r.condemn()
	}
	return f
}

// isWhole reports whether the words before a live chunk and the zone behind it are as they were.
func (b *chunks) isWhole(i int) bool {
	if b.dedicated != 0 {
		return isFresh(b.trail(i)) && b.leads(b.at(i), i, Live) && b.leadIsFresh()
	}
	r := &b.records[i]
	p := b.origin + uintptr(r.off)
	return b.leads(p, i, Live) && isFresh(p+uintptr(r.size), uintptr(r.room-r.size)) && (r.shift <= usualShift || isFresh(b.gap(i)))
}

// gap returns where the bytes between the slot before and the words before a chunk begin, and how many they are:
// none before a chunk that is aligned as usual, nor in a dedicated block.
func (b *chunks) gap(i int) (from, n uintptr) {
	if b.dedicated != 0 {
		return b.origin, 0
	}
	from = b.base
	if i > 0 {
		from = b.at(i-1) + b.roomOf(i-1)
	}
	return from, b.at(i) - front - from
}

// leads reports whether the words before the chunk at p are those of a record and a tag.
func (b *chunks) leads(p uintptr, i int, tag uint64) bool {
	return (asan.Enabled || *word(p - 16) == uint64(i)) && *word(p - 8) == b.cookie|tag
}

// inspectLive verifies the words before a live chunk and the zone behind it.
func (b *chunks) inspectLive(i int) *Finding {
	before := b.damageBefore(i)
	if at := b.from(i); at != i {
		return b.spilled(at, i)
	}
	if before.to != 0 {
		return b.underflow(i, before)
	}
	if b.damageBehind(i).to != 0 {
		return b.overflow(i, i)
	}
	return nil
}

// damageBehind returns which bytes of the zone behind a live chunk were overwritten, or which of a freed one.
func (b *chunks) damageBehind(i int) (d span) {
	switch b.records[i].state {
	case inUse:
		from, n := b.trail(i)
		return damage(from, n, freshPage)
	case freed:
		if b.has(Poison) {
			return damage(b.at(i), b.roomOf(i), freedPage)
		}
	}
	return d
}

// damageBefore returns which bytes before a live or freed chunk were overwritten.
func (b *chunks) damageBefore(i int) (d span) {
	p, tag := b.at(i), Live
	switch b.records[i].state {
	case inUse:
	case freed:
		tag = endedTag
	default:
		return d
	}
	var want [front]byte
	binary.NativeEndian.PutUint64(want[:], uint64(i))
	binary.NativeEndian.PutUint64(want[8:], b.cookie|uint64(tag))
	if b.dedicated != 0 {
		from, n := b.lead()
		d = damage(from, n, freshPage)
	} else {
		from, n := b.gap(i)
		d = damage(from, n, freshPage)
	}
	first := 0
	if asan.Enabled {
		first = 8 // only the header can be accessed
	}
	for k, v := range osmem.Bytes(p-front+uintptr(first), front-uintptr(first)) {
		if v != want[first+k] {
			at := p - front + uintptr(first+k)
			if d.to == 0 {
				d.from = at
			}
			d.to = at + 1
		}
	}
	return d
}

// joins reports whether bytes were overwritten from the zone behind a live chunk, or from a freed one, into the gap or
// the words before the next one.
func (b *chunks) joins(i int) bool {
	end := b.at(i) + b.roomOf(i)
	return i+1 < len(b.records) && b.damageBehind(i).to == end && b.damaged(i+1, end)
}

// damaged reports whether bytes before a chunk were overwritten from begin on. Zeros that are there, as in the number of a
// record, may have been overwritten with zeros.
func (b *chunks) damaged(i int, begin uintptr) bool {
	d := b.damageBefore(i)
	if asan.Enabled || d.to == 0 {
		return false // where it is enabled, the sanitizer would have ended the program
	}
	return d.from-begin < front && len(bytes.TrimLeft(osmem.Bytes(begin, d.from-begin), "\x00")) == 0
}

// from returns the chunk from whose end bytes were overwritten up to the words before a chunk;
// the chunk itself if from none.
func (b *chunks) from(i int) int {
	for i > 0 && b.joins(i-1) {
		i--
	}
	return i
}

// underflow returns the finding about bytes before a chunk.
func (b *chunks) underflow(i int, d span) *Finding {
	f := b.finding(Underflow, i, fmt.Sprintf("%s was written to before its beginning: %s, the first of them %s before it",
		b.describe(i), bytesText(d.to-d.from), bytesText(b.at(i)-d.from)))
	f.From, f.Bytes = d.from, d.to-d.from
	return f
}

// spilled returns the finding about bytes from the end of a chunk, or from inside a freed one, up to those before the
// chunk last at least.
func (b *chunks) spilled(i, last int) *Finding {
	if b.records[i].state == freed {
		return b.writeAfterFree(i, last)
	}
	return b.overflow(i, last)
}

// overflow returns the finding about bytes behind a live chunk, up to those before the chunk last at least.
func (b *chunks) overflow(i, last int) *Finding {
	d, last := b.spread(i, last)
	f := b.finding(Overflow, i, fmt.Sprintf("%s was written to beyond its end: %s, the first of them %s behind it",
		b.describe(i), bytesText(d.to-d.from), bytesText(d.from-b.at(i)-b.sizeOf(i)+1)))
	b.condemn(f, d, i, last)
	return f
}

// writeAfterFree returns the finding about bytes in a freed chunk, up to those before the chunk last at least.
func (b *chunks) writeAfterFree(i, last int) *Finding {
	d, last := b.spread(i, last)
	f := b.finding(WriteAfterFree, i, fmt.Sprintf("%s was written to after it was %s: %s, the first of them at offset %d",
		b.describe(i), b.endedBy(i), bytesText(d.to-d.from), d.from-b.at(i)))
	b.condemn(f, d, i, last)
	return f
}

// spread returns the bytes that were overwritten behind a chunk, or in a freed one, and the last chunk that they
// reach, at least last.
func (b *chunks) spread(i, last int) (d span, reached int) {
	for b.joins(last) {
		last++
	}
	d = b.damageBehind(i)
	if last > i {
		d.to = b.damageBefore(last).to
		if e := b.damageBehind(last); e.from == b.at(last) {
			d.to = e.to
		}
	}
	return d, last
}

// condemn completes a finding: all chunks from the first to the last that is damaged are condemned.
func (b *chunks) condemn(f *Finding, d span, i, last int) {
	f.From, f.Bytes = d.from, d.to-d.from
	if last > i {
		f.Text += "; " + b.describe(i+1) + " is damaged, too"
	}
	if last > i+1 {
		f.Text += fmt.Sprintf(", and %d chunks behind that one", last-i-1)
	}
	for k := i; k <= last; k++ {
		b.records[k].condemn()
	}
}

// inspectFreed verifies that nothing was written to a freed chunk, nor to the words before it.
func (b *chunks) inspectFreed(i int) *Finding {
	d := damage(b.at(i), b.roomOf(i), freedPage)
	if d.to == 0 && b.dedicated == 0 && b.leads(b.at(i), i, endedTag) && isFresh(b.gap(i)) {
		return nil
	}
	before := b.damageBefore(i)
	switch at := b.from(i); {
	case at != i:
		return b.spilled(at, i)
	case d.to == 0 && before.to == 0:
		return nil
	case d.to == 0:
		return b.underflow(i, before)
	}
	return b.writeAfterFree(i, i)
}

// verify inspects all chunks of the block.
func (b *chunks) verify() (all []*Finding) {
	for i := range b.records {
		if b.records[i].state == inUse && b.isWhole(i) {
			continue
		}
		if f := b.inspect(i); f != nil {
			all = append(all, f)
		}
	}
	return all
}

// empty ends all chunks of the block at once: it verifies them and notes what it finds. A live chunk that is
// whole can be ended before the next one is looked at: nothing was written beyond its end.
func (b *chunks) empty(why Stack) {
	for i := b.endWhole(0, why); i < len(b.records); i = b.endWhole(i+1, why) {
		if f := b.inspect(i); f != nil {
			note(f)
		}
		if r := &b.records[i]; r.isHeld() {
			r.state, r.ended = gone, why
		}
	}
	b.live = 0
	b.retired.Store(true)
}

// endWhole ends the live chunks from a record on that are whole, up to the first that is not, not live, or may have a
// gap before it. It returns that one's record.
func (b *chunks) endWhole(i int, why Stack) int {
	for ; i < len(b.records) && b.dedicated == 0; i++ {
		r := &b.records[i]
		p := b.base + uintptr(r.off)
		if r.state != inUse || r.shift > usualShift || !b.leads(p, i, Live) || !isFresh(p+uintptr(r.size), uintptr(r.room-r.size)) {
			break
		}
		r.state, r.ended = gone, why
	}
	return i
}

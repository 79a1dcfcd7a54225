package generation

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Reopened blocks: what lives on must not keep the rest of its block from being used.
// Runs of freed chunks in a sparse block are allocated from, one after the other, as a
// new block is.
//
// Invariant: a block that is reopened is the current one; no chunk of it lies between
// Cur and End. The rest of a run is freed chunks again, or a gap of 8 bytes.
//
// Cost: a look at a few blocks before a new one is acquired; a step for each chunk of a
// block that is reopened. A queue reopens few: a block must be nearly empty, or sparse
// twice with nothing freed in between. When a block is refused, all blocks are looked
// at, and walked if something was freed in them since.

const (
	// lookAhead is how many blocks are looked at.
	lookAhead = 8

	// sparse and nearlyEmpty are the fractions of a block, as shifts, that may be live
	// at the second look, and at the first.
	sparse      = 1
	nearlyEmpty = 3
)

// The word seen has the number of freed chunks at the last look, and above it, plus one,
// the smallest class for which the block had no run then; 0 there if none was looked
// for.
const (
	seenBits = 11
	seenMask = 1<<seenBits - 1
)

var (
	_ [seenMask - (maxBlock-head)/(chunk.HeaderSize+chunk.Align)]byte // frees fit
	_ [1<<(16-seenBits) - chunk.Classes]byte                          // and a class
)

// looked reports whether the block was looked at since the last chunk was freed in it,
// and notes that it is.
func (b *block) looked() bool {
	if uint32(b.seen&seenMask) == b.frees {
		return true
	}
	b.seen = uint16(b.frees)
	return false
}

// lacks reports whether the block is known to have no run of whole bytes.
func (b *block) lacks(whole uintptr) bool {
	least := uint64(b.seen >> seenBits)
	return uint32(b.seen&seenMask) == b.frees && least != 0 && chunk.FloorClass(whole-chunk.HeaderSize) >= least-1
}

// note notes that the block has no run of whole bytes.
func (b *block) note(whole uintptr) {
	b.seen = uint16(b.frees) | uint16(chunk.FloorClass(whole-chunk.HeaderSize)+1)<<seenBits
}

// reopen makes a run of at least whole bytes of a block that is worth it what is allocated
// from. It looks at the next few blocks, in the order in which they were retired or looked
// at, and reports whether one had such a run.
func reopen(c *kind.Core, whole uintptr, looks uint32, worth func(b *block) bool) bool {
	o := own(c)
	for range looks {
		if o.cursor == 0 {
			return false
		}
		b := at(kind.BlockAt(o.cursor))
		pass(c, b)
		if worth(b) && !b.lacks(whole) && use(c, b, whole) {
			return true
		}
	}
	return false
}

// isSparse reports whether so little of the block is live that it is worth reopening, and
// notes that it was looked at.
func (b *block) isSparse() bool {
	room, stable := uint64(b.Size-head), b.looked()
	return b.left <= room>>nearlyEmpty || b.left <= room>>sparse && stable
}

// pass moves the cursor off a block, to the next one.
func pass(c *kind.Core, b *block) {
	o := own(c)
	if o.cursor != b.Address() {
		return
	}
	if o.cursor = b.Next; o.cursor == 0 {
		o.cursor = kind.BlockAt(c.Blocks).Next
	}
}

// leave is pass for a block that is about to be unlinked.
func leave(c *kind.Core, b *block) {
	if pass(c, b); own(c).cursor == b.Address() { // it was the only one
		own(c).cursor = 0
	}
}

// line puts the current block, which is being retired, behind all others: before the one
// that is looked at next.
func line(c *kind.Core, b *block) {
	o := own(c)
	if o.cursor == 0 {
		o.cursor = b.Address()
		return
	}
	next := kind.BlockAt(o.cursor)
	if b.Next == o.cursor {
		return
	}
	kind.Unlink(&c.Blocks, &b.Block)
	b.Next, b.Prev = next.Address(), next.Prev
	kind.BlockAt(next.Prev).Next = b.Address() // b was the first, so that there is one
	next.Prev = b.Address()
}

// Compact releases the current block if it is empty; other empty ones are released
// already.
func (Methods) Compact(c *kind.Core) uintptr {
	if c.Blocks == 0 || !isEmpty(c, kind.BlockAt(c.Blocks)) {
		return 0
	}
	b := kind.BlockAt(c.Blocks)
	size := b.Size
	kind.Unlink(&c.Blocks, b)
	c.CloseCurrent()
	giveBack(c, at(b))
	if c.Blocks == 0 {
		c.Prefix = c.Cookie
		return size
	}
	stand(c, at(kind.BlockAt(c.Blocks)))
	return size
}

// stand makes the first block the current one, with nothing to allocate from.
func stand(c *kind.Core, b *block) {
	leave(c, b)
	endTail(c, b)
	c.Prefix = b.tag
	open(c, b, run{start: b.End(), end: b.End()}, b.left)
}

// endTail makes the tail of a block freed chunks.
func endTail(c *kind.Core, b *block) {
	if b.tail != 0 {
		fill(b, b.End()-uintptr(b.tail), b.End())
		relaxed.Store(&c.Tails, c.Tails-uintptr(b.tail))
		b.tail = 0
	}
}

// use makes the first run of at least whole bytes of another block what is allocated
// from, and reports whether there is one.
func use(c *kind.Core, b *block, whole uintptr) bool {
	r := b.run(b.Address()+head, whole)
	if r.end == 0 {
		b.note(whole)
		return false
	}
	if r.end == b.End() {
		relaxed.Store(&c.Tails, c.Tails-uintptr(b.tail))
		b.tail = 0
	}
	endTail(c, b)
	leave(c, b)
	kind.Unlink(&c.Blocks, &b.Block)
	retire(c)
	kind.Link(&c.Blocks, &b.Block)
	c.Prefix = b.tag
	open(c, b, r, b.left)
	return true
}

// goOn makes the next run of at least whole bytes of the current block, which is
// reopened, what is allocated from, and reports whether there is one.
func goOn(c *kind.Core, b *block, whole uintptr) bool {
	if c.End == b.End() {
		return false
	}
	r := b.run(c.End, whole)
	if r.end == 0 {
		return false
	}
	live := b.left - (currentBias - allocated(c, &b.Block))
	fill(b, c.Cur, c.End)
	open(c, b, r, live)
	return true
}

// open makes a run of a block what is allocated from. live is how many bytes of its
// chunks are live.
func open(c *kind.Core, b *block, r run, live uint64) {
	b.frees -= r.chunks
	b.seen &= seenMask
	relaxed.Store(&c.Cur, r.start)
	relaxed.Store(&c.End, r.end)
	b.left = live + currentBias - allocated(c, &b.Block)
}

// run is freed chunks side by side.
type run struct {
	start, end uintptr // end is 0: there is none
	chunks     uint32
}

// run returns the first run of at least whole bytes from an address on, at which a chunk
// of the block begins or the block ends. The tail of the block is a part of its last
// run.
func (b *block) run(from, whole uintptr) run {
	r := run{start: from}
	for at := from; at < b.End()-uintptr(b.tail); {
		tag := chunk.Header(at+chunk.HeaderSize) ^ b.tag
		switch {
		case tag < chunk.Classes:
			if at-r.start >= whole {
				r.end = at
				return r
			}
			at += chunk.TotalSize(tag)
			r = run{start: at}
		case tag == gap:
			at += chunk.HeaderSize
		default:
			at += chunk.TotalSize(tag % chunk.Classes)
			r.chunks++
		}
	}
	if b.End()-r.start >= whole {
		r.end = b.End()
	}
	return r
}

// gap is the tag of a gap, relative to the block's.
const gap = chunk.Generation ^ chunk.GenerationGap

// fill makes what lies between two addresses freed chunks.
func fill(b *block, from, to uintptr) {
	n := uint32(0)
	for at := from; at < to; n++ {
		rest := to - at
		if rest == chunk.HeaderSize {
			chunk.SetHeader(to, b.tag^gap)
			break
		}
		class := chunk.FloorClass(rest - chunk.HeaderSize)
		if rest-chunk.TotalSize(class) == chunk.HeaderSize {
			class--
		}
		p := at + chunk.HeaderSize
		chunk.SetHeader(p, b.tag^(chunk.Generation^chunk.GenerationFreed)|class)
		at = p + chunk.Size(class)
	}
	b.frees += n
}

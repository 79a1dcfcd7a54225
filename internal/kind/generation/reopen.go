package generation

import (
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Reopened blocks: what lived on is not to keep the rest of its block from being used.
// Runs of freed chunks in a sparse block are allocated from, one after the other, as a
// new block is.
//
// Invariant: a block that is reopened is the current one; of its chunks none lies
// between Cur and End. What is left of a run is freed chunks again, or a gap of 8
// bytes.
//
// Cost: a look at a few blocks where a new one is about to be bought; a step for each
// chunk of a block that is reopened. What is used as a queue reopens few: a block is
// nearly empty, or sparse twice with nothing freed in between. What is refused memory looks at all
// blocks, and goes through the chunks of those where something was freed since.

const (
	// lookAhead is how many blocks are looked at.
	lookAhead = 8

	// sparse and nearlyEmpty are the parts of a block, as shifts, that its live chunks
	// may have at the second look, and at the first.
	sparse      = 1
	nearlyEmpty = 3
)

// The word seen has the block's frees when it was looked at last, and above them the
// least class, and one, for which it had no run then; 0 where none was looked for.
const (
	seenBits = 11
	seenMask = 1<<seenBits - 1
)

var (
	_ [seenMask - (maxBlock-head)/(chunk.HeaderSize+chunk.Align)]byte // frees fit
	_ [1<<(16-seenBits) - chunk.Classes]byte                          // and a class
)

// looked reports whether the block was looked at before, and nothing was freed in it
// since, and notes that it was looked at.
func (b *block) looked() bool {
	if uint32(b.seen&seenMask) == b.frees {
		return true
	}
	b.seen = uint16(b.frees)
	return false
}

// lacks reports whether the block is known to have no run of so many bytes.
func (b *block) lacks(whole uintptr) bool {
	least := uint64(b.seen >> seenBits)
	return uint32(b.seen&seenMask) == b.frees && least != 0 && chunk.Fitting(whole-chunk.HeaderSize) >= least-1
}

// note notes that it has none.
func (b *block) note(whole uintptr) {
	b.seen = uint16(b.frees) | uint16(chunk.Fitting(whole-chunk.HeaderSize)+1)<<seenBits
}

// reopen makes a run of at least whole bytes of a sparse block what is allocated from.
// It reports whether there was one among the next few, in the order in which they were
// retired or looked at.
func reopen(c *kind.Core, whole uintptr) bool {
	o := own(c)
	for range lookAhead {
		if o.cursor == 0 {
			return false
		}
		b := at(kind.BlockAt(o.cursor))
		pass(c, b)
		room, stable := uint64(b.Size-head), b.looked()
		if (b.left <= room>>nearlyEmpty || b.left <= room>>sparse && stable) && !b.lacks(whole) && use(c, b, whole) {
			return true
		}
	}
	return false
}

// pass moves the hand off a block, if it is there, to the next one.
func pass(c *kind.Core, b *block) {
	o := own(c)
	if o.cursor != b.Address() {
		return
	}
	if o.cursor = b.Next; o.cursor == 0 {
		o.cursor = kind.BlockAt(c.Blocks).Next
	}
}

// leave is pass for a block that is about to leave the others.
func leave(c *kind.Core, b *block) {
	if pass(c, b); own(c).cursor == b.Address() { // it was the only one
		own(c).cursor = 0
	}
}

// line puts the current block, which is being retired, behind all others: before the
// one that is looked at next.
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

// reopenAny is reopen for who is refused a block: it looks at all, from the one on where
// the last look ended.
func reopenAny(c *kind.Core, whole uintptr) bool {
	o := own(c)
	for range c.BlockCount {
		if o.cursor == 0 {
			break
		}
		b := at(kind.BlockAt(o.cursor))
		pass(c, b)
		if b.Size-head-uintptr(b.left) >= whole && !b.lacks(whole) && use(c, b, whole) {
			return true
		}
	}
	return false
}

// Compact gives the current block back if it is empty: the others went by themselves.
func (Methods) Compact(c *kind.Core) uintptr {
	if c.Blocks == 0 || !isEmpty(c, kind.BlockAt(c.Blocks)) {
		return 0
	}
	b := kind.BlockAt(c.Blocks)
	size := b.Size
	uncount(c, at(b))
	kind.Unlink(&c.Blocks, b)
	c.CloseCurrent()
	c.Release(b)
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
		fill(c, b, b.End()-uintptr(b.tail), b.End())
		relaxed.Store(&c.Tails, c.Tails-uintptr(b.tail))
		b.tail = 0
	}
}

// use makes the first run of at least whole bytes of another block what is allocated
// from. It reports whether there is one.
func use(c *kind.Core, b *block, whole uintptr) bool {
	r := b.run(b.Address()+head, whole)
	if r.end == 0 {
		b.note(whole)
		return false
	}
	if r.end == b.End() {
		relaxed.Store(&c.Tails, c.Tails-uintptr(b.tail))
		recount(c, 0, uintptr(b.tail))
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
// reopened, what is allocated from. It reports whether there is one.
func goOn(c *kind.Core, b *block, whole uintptr) bool {
	if c.End == b.End() {
		return false
	}
	r := b.run(c.End, whole)
	if r.end == 0 {
		return false
	}
	live := b.left - (currentBias - allocated(c, &b.Block))
	fill(c, b, c.Cur, c.End)
	open(c, b, r, live)
	return true
}

// open makes a run of the block, of whose chunks so many bytes are live, what is
// allocated from.
func open(c *kind.Core, b *block, r run, live uint64) {
	b.frees -= r.chunks
	b.seen &= seenMask
	recount(c, -r.chunks, r.start-r.end)
	relaxed.Store(&c.Cur, r.start)
	relaxed.Store(&c.End, r.end)
	b.left = live + currentBias - allocated(c, &b.Block)
}

// run is freed chunks side by side.
type run struct {
	start, end uintptr // end is 0: there is none
	chunks     uint32
}

// run is the first run of at least whole bytes from an address on, where a chunk of the
// block begins, or it ends. The tail of the block is a part of its last run.
func (b *block) run(from, whole uintptr) run {
	r := run{start: from}
	for at := from; at < b.End()-uintptr(b.tail); {
		what := chunk.Header(at+chunk.HeaderSize) ^ b.tag
		switch {
		case what < chunk.Classes:
			if at-r.start >= whole {
				r.end = at
				return r
			}
			at += chunk.Whole(what)
			r = run{start: at}
		case what == gap:
			at += chunk.HeaderSize
		default:
			at += chunk.Whole(what % chunk.Classes)
			r.chunks++
		}
	}
	if b.End()-r.start >= whole {
		r.end = b.End()
	}
	return r
}

// gap is what the header of a gap says beside the block's tag.
const gap = chunk.Generation ^ chunk.GenerationGap

// fill makes what lies between two addresses freed chunks.
func fill(c *kind.Core, b *block, from, to uintptr) {
	n := uint32(0)
	for at := from; at < to; n++ {
		rest := to - at
		if rest == chunk.HeaderSize {
			chunk.SetHeader(to, b.tag^gap)
			break
		}
		class := chunk.Fitting(rest - chunk.HeaderSize)
		if rest-chunk.Whole(class) == chunk.HeaderSize {
			class--
		}
		p := at + chunk.HeaderSize
		chunk.SetHeader(p, b.tag^(chunk.Generation^chunk.GenerationFreed)|class)
		at = p + chunk.Size(class)
	}
	b.frees += n
	recount(c, n, to-from)
}

// recount counts so many more freed chunks, and bytes that they hold, where the hot
// path does.
func recount(c *kind.Core, chunks uint32, bytes uintptr) {
	if relaxed.Counts {
		o := own(c)
		addCut(c, chunks)
		relaxed.Store32(&o.freed, o.freed+chunks)
		relaxed.Store(&o.void, o.void+bytes)
	}
}

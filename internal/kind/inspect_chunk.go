package kind

import (
	"math/bits"

	"github.com/gopalloc/palloc/internal/chunk"
)

// Inspections of chunks: large ones, aligned ones, and sets of them.
//
// Invariant: what is read lies in a block that can be looked into.
//
// Cost: a step for each alignment that an address in the chunk could have.

// CheckLarge checks a block of one large chunk.
func (x *Inspection) CheckLarge(b *Block) {
	if b.Dedicated == 0 {
		x.Flaw(b.Address(), 0, "it is on the list of large blocks, and its head says that chunks share it")
		return
	}
	p := b.Address() + largeHead
	if h, want := chunk.Header(p), x.c.Cookie^chunk.Large; h != want {
		x.Flaw(b.Address(), p, "the header of the large chunk is %#016x, and should be %#016x", h, want)
		return
	}
	x.CheckAligned(b, p, b.Size-largeHead)
}

// CheckAligned checks, for a live chunk at p that may hold an aligned address, that this
// leads back to p. Where the address may lie follows from the chunk and the alignment; only
// its own header, and the word before, tell that there is one. Both may be content: a former
// header over which a few bytes were written, and anything. So one of the distance and the
// alignment must be right, or there is no aligned address.
func (x *Inspection) CheckAligned(b *Block, p, capacity uintptr) {
	for shift := 4; shift < bits.UintSize; shift++ {
		q := alignedIn(p, shift)
		if q < p || q-p >= capacity {
			return
		}
		if chunk.Header(q) != x.c.Cookie^chunk.Redirect {
			continue
		}
		back, own := *wayBack(q)>>8, shiftOf(q)
		near, fits := back == uint64(q-p), own >= 4 && alignedIn(p, own) == q
		switch {
		case near && fits:
			return
		case near || fits && back%chunk.Align == 0 && back < uint64(b.Size):
			x.Flaw(b.Address(), q, "the aligned chunk leads back by %d bytes, to a multiple of 1<<%d; it is in the chunk at %#x, %d bytes before",
				back, own, p, q-p)
			return
		}
	}
}

// alignedIn returns the address at a multiple of 1<<shift that is handed out of the
// chunk at p.
func alignedIn(p uintptr, shift int) uintptr {
	return (p + redirectSize + 1<<shift - 1) &^ (1<<shift - 1)
}

// Tally is a fingerprint of a set of chunks: of those that a list leads to, and of those
// whose headers say that they are on it.
type Tally struct {
	N   uintptr
	sum uint64 // of hashes of the addresses
}

// Add puts a chunk into the set.
func (t *Tally) Add(p uintptr) {
	mixed := uint64(p) * 0x9e3779b97f4a7c15
	t.sum += (mixed ^ mixed>>31) * 0xbf58476d1ce4e5b9
	t.N++
}

// Plus returns the union of two disjoint sets.
func (t Tally) Plus(u Tally) Tally { return Tally{t.N + u.N, t.sum + u.sum} }

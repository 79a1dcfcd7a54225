// Package checked is the checked mode: a way to allocate that stands in front of every kind
// of context and finds misuse of its memory.
//
// It holds: chunks between red zones, in blocks of an address space of their own. What is
// known of a chunk lies on Go's heap, where no stray write reaches it:
//
//	at        holds
//	p-16      the number of the chunk's record
//	p-8       the header, as in every kind
//	p         what the program has: Fresh bytes until it writes
//	p+size    Fresh bytes, at least 8
//
// A chunk that is freed is filled with Freed bytes and waits in its context's quarantine,
// which holds half as much as the context has in use. Then its bytes are verified and it may be
// allocated again. A large chunk, and one in Guard or in Sample chunks, ends at a page that
// cannot be accessed. A block whose chunks are all gone, by a reset, a deletion or
// one by one, is retired: it cannot be accessed, or is filled and verified later; see
// arena.go.
//
// In a build with -asan what is no live chunk is poisoned: see fill.go.
//
// Cannot: see a read of live memory within a block, nor a read of freed memory that is not
// protected, which yields Freed bytes.
//
// Choose it for tests, and for a process that misbehaves: palloc.Checked, PALLOCDEBUG.
//
// Invariant: a checked context holds no memory of the page heap. Cur and End are 0, so that
// no stage of the hot path takes a chunk.
//
// Cost: each byte is written twice and read once more; some 50 bytes a chunk.
package checked

import (
	"fmt"
	"sync/atomic"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// The IDs of the checked kinds.
const (
	AllocSet   = kind.NoClasses | 25
	Slab       = kind.NoClasses | 26
	Generation = kind.NoClasses | 27
	Bump       = kind.NoClasses | 28
	Shared     = kind.NoClasses | kind.Concurrent | 29
)

// Of returns the checked kind of a kind; a checked kind's own.
func Of(id kind.ID) kind.ID {
	switch id {
	case allocset.ID:
		return AllocSet
	case slab.ID:
		return Slab
	case generation.ID:
		return Generation
	case bump.ID:
		return Bump
	case shared.ID:
		return Shared
	}
	return id
}

// Is reports whether a kind is a checked one.
func Is(id kind.ID) bool {
	return id&^kind.Concurrent-AllocSet <= Shared&^kind.Concurrent-AllocSet
}

// Methods of a checked kind, which passes for another one.
type Methods struct{ For kind.Methods }

// The tags of headers.
const (
	// Live is that of a live chunk.
	Live = chunk.Own

	endedTag = chunk.Own + 1
)

func (m *Methods) Name() string { return m.For.Name() }

func (m *Methods) Traits() kind.Traits {
	t := m.For.Traits()
	return kind.Traits{ShownAs: t.ShownAs, Headers: true, Frees: t.Frees, OneSize: t.OneSize, CountsChunks: true}
}

// Open leaves nothing to do: the first chunk takes a state.
func (*Methods) Open(c *kind.Core) {
	c.DropKeeper()
	c.NeedsReset = kind.ResetElsewhere
}

// Alloc returns a chunk of a checked context the usual way, 0 if there is more to do than that: then
// Methods.Alloc does it.
func Alloc(c *kind.Core, size uintptr) uintptr {
	s := peekState(c)
	if s == nil || !s.simple || s.calls%yieldEvery == yieldEvery-1 || !atomic.CompareAndSwapUint32(&s.busy, idle, inside) {
		return 0
	}
	s.calls++
	p := uintptr(0)
	if room := s.usualRoom(size); room != 0 {
		p = s.carve(s.current, size, room, 0)
	}
	s.leave()
	return p
}

func (m *Methods) Alloc(c *kind.Core, size uintptr) (uintptr, error) {
	return alloc(c, size, chunk.Align)
}

func (m *Methods) AllocAligned(c *kind.Core, size, align uintptr) (uintptr, error) {
	if m.For.Traits().OneSize {
		return m.For.AllocAligned(c, size, align) // refuses
	}
	return alloc(c, size, max(align, chunk.Align))
}

func alloc(c *kind.Core, size, align uintptr) (uintptr, error) {
	s := stateOf(c)
	if s.fixed != 0 && size != s.fixed-1 && size <= kind.MaxChunk {
		return 0, kind.Misuse(fmt.Sprintf("this Slab has chunks of %d bytes, not of %d", s.fixed-1, int(size)))
	}
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	return s.alloc(c, size, align, s.record(2))
}

func (m *Methods) Free(c *kind.Core, p uintptr, tag uint64) error {
	if tag != Live {
		return kind.TagFault(m, tag)
	}
	b := blockAt(p)
	if b == nil {
		return kind.NotAChunk
	}
	return freeIn(b, p)
}

// Realloc keeps a chunk that shrinks where it is, and moves every other one, so that a
// pointer to the old place is noticed.
func (m *Methods) Realloc(c *kind.Core, p uintptr, tag uint64, size uintptr) (uintptr, error) {
	t := m.For.Traits()
	if !t.Frees {
		return 0, kind.Headerless(m.For)
	}
	if size > kind.MaxChunk-1<<16 {
		return 0, kind.TooLarge(size)
	}
	s := stateOf(c)
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	b, i, err := s.chunk(p)
	if err != nil {
		return 0, err
	}
	old := b.sizeOf(i)
	switch {
	case t.OneSize && size != old:
		return 0, kind.Misuse(fmt.Sprintf("this Slab has chunks of %d bytes, and none can be resized to %d", old, int(size)))
	case size <= old:
		return p, s.shrink(b, i, size)
	}
	s.nextType = b.records[i].typ
	to, err := s.alloc(c, size, b.records[i].align(), s.record(2))
	if err != nil {
		return 0, err
	}
	kind.Copy(to, p, old)
	return to, s.free(c, b, i)
}

func (*Methods) Extend(c *kind.Core, p, old, size uintptr) bool { return false }

// Capacity is the size that was requested, 1 for none.
func (*Methods) Capacity(c *kind.Core, p uintptr, tag uint64) uintptr {
	s := stateOf(c)
	if s.enter() != nil {
		return 0
	}
	defer s.leave()
	b, i, err := s.chunk(p)
	if err != nil {
		return 0
	}
	return max(b.sizeOf(i), 1)
}

// SizeOf is 0: chunks are found by their records.
func (*Methods) SizeOf(c *kind.Core, tag uint64) uintptr { return 0 }

func (*Methods) Freed(tag uint64) bool { return tag == endedTag }

func (*Methods) Reset(c *kind.Core) {
	c.Retire()
	c.NeedsReset = kind.ResetElsewhere
}

// Compact ends the quarantine of all freed chunks, which are verified, and releases the
// blocks without a live chunk.
func (*Methods) Compact(c *kind.Core) uintptr {
	s := stateOf(c)
	if err := s.enter(); err != nil {
		note(err)
		return 0
	}
	defer s.leave()
	return s.compact(c)
}

func (*Methods) Stats(c *kind.Core, chunks bool) kind.Stats {
	t := statsOf(c)
	if !chunks {
		t.Chunks = 0
	}
	return t
}

func (*Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	s := stateOf(c)
	if err := s.enter(); err != nil {
		note(err)
		return
	}
	defer s.leave()
	for _, b := range s.blocks {
		for _, f := range b.verify() {
			report(kind.Flaw{Block: b.base, Chunk: f.Chunk, Reason: f.Error(), Found: f})
		}
	}
	s.checkPointers(report)
	if held := s.held(); held != c.Total {
		report(kind.Flaw{Reason: fmt.Sprintf("its blocks have %d bytes, and the accounts say %d", held, c.Total)})
	}
}

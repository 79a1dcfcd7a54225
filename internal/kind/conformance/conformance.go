// Package conformance holds every kind to the contract of package kind.
//
// It holds: one suite of rules, run over a kind's methods with several sizes of blocks.
// What a kind cannot do, by its Traits, it must refuse.
//
// Invariant: after each test the context holds nothing.
//
// Cost: half a minute for all kinds; a fifth of that with -short, which takes one size of blocks.
package conformance

import (
	"fmt"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Kind is a kind to be tested.
type Kind struct {
	ID      kind.ID
	Methods kind.Methods
	Hot     bool // it has stages on the hot path; all others stay out of it

	// InUse is how many bytes of blocks are in use where the kind's blocks come from, nil for the
	// page heap. Begin, if not nil, readies a node before the kind opens it.
	InUse func() uintptr
	Begin func(c *kind.Core)
}

// blockSizes are first and largest blocks, in KiB.
var blockSizes = [][2]uint32{{1, 1}, {1, 8}, {8, 8}, {8, 1024}, {64, 64}}

// Run holds a kind to the contract.
func Run(t *testing.T, k Kind) {
	sizesOf := blockSizes
	switch {
	case k.InUse != nil:
		sizesOf = blockSizes[2:3] // such a kind has pages, whatever the sizes
	case testing.Short():
		sizesOf = blockSizes[1:2]
	}
	for _, sizes := range sizesOf {
		t.Run(fmt.Sprintf("blocks=%dK-%dK/%s", sizes[0], sizes[1], osmem.Current().Name()), func(t *testing.T) {
			for _, rule := range rules {
				t.Run(rule.name, func(t *testing.T) {
					s := newSubject(t, k, sizes[0]<<10, sizes[1]<<10)
					defer s.close()
					rule.hold(s)
					s.consistent()
				})
			}
		})
	}
}

var rules = []struct {
	name string
	hold func(*subject)
}{
	{"traits are kept", (*subject).traits},
	{"headers say what a chunk is", (*subject).tags},
	{"statistics count what the traits say", (*subject).counts},
	{"a cached node serves again", (*subject).cached},
	{"joined chunks serve any size", (*subject).joins},
	{"every size is usable to its end", (*subject).everySize},
	{"zero bytes have an address of their own", (*subject).zeroBytes},
	{"headers are valid until freed", (*subject).headers},
	{"freed memory is allocated again", (*subject).reuse},
	{"a reset frees everything", (*subject).reset},
	{"a reset context does the same again", (*subject).cycles},
	{"realloc keeps the content", (*subject).realloc},
	{"aligned chunks are aligned", (*subject).aligned},
	{"what is no chunk is refused", (*subject).refusals},
	{"absurd sizes are refused", (*subject).absurd},
	{"accounts are exact", (*subject).accounts},
	{"random traffic keeps every content", (*subject).traffic},
}

// subject is a node under test, and what is known of it.
type subject struct {
	*testing.T
	Kind
	kind.Traits
	c      *kind.Core
	before uintptr // in use of the page heap before the test
}

// inUse returns how many bytes of blocks are in use where the kind's come from.
func (k Kind) inUse() uintptr {
	if k.InUse != nil {
		return k.InUse()
	}
	return block.ReadStats().InUse
}

func newSubject(t *testing.T, k Kind, first, most uint32) *subject {
	c, err := kind.OpenSlot()
	if err != nil {
		t.Fatal(err)
	}
	s := &subject{T: t, Kind: k, Traits: k.Methods.Traits(), c: c, before: k.inUse()}
	c.Epoch = kind.NextEpoch(0, k.ID)
	c.SetSizes(first, most)
	if s.OneSize {
		s.fix(64)
	}
	if k.Begin != nil {
		k.Begin(c)
	}
	k.Methods.Open(c)
	return s
}

// fix sets the size of a kind that has one size; no chunk may be live.
func (s *subject) fix(size uintptr) { s.c.ChunkSize = uint32(size) }

func (s *subject) close() {
	s.empty()
	s.c.Epoch = 0
	if after := s.inUse(); after != s.before {
		s.Errorf("the context's end leaves %d bytes in use, %d before it", after, s.before)
	}
	if s.c.Total != 0 || s.c.BlockCount != 0 {
		s.Errorf("an empty core accounts for %d bytes in %d blocks", s.c.Total, s.c.BlockCount)
	}
}

// empty releases all that the node holds.
func (s *subject) empty() {
	s.c.Retire()
	s.c.DropKeeper()
	s.c.CloseCurrent()
}

// restart makes the node begin anew, with chunks of size bytes if its kind has one size.
func (s *subject) restart(size uintptr) {
	s.empty()
	if s.OneSize {
		s.fix(size)
	}
	if s.Begin != nil {
		s.Begin(s.c)
	}
	s.Methods.Open(s.c)
}

// size returns a size that the kind allocates: n, or its one size.
func (s *subject) size(n uintptr) uintptr {
	if s.OneSize {
		return uintptr(s.c.ChunkSize)
	}
	return n
}

func (s *subject) alloc(n uintptr) uintptr {
	s.Helper()
	p, err := s.Methods.Alloc(s.c, n)
	if err != nil {
		s.Fatalf("Alloc(%d): %v", n, err)
	}
	if p%chunk.Align != 0 {
		s.Fatalf("Alloc(%d) = %#x, not a multiple of %d", n, p, chunk.Align)
	}
	return p
}

// tag returns the tag of a live chunk.
func (s *subject) tag(p uintptr) uint64 {
	s.Helper()
	w := chunk.Header(p) ^ s.c.Cookie
	if w >= chunk.TagLimit {
		s.Fatalf("the header of the chunk at %#x is not valid", p)
	}
	if !s.Hot {
		s.coldTag(w)
	}
	return w
}

func (s *subject) free(p uintptr) {
	s.Helper()
	if err := kind.Free(s.Methods, s.c, p, s.tag(p)); err != nil {
		s.Fatalf("Free(%#x): %v", p, err)
	}
}

// fill writes every byte of a chunk in a way that tells it from others.
func fill(p, n uintptr) {
	for i, b := 0, osmem.Bytes(p, n); i < len(b); i++ {
		b[i] = byte(p>>3) + byte(i)
	}
}

// holds checks what fill wrote at from, and was moved to p since.
func (s *subject) holds(p, n, from uintptr) {
	s.Helper()
	for i, b := range osmem.Bytes(p, n) {
		if b != byte(from>>3)+byte(i) {
			s.Fatalf("byte %d of the chunk of %d bytes at %#x changed", i, n, p)
		}
	}
}

// inBlock checks that the block of p is the node's.
func (s *subject) inBlock(p uintptr) {
	s.Helper()
	if s.InUse == nil && s.c.BlockOf(p) == nil {
		s.Fatalf("the chunk at %#x lies in no block of its context", p)
	}
}

// consistent is the rule after all others, and between: nothing of the context
// contradicts itself.
func (s *subject) consistent() {
	s.Helper()
	s.Methods.Check(s.c, func(f kind.Flaw) {
		s.Errorf("block %#x, chunk %#x: %s", f.Block, f.Chunk, f.Reason)
	})
	s.layout()
	if !s.Hot {
		s.cold()
	}
	if s.Failed() {
		s.FailNow()
	}
}

// live is a chunk that traffic keeps.
type live struct{ p, n, from uintptr }

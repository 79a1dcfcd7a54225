package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Breaks: each thing that a check compares, broken by itself.
//
// Invariant: what was broken is restored after the check, so that the subject ends as
// any other.
//
// Cost: some milliseconds each.

// Break is one way to break what a node holds.
type Break struct {
	Name  string
	Words string // of what must be reported
	// Do breaks it, and returns the block or the chunk that must be reported, 0 for
	// none.
	Do func(b *Broken) (at uintptr)
}

// Broken is a node that a Break breaks.
type Broken struct {
	*testing.T
	C       *kind.Core
	Methods kind.Methods
	Chunks  []uintptr // live ones, in the order of their allocation
	undo    []func()
}

// Overwrite writes a word until the check is done.
func Overwrite[T any](b *Broken, p *T, v T) {
	old := *p
	*p = v
	b.Undo(func() { *p = old })
}

// Undo calls f when the check is done.
func (b *Broken) Undo(f func()) { b.undo = append(b.undo, f) }

// restore undoes what was overwritten, the latest first.
func (b *Broken) restore() {
	for i := len(b.undo) - 1; i >= 0; i-- {
		b.undo[i]()
	}
	b.undo = nil
}

// Alloc allocates a chunk.
func (b *Broken) Alloc(size uintptr) uintptr {
	b.Helper()
	p, err := b.Methods.Alloc(b.C, size)
	if err != nil {
		b.Fatal(err)
	}
	b.Chunks = append(b.Chunks, p)
	return p
}

// Fill allocates n chunks.
func (b *Broken) Fill(n int, size uintptr) {
	b.Helper()
	for range n {
		b.Alloc(size)
	}
}

// Free frees a chunk.
func (b *Broken) Free(p uintptr) {
	b.Helper()
	if err := b.Methods.Free(b.C, p, chunk.Header(p)^b.C.Cookie); err != nil {
		b.Fatal(err)
	}
}

// Shared returns the block on the list of blocks with n before it.
func (b *Broken) Shared(n int) *kind.Block { return b.nth(b.C.Blocks, n) }

// Large returns a block of the other list.
func (b *Broken) Large(n int) *kind.Block { return b.nth(b.C.Large, n) }

func (b *Broken) nth(list uintptr, n int) *kind.Block {
	b.Helper()
	for ; n > 0 && list != 0; n-- {
		list = kind.BlockAt(list).Next
	}
	if list == 0 {
		b.Fatal("there are too few blocks to break one")
	}
	return kind.BlockAt(list)
}

// Nowhere returns an address of ours at which no block begins.
func (b *Broken) Nowhere() uintptr { return b.C.Blocks + block.MinSize/2 }

// RunBreaks breaks a node of a kind, as fill left it, in each of the ways, and fails unless
// the check reports that.
func RunBreaks(t *testing.T, id kind.ID, m kind.Methods, fill func(b *Broken), breaks ...[]Break) {
	for _, one := range slices.Concat(breaks...) {
		t.Run(one.Name, func(t *testing.T) {
			s := newSubject(t, Kind{ID: id, Methods: m, Hot: true}, 1<<10, 8<<10)
			defer s.close()
			b := &Broken{T: t, C: s.c, Methods: s.Methods}
			fill(b)
			s.consistent()
			defer b.restore() // if Do skips
			at := one.Do(b)
			var found []kind.Flaw
			s.Methods.Check(s.c, func(f kind.Flaw) { found = append(found, f) })
			b.restore()
			for _, f := range found {
				if !isSomewhere(f) {
					t.Errorf("the check says %+v, where neither is", f)
				}
			}
			if !reported(found, one.Words, at) {
				t.Errorf("the check says\n%+v\nand not of %#x %q", found, at, one.Words)
			}
			s.consistent()
		})
	}
}

// isSomewhere reports whether a flaw names a block that there is, or none, and a chunk in one, or none.
// A link that leads nowhere is reported with the address to which it leads.
func isSomewhere(f kind.Flaw) bool {
	in, ok := block.Find(f.Block)
	_, held := block.Find(f.Chunk)
	return (f.Block == 0 || ok && in == f.Block || strings.Contains(f.Reason, "where no block begins")) &&
		(f.Chunk == 0 || held || strings.Contains(f.Reason, " here, "))
}

func reported(found []kind.Flaw, words string, at uintptr) bool {
	for _, f := range found {
		if strings.Contains(f.Reason, words) && (at == 0 || f.Block == at || f.Chunk == at) {
			return true
		}
	}
	return false
}

// Somewhere returns a Do that breaks what lies in no block, or leaves open in which one.
func Somewhere(do func(b *Broken)) func(*Broken) uintptr {
	return func(b *Broken) uintptr {
		do(b)
		return 0
	}
}

// InShared returns a Do of the block with n before it on the list of blocks, which must be
// reported.
func InShared(n int, do func(b *Broken, k *kind.Block)) func(*Broken) uintptr {
	return in(func(b *Broken) *kind.Block { return b.Shared(n) }, do)
}

// InLarge returns what InShared does, for the other list.
func InLarge(n int, do func(b *Broken, k *kind.Block)) func(*Broken) uintptr {
	return in(func(b *Broken) *kind.Block { return b.Large(n) }, do)
}

// inGrown is InLarge for the block of a chunk that grew.
func inGrown(do func(b *Broken, k *kind.Block)) func(*Broken) uintptr {
	return in((*Broken).growable, do)
}

func in(find func(b *Broken) *kind.Block, do func(b *Broken, k *kind.Block)) func(*Broken) uintptr {
	return func(b *Broken) uintptr {
		k := find(b)
		do(b, k)
		return k.Address()
	}
}

// Common are the breaks of what all kinds share. They need three blocks for many chunks.
var Common = []Break{
	{"the number in the cookie", "not one of this core", Somewhere(func(b *Broken) { Overwrite(b, &b.C.Cookie, b.C.Cookie^1<<38) })},
	{"the low bits of the cookie", "not one of this core", Somewhere(func(b *Broken) { Overwrite(b, &b.C.Cookie, b.C.Cookie|1) })},
	{"the list begins nowhere", "where no block begins", Somewhere(func(b *Broken) { Overwrite(b, &b.C.Blocks, 0xdead0) })},
	{"the list leads into a block", "where no block begins", InShared(0, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Next, b.Nowhere()) })},
	{"the list leads to others' memory", "where no block begins", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Next, ^uintptr(0)-7) })},
	{"the list is a circle", "where a list came by already", InShared(2, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Next, b.Shared(1).Address()) })},
	{"a block does not lead back", "and the block says from", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Prev, 0) })},
	{"a block of another core", "and its head says that it is of core 77", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Owner, 77) })},
	{"a block too large", "and the page heap has a block of", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Size, k.Size+block.MinSize) })},
	{"a block too small", "and the page heap has a block of", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Size, 0) })},
	{"a block said to be one chunk's", "and its head says that it is one large chunk's", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Dedicated, 1) })},
	{"a block said to be growable", "and the page heap has a block of", InShared(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Dedicated, 1000) })},
	{"a block is on no list", "bytes, and the accounts say", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(2).Prev, b.C.Blocks)
		Overwrite(b, &b.Shared(0).Next, b.Shared(2).Address())
		return 0
	}},
	{"the account of bytes", "bytes, and the accounts say", Somewhere(func(b *Broken) { Overwrite(b, &b.C.Total, b.C.Total+8) })},
	{"the number of blocks", "blocks, and the accounts say", Somewhere(func(b *Broken) { Overwrite(b, &b.C.BlockCount, b.C.BlockCount-1) })},
	{"the prefix", "the headers of new chunks begin with", Somewhere(func(b *Broken) { Overwrite(b, &b.C.Prefix, b.C.Prefix^1<<20) })},
	{"a reset would find nothing to release", "that a reset has nothing to release", Somewhere(func(b *Broken) { Overwrite(b, &b.C.NeedsReset, 0) })},
	{"a free list that the node does not know", "it has no free lists", func(b *Broken) uintptr {
		Overwrite(b, b.C.FreeList(7), b.Chunks[0])
		Overwrite(b, &b.C.Dirty, 0)
		return b.Chunks[0]
	}},
	{"a word that the node does not know", "its kind keeps nothing in it", func(b *Broken) uintptr {
		Overwrite(b, &kind.Private[[16]uint64](b.C)[15], 1)
		Overwrite(b, &b.C.Dirty, 0)
		return 0
	}},
}

// Current are the breaks of the block that a node allocates from, which a Slab's does
// not.
var Current = []Break{
	{"allocates from another place", "and the core allocates from", InShared(0, func(b *Broken, k *kind.Block) { Overwrite(b, &b.C.Cur, b.Shared(1).Address()) })},
	{"allocates beyond the end", "and the core allocates from", InShared(0, func(b *Broken, k *kind.Block) { Overwrite(b, &b.C.End, b.C.End+8) })},
	{"allocated beyond the end", "and the core allocates from", InShared(0, func(b *Broken, k *kind.Block) { Overwrite(b, &b.C.Cur, b.C.End+8) })},
	{"allocates from between", "and the core allocates from", InShared(0, func(b *Broken, k *kind.Block) { Overwrite(b, &b.C.Cur, b.C.Cur-1) })},
	{"allocates without a block", "there is no block to allocate from", Somewhere(func(b *Broken) { Overwrite(b, &b.C.Blocks, 0) })},
}

// Large are the breaks of large chunks, and of aligned ones.
var Large = []Break{
	{"a large block said to be shared", "and its head says that chunks share it", InLarge(1, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Dedicated, 0) })},
	{"the header of a large chunk", "the header of the large chunk is", func(b *Broken) uintptr {
		p := b.Large(1).Address() + kind.BlockHeader + 8
		Overwrite(b, word(p-8), *word(p - 8)^1)
		return p
	}},
	{"an aligned chunk leads elsewhere", "the aligned chunk leads back by", func(b *Broken) uintptr {
		q := b.aligned(40, 64)
		Overwrite(b, word(q-16), *word(q - 16)+8<<8)
		return q
	}},
	{"an aligned chunk has another alignment", "the aligned chunk leads back by", func(b *Broken) uintptr {
		q := b.aligned(40, 256)
		Overwrite(b, word(q-16), *word(q - 16)|63)
		return q
	}},
	{"an aligned chunk in a large one", "the aligned chunk leads back by", func(b *Broken) uintptr {
		q := b.aligned(20_000, 4096)
		Overwrite(b, word(q-16), *word(q - 16)-8<<8)
		return q
	}},
	{"a size that is no size of a block", "and the page heap has a block of", InLarge(0, func(b *Broken, k *kind.Block) { Overwrite(b, &k.Size, k.Size+1) })},
}

// Growable are the breaks of a large chunk that can grow in place, where any can.
var Growable = []Break{
	{"a block larger than its capacity", "and the page heap has a block of", inGrown(func(b *Broken, k *kind.Block) { Overwrite(b, &k.Size, block.CapacityAt(k.Address())+block.MinSize) })},
	{"a growable block of no size", "and the page heap has a block of", inGrown(func(b *Broken, k *kind.Block) { Overwrite(b, &k.Size, 0) })},
	{"a growable block of part of a unit", "and the page heap has a block of", inGrown(func(b *Broken, k *kind.Block) { Overwrite(b, &k.Size, k.Size-8) })},
	{"another capacity", "and the page heap has a block of", inGrown(func(b *Broken, k *kind.Block) { Overwrite(b, &k.Dedicated, k.Dedicated+1) })},
}

// growable returns the block of a chunk that grew.
func (b *Broken) growable() *kind.Block {
	b.Helper()
	p := b.Alloc(64)
	if _, err := kind.Realloc(b.Methods, b.C, p, chunk.Header(p)^b.C.Cookie, 20_000); err != nil {
		b.Fatal(err)
	}
	if b.Large(0).Dedicated == 1 {
		b.Skip("no block can grow here")
	}
	return b.Large(0)
}

func (b *Broken) aligned(size, align uintptr) uintptr {
	b.Helper()
	p, err := kind.AllocAligned(b.Methods, b.C, size, align)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// word returns the word at an address.
func word(p uintptr) *uint64 { return (*uint64)(osmem.At(p)) }

// Header returns the word in front of a chunk, to be broken.
func Header(p uintptr) *uint64 { return word(p - 8) }

// Link returns the first word of a freed chunk, to be broken.
func Link(p uintptr) *uintptr { return (*uintptr)(osmem.At(p)) }

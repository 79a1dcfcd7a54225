package conformance

import (
	"strings"
	"testing"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Breaks: each thing that a check compares, broken by itself.
//
// Invariant: what was broken is as before when the check was asked, so that the
// subject's end is that of any other.
//
// Cost: some milliseconds each.

// Break is one way to break what a core holds.
type Break struct {
	Name  string
	Words string // of what is to be reported
	// Do breaks it, and answers the block or the chunk that is to be named, 0 when
	// none is.
	Do func(b *Broken) (at uintptr)
}

// Broken is a core that a Break breaks.
type Broken struct {
	*testing.T
	C       *kind.Core
	Methods kind.Methods
	Chunks  []uintptr // live ones, in the order of their sale
	undo    []func()
}

// Overwrite writes a word until the check was asked.
func Overwrite[T any](b *Broken, p *T, v T) {
	old := *p
	*p = v
	b.Undo(func() { *p = old })
}

// Undo has something done when the check was asked.
func (b *Broken) Undo(f func()) { b.undo = append(b.undo, f) }

// restore undoes what was overwritten, the latest first.
func (b *Broken) restore() {
	for i := len(b.undo) - 1; i >= 0; i-- {
		b.undo[i]()
	}
	b.undo = nil
}

// Alloc sells a chunk.
func (b *Broken) Alloc(size uintptr) uintptr {
	b.Helper()
	p, err := b.Methods.Alloc(b.C, size)
	if err != nil {
		b.Fatal(err)
	}
	b.Chunks = append(b.Chunks, p)
	return p
}

// Shared is the block on the list of blocks that so many others stand before.
func (b *Broken) Shared(n int) *kind.Block { return b.nth(b.C.Blocks, n) }

// Large is the same on the other list.
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

// Nowhere is an address of ours at which no block begins.
func (b *Broken) Nowhere() uintptr { return b.C.Blocks + block.LeastFrame/2 }

// RunBreaks breaks a core, as fill left it, in each of the ways, and wants the check
// to say so.
func RunBreaks(t *testing.T, k Kind, fill func(b *Broken), breaks []Break) {
	for _, one := range breaks {
		t.Run(one.Name, func(t *testing.T) {
			s := newSubject(t, k, 1<<10, 8<<10)
			defer s.close()
			b := &Broken{T: t, C: s.c, Methods: s.Methods}
			fill(b)
			s.consistent()
			defer b.restore() // should Do skip
			at := one.Do(b)
			var found []kind.Flaw
			s.Methods.Check(s.c, func(f kind.Flaw) { found = append(found, f) })
			b.restore()
			if !reported(found, one.Words, at) {
				t.Errorf("the check says\n%+v\nand not of %#x %q", found, at, one.Words)
			}
			s.consistent()
		})
	}
}

func reported(found []kind.Flaw, words string, at uintptr) bool {
	for _, f := range found {
		if strings.Contains(f.Reason, words) && (at == 0 || f.Block == at || f.Chunk == at) {
			return true
		}
	}
	return false
}

// Common are the breaks of what all kinds share. They need three blocks for many
// chunks.
var Common = []Break{
	{"the number in the stamp", "not one of this core", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Cookie, b.C.Cookie^1<<38)
		return 0
	}},
	{"the low bits of the stamp", "not one of this core", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Cookie, b.C.Cookie|1)
		return 0
	}},
	{"the list begins nowhere", "where no block begins", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Blocks, 0xdead0)
		return 0
	}},
	{"the list leads into a block", "where no block begins", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(0).Next, b.Nowhere())
		return b.C.Blocks
	}},
	{"the list leads to others' memory", "where no block begins", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Next, ^uintptr(0)-7)
		return b.Shared(1).Address()
	}},
	{"the list is a circle", "where a list came by already", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(2).Next, b.Shared(1).Address())
		return b.Shared(2).Address()
	}},
	{"a block does not lead back", "and the block says from", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Prev, 0)
		return b.Shared(1).Address()
	}},
	{"a block of another core", "and its head says that it is of core 77", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Owner, 77)
		return b.Shared(1).Address()
	}},
	{"a block too large", "and the warehouse sold", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Size, b.Shared(1).Size+block.LeastFrame)
		return b.Shared(1).Address()
	}},
	{"a block too small", "and the warehouse sold", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Size, 0)
		return b.Shared(1).Address()
	}},
	{"a block said to be one chunk's", "and its head says that it is one large chunk's", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Dedicated, 1)
		return b.Shared(1).Address()
	}},
	{"a block said to have room", "and the warehouse sold", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(1).Dedicated, 1000)
		return b.Shared(1).Address()
	}},
	{"a block is on no list", "bytes, and the accounts say", func(b *Broken) uintptr {
		Overwrite(b, &b.Shared(2).Prev, b.C.Blocks)
		Overwrite(b, &b.Shared(0).Next, b.Shared(2).Address())
		return 0
	}},
	{"the account of bytes", "bytes, and the accounts say", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Total, b.C.Total+8)
		return 0
	}},
	{"the number of blocks", "blocks, and the accounts say", func(b *Broken) uintptr {
		Overwrite(b, &b.C.BlockCount, b.C.BlockCount-1)
		return 0
	}},
	{"the tag", "the tag of new chunks is", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Prefix, b.C.Prefix^1<<20)
		return 0
	}},
	{"a reset would find nothing to sell", "that a reset has nothing to sell", func(b *Broken) uintptr {
		Overwrite(b, &b.C.NeedsReset, 0)
		return 0
	}},
	{"a freelist nobody knows", "it has no freelists", func(b *Broken) uintptr {
		Overwrite(b, b.C.FreeList(7), b.Chunks[0])
		Overwrite(b, &b.C.Dirty, 0)
		return b.Chunks[0]
	}},
	{"a word nobody knows", "its kind keeps nothing in it", func(b *Broken) uintptr {
		Overwrite(b, &kind.Private[[16]uint64](b.C)[15], 1)
		Overwrite(b, &b.C.Dirty, 0)
		return 0
	}},
}

// Selling are the breaks of what a core says of the block that it sells from, which a
// Slab does not.
var Current = []Break{
	{"sells from another place", "and the core sells from", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Cur, b.Shared(1).Address())
		return b.C.Blocks
	}},
	{"sells beyond the end", "and the core sells from", func(b *Broken) uintptr {
		Overwrite(b, &b.C.End, b.C.End+8)
		return b.C.Blocks
	}},
	{"sold beyond the end", "and the core sells from", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Cur, b.C.End+8)
		return b.C.Blocks
	}},
	{"sells from between", "and the core sells from", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Cur, b.C.Cur-1)
		return b.C.Blocks
	}},
	{"sells without a block", "there is no block to sell from", func(b *Broken) uintptr {
		Overwrite(b, &b.C.Blocks, 0)
		return 0
	}},
}

// Alone are the breaks of large chunks, and of aligned ones.
var Large = []Break{
	{"a large block said to be shared", "and its head says that chunks share it", func(b *Broken) uintptr {
		Overwrite(b, &b.Large(1).Dedicated, 0)
		return b.Large(1).Address()
	}},
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
		Overwrite(b, word(q-16), 0)
		return q
	}},
	{"room for less than there is", "and the warehouse sold", func(b *Broken) uintptr {
		large := b.Large(0)
		Overwrite(b, &large.Size, large.Size+1)
		return large.Address()
	}},
}

// Roomy are the breaks of a large chunk that has room to grow, where that can be.
var Growable = []Break{
	{"a block larger than its room", "and the warehouse sold", func(b *Broken) uintptr {
		large := b.roomy()
		Overwrite(b, &large.Size, block.Extent(large.Address())+block.LeastFrame)
		return large.Address()
	}},
	{"a roomy block of no size", "and the warehouse sold", func(b *Broken) uintptr {
		large := b.roomy()
		Overwrite(b, &large.Size, 0)
		return large.Address()
	}},
	{"a roomy block of part of a unit", "and the warehouse sold", func(b *Broken) uintptr {
		large := b.roomy()
		Overwrite(b, &large.Size, large.Size-8)
		return large.Address()
	}},
	{"another room", "and the warehouse sold", func(b *Broken) uintptr {
		large := b.roomy()
		Overwrite(b, &large.Dedicated, large.Dedicated+1)
		return large.Address()
	}},
}

// roomy is the block of a chunk that grew.
func (b *Broken) roomy() *kind.Block {
	b.Helper()
	p := b.Alloc(64)
	if _, err := kind.Realloc(b.Methods, b.C, p, chunk.Header(p)^b.C.Cookie, 20_000); err != nil {
		b.Fatal(err)
	}
	if b.Large(0).Dedicated == 1 {
		b.Skip("no block has room here")
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

// word is the word at an address.
func word(p uintptr) *uint64 { return (*uint64)(osmem.At(p)) }

// Header is the word in front of a chunk, to be broken.
func Header(p uintptr) *uint64 { return word(p - 8) }

// Link is the first word of a freed chunk, to be broken.
func Link(p uintptr) *uintptr { return (*uintptr)(osmem.At(p)) }

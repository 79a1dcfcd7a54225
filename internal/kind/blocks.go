package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/osmem"
)

// Block is the head of a block, inside it. Kinds that need more embed it first.
//
// Invariant: it begins at the address that block.Find returns for every chunk cut from
// the block. Owner is the number of the node on whose list the block is.
type Block struct {
	Next, Prev uintptr // neighbours on the owner's list, 0 at the ends
	Size       uintptr // of the whole block in bytes, as the page heap has it
	Owner      uint32
	Dedicated  uint32 // not 0: the block holds one large chunk, see large.go
}

// BlockHeader is the size of a Block in bytes, the same on every machine, so that
// statistics are, too.
const BlockHeader = 32

var _ [BlockHeader - unsafe.Sizeof(Block{})]byte // a Block fits

// BlockAt returns the head of the block at an address.
func BlockAt(addr uintptr) *Block { return (*Block)(osmem.At(addr)) } // blocks begin with one

// Address returns where the block begins.
func (b *Block) Address() uintptr { return uintptr(unsafe.Pointer(b)) } // off-heap, or never freed

// End returns the address behind the block.
func (b *Block) End() uintptr { return b.Address() + b.Size }

// Acquire gets a block of at least size bytes for the node. It is on no list yet.
func (c *Core) Acquire(size uintptr) (*Block, error) {
	if c.isAlone() {
		if c.NeedsReset&acquiring != 0 {
			return nil, TwoAcquire
		}
		c.NeedsReset |= acquiring
		addr, got, err := block.Acquire(size)
		c.NeedsReset &^= acquiring
		if err != nil {
			return nil, err
		}
		c.account(c, got, 1)
		return c.head(addr, got), nil
	}
	return c.acquire(block.RoundUp(size), func() (addr, got uintptr, err error) { return block.Acquire(size) })
}

// acquire gets a block of at most the reserved bytes from a function of the page heap.
func (c *Core) acquire(reserved uintptr, from func() (addr, got uintptr, err error)) (*Block, error) {
	if c.NeedsReset&acquiring != 0 {
		return nil, TwoAcquire
	}
	p, err := c.reserve(reserved)
	if err != nil {
		return nil, err
	}
	c.NeedsReset |= acquiring
	addr, got, err := from()
	c.NeedsReset &^= acquiring
	if err != nil {
		c.cancel(p)
		return nil, err
	}
	return c.adopt(p, addr, got), nil
}

// adopt makes memory that was just acquired for the owner a block of the node.
func (c *Core) adopt(p *Core, addr, size uintptr) *Block {
	b := c.head(addr, size)
	c.charge(p, size, 1)
	return b
}

// head writes the head of a block of the node, and returns it.
func (c *Core) head(addr, size uintptr) *Block {
	b := BlockAt(addr)
	*b = Block{Size: size, Owner: c.Number()}
	return b
}

// AcquireShared gets a block for many chunks, the first of which needs need bytes, the
// head of the block included. The block has at most most bytes unless need is more. When
// the system refuses, it asks for less.
func (c *Core) AcquireShared(need, most uintptr) (*Block, error) {
	size := c.nextShared(need, most)
	b, err := c.Acquire(size)
	for err != nil && size > need {
		size = max(size/2, need)
		b, err = c.Acquire(size)
	}
	return b, err
}

// Release gives a block that is on no list back to the page heap.
func (c *Core) Release(b *Block) {
	if b.Owner != c.Number() { // nothing that the head says is true
		Damaged(c, b.Address())
		return
	}
	c.uncharge(b.Size)
	block.ReleaseGrowable(b.Address(), b.Size, b.capacity())
}

// Link puts a block at the head of a list.
func Link(list *uintptr, b *Block) {
	b.Prev, b.Next = 0, *list
	if b.Next != 0 {
		BlockAt(b.Next).Prev = b.Address()
	}
	*list = b.Address()
}

// Unlink takes a block off its list.
func Unlink(list *uintptr, b *Block) {
	if b.Next != 0 {
		BlockAt(b.Next).Prev = b.Prev
	}
	if b.Prev != 0 {
		BlockAt(b.Prev).Next = b.Next
	} else {
		*list = b.Next
	}
}

// BlockOf returns the block that the chunk at p was cut from if that is the node's, else
// nil.
func (c *Core) BlockOf(p uintptr) *Block {
	addr, ok := block.Find(p)
	if !ok {
		return nil
	}
	if b := BlockAt(addr); b.Owner == c.Number() {
		return b
	}
	return nil
}

// PeekBlock returns the block that a list of the node leads to, while its owner may be
// at work; nil at the end, or when the block is no longer the node's. The race detector does
// not look at that. Any goroutine.
//
//go:norace
func (c *Core) PeekBlock(list *uintptr) *Block {
	addr := *list
	if !block.Readable(addr) || BlockAt(addr).Owner != c.Number() {
		return nil
	}
	return BlockAt(addr)
}

// plausible reports whether a list can be followed to an address. It cannot if the head of the block
// or the freed chunk from which it comes was overwritten.
func plausible(addr uintptr) bool { return block.InFirstRegion(addr) || block.Readable(addr) }

// Owns returns nil if the head of a block of the node says that it is the node's, else a Misuse: it was
// overwritten.
func (c *Core) Owns(b *Block) error {
	if b.Owner == c.Number() {
		return nil
	}
	return headOverwritten(b.Address())
}

// Damaged is told of a block of a node whose head was overwritten, or of the address to which it
// leads. What is on its list is lost. Package checked sets it.
var Damaged func(c *Core, addr uintptr)

// Overwritten is told of an address to which a free list of a node leads, where no freed chunk of the
// list is. What is on the list from there on is lost. Package checked sets it.
var Overwritten func(c *Core, addr uintptr)

// releaseList releases all blocks of a list but one.
func (c *Core) releaseList(list uintptr, but uintptr) {
	for addr := list; addr != 0; {
		if !plausible(addr) {
			Damaged(c, addr)
			return
		}
		b := BlockAt(addr)
		addr = b.Next
		if b.Address() != but {
			c.Release(b)
		}
	}
}

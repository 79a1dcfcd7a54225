package kind

import "github.com/gopalloc/palloc/internal/chunk"

// Layouts: what lies in each block of a context, in order.
//
// Invariant: the parts of a block touch each other, from its first byte to its last. A layout
// follows only what an inspection does; what it cannot read up to the end of a block is one part.
//
// Cost: that of an inspection, and a step for each chunk.

// A Use is what a part of a block serves for.
type Use string

// The uses of parts. Programs see them by these names.
const (
	UseHead   Use = "head"   // the head of the block
	UseLive   Use = "live"   // a chunk with its header; without headers, all chunks that follow each other
	UseFreed  Use = "freed"  // a freed chunk, which waits for a request of its size
	UseJoined Use = "joined" // freed chunks that were joined, for any request that fits
	UseUnused Use = "unused" // the part from which the next chunks are cut
	UseLost   Use = "lost"   // too small for a chunk
	UseUnread Use = "unread" // its headers were overwritten
)

// A Part is some bytes of a block that serve for one thing.
type Part struct {
	Use  Use
	Size uintptr // with the header, if it has one
}

// BlockLayout is what lies in a block.
type BlockLayout struct {
	Size  uintptr
	Large bool // the block has one large chunk
	Parts []Part
}

// add adds a part behind the others, a part of nothing not at all.
func (l *BlockLayout) add(u Use, size uintptr) {
	if size != 0 {
		l.Parts = append(l.Parts, Part{u, size})
	}
}

// LayOut reports the layout of each block of the node, the current one first. Blocks that chunks
// share have heads of head bytes; behind these, part returns what begins at an address, of at
// most the size left of the block, and nothing where it cannot tell.
func LayOut(c *Core, head uintptr, part func(b *Block, addr uintptr) Part, report func(BlockLayout)) {
	x := Inspect(c, func(Flaw) {})
	if x == nil {
		return
	}
	for _, b := range append(x.List("blocks", c.Blocks), x.List("large blocks", c.Large)...) {
		l := BlockLayout{Size: b.Size, Large: b.Dedicated != 0}
		if l.Large {
			l.add(UseHead, BlockHeader)
			l.add(UseLive, b.Size-BlockHeader)
		} else {
			l.walk(c, b, head, part)
		}
		report(l)
	}
}

// walk adds the parts of a block that chunks share.
func (l *BlockLayout) walk(c *Core, b *Block, head uintptr, part func(b *Block, addr uintptr) Part) {
	head = min(head, b.Size)
	l.add(UseHead, head)
	for at := b.Address() + head; at < b.End(); {
		p := Part{UseUnused, c.End - c.Cur}
		if at != c.Cur || c.End <= at {
			p = part(b, at)
		}
		if p.Size == 0 || p.Size > b.End()-at || p.Size%chunk.Align != 0 {
			p = Part{UseUnread, b.End() - at}
		}
		l.add(p.Use, p.Size)
		at += p.Size
	}
}

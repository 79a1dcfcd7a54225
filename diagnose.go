package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Addresses that callers give: whose they are, and what is wrong with them.
//
// Invariant: an address is followed only where memory of ours is committed, and
// a core only where its stamp agrees with the header.
//
// Cost: none for correct programs beyond the hot path; a fault may take its time
// to say what happened.

// chunkAt is the core of the chunk at p and what its header says. It panics when
// there is no such chunk.
func chunkAt(op string, p uintptr) (c *kind.Core, what uint64) {
	if !block.Known(p) {
		panic(strangerFault(op, p))
	}
	h := chunk.Header(p)
	c = kind.At(chunk.Index(h))
	if h^c.Cookie >= chunk.Whats || c.Kind() == kind.None {
		panic(headerFault(op, p, h))
	}
	return c, h ^ c.Cookie
}

// strangerFault is about an address outside of what contexts sell.
func strangerFault(op string, p uintptr) *Fault {
	f := &Fault{Op: op, Address: p}
	switch {
	case p == 0:
		f.Reason = "the pointer is nil"
	case block.Known(p &^ (chunk.Align - 1)):
		f.Reason = fmt.Sprintf("the address is not the start of a chunk: it is not a multiple of %d", chunk.Align)
	default:
		f.Reason = "the address belongs to no context: it is Go's heap, a stack, or someone else's memory"
	}
	return f
}

// headerFault is about an address of ours with no genuine header before it.
func headerFault(op string, p uintptr, h uint64) *Fault {
	owner := ownerOf(p)
	if owner == nil {
		return &Fault{Op: op, Address: p,
			Reason: "no context holds this memory: the chunk was freed with its block, or its context reset or deleted"}
	}
	m := kinds.Methods[owner.Kind()]
	near, inside := whereabouts(m, owner, p)
	tree.Lock()
	defer tree.Unlock()
	f := (&Fault{Op: op, Address: p}).in(owner)
	switch {
	case m == nil:
		f.Context = kind.Slot[core](owner).nameText()
		f.Reason = "the chunk's context was deleted"
	case !m.Traits().Headers:
		f.Reason = string(kind.Headerless(m))
	case m.Freed(h ^ owner.Cookie):
		f.Reason = "the chunk is already free, and joined with what is free around it"
	case chunk.Index(h) == owner.Number():
		f.Reason = "the address is not the start of a live chunk: what was there was taken back when its context was reset"
		if inside {
			f.Reason += near
		}
	default:
		f.Reason = fmt.Sprintf("the address is not the start of a live chunk: no header of this context before it (%#016x)%s", h, near)
	}
	return f
}

// whereabouts says what the headers around an address tell, beginning with a comma, or
// nothing; and whether it lies inside of a chunk.
func whereabouts(m kind.Methods, c *kind.Core, p uintptr) (near string, inside bool) {
	at, size := kind.Around(m, c, p)
	switch {
	case size == 0:
		return "", false
	case p < at+size:
		return fmt.Sprintf(", which is %d bytes inside of the chunk at %#x, of %d bytes", p-at, at, size), true
	case p == at+size+chunk.HeaderSize:
		return fmt.Sprintf(": it may have been overwritten, from the chunk at %#x, whose %d bytes end before it", at, size), false
	}
	return fmt.Sprintf(": headers may have been overwritten, behind the chunk at %#x, of %d bytes", at, size), false
}

// in adds which context it is about: that of a core. The tree's lock must be held.
func (f *Fault) in(c *kind.Core) *Fault {
	c = c.Owner()
	f.Context = pathOf(c)
	if id := c.Kind(); id != kind.None {
		f.Kind, f.Ident = kindIn(relaxed.Load64(&c.Epoch)), kind.Slot[core](c).ident()
	}
	return f
}

// ownerOf is the core whose block holds p, nil when none does, or the block's head
// names none.
func ownerOf(p uintptr) *kind.Core {
	addr, ok := block.Find(p)
	if !ok || !kind.IsOpened(kind.BlockAt(addr).Owner) {
		return nil
	}
	return kind.At(kind.BlockAt(addr).Owner)
}

// chunkFault is a kind's refusal to treat the address as its chunk.
func chunkFault(op string, c *kind.Core, p uintptr, err error) *Fault {
	if owner := ownerOf(p); owner != nil && owner != c {
		return headerFault(op, p, 0)
	}
	reason := err.Error()
	m := kinds.Methods[c.Kind()]
	near, _ := whereabouts(m, c, p)
	if what := chunk.Header(p) ^ c.Cookie; err == kind.NotAChunk || m != nil && err == kind.TagFault(m, what) && !kind.SaysFreed(m, c, p, what) {
		reason = fmt.Sprintf("%s: the header before it is no chunk's (%#016x)%s", kind.NotAChunk, chunk.Header(p), near)
	}
	tree.Lock()
	defer tree.Unlock()
	return (&Fault{Op: op, Address: p, Reason: reason}).in(c)
}

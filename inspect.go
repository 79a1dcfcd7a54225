package palloc

import (
	"fmt"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/tree"
)

// Chunks by their pointer: their size and context; and the Fault about an address that is
// no live chunk, with what it is instead.
//
// Invariant: an address is followed only in committed memory of the page heap, and a node
// only if its cookie agrees with the header.
//
// Cost: that of a free, without the free. A Fault may take long, to find out what happened.

// UsableSize returns how many bytes of the chunk at p may be used: at least the size
// requested, and more where that was rounded up. Realloc to at most that size leaves a
// chunk of up to 8 KiB in place. It panics with a *Fault when p is nil, is not the start of
// a live chunk, or is in a Bump. Owner only.
func UsableSize(p unsafe.Pointer) int {
	_, usable, _ := measure("UsableSize", uintptr(p)) // a number, to be looked up
	return int(usable)
}

// Footprint returns how many bytes of its context's blocks the chunk at p takes: the usable
// bytes, the 8 of its header, and, for a chunk of AllocAligned that is not cut as others are
// (see there), the gap before it. A chunk
// with a block of its own takes the whole block, with its head and rounding: up to a sixth
// more than requested, and for a power of two up to an eighth. Stats.Held falls by that when
// the chunk is freed. Address space into which a large chunk may still grow does not count.
// It panics as UsableSize does. Owner only.
//
// PostgreSQL: GetMemoryChunkSpace, without the head of a block.
func Footprint(p unsafe.Pointer) int {
	_, _, taken := measure("Footprint", uintptr(p))
	return int(taken)
}

// ContextOf returns the context of the chunk at p. It panics as UsableSize does: the
// context of a Bump's chunk is not recorded. Owner only.
//
// PostgreSQL: GetMemoryChunkContext.
func ContextOf(p unsafe.Pointer) Context {
	c, _, _ := measure("ContextOf", uintptr(p))
	return Context{tree.RefOf(c.Owner())}
}

// measure returns the node of the chunk at p, its usable bytes, and the bytes that it
// takes. It panics when there is no live chunk.
func measure(op string, p uintptr) (c *kind.Core, usable, taken uintptr) {
	c, tag := chunkAt(op, p)
	usable, taken, err := kind.Measure(methodsAt(c, p), c, p, tag)
	if err != nil {
		panic(chunkFault(op, c, p, err))
	}
	if usable == 1 && checked.Owns(p) { // which it is for a chunk of no bytes, too
		_, usable, _ = checked.Capacity(p)
	}
	return c, usable, taken
}

// chunkAt returns the node of the chunk at p and the tag bits of its header. It panics
// when there is no such chunk.
func chunkAt(op string, p uintptr) (c *kind.Core, tag uint64) {
	if checked.Owns(p) {
		return checkedAt(op, p)
	}
	if !block.Readable(p) {
		panic(foreignFault(op, p))
	}
	h := chunk.Header(p)
	c = kind.At(chunk.Index(h))
	if h^c.Cookie >= chunk.TagLimit || c.Kind() == kind.None {
		panic(headerFault(op, p, h))
	}
	return c, h ^ c.Cookie
}

// methodsAt returns the methods for the chunk at p of a node. A guarded chunk of an ordinary context
// has those of checked ones.
func methodsAt(c *kind.Core, p uintptr) kind.Methods {
	m := kinds.Methods[c.Kind()]
	if checked.Owns(p) && !checked.Is(c.Kind()) {
		return &checked.Methods{For: m}
	}
	return m
}

// checkedAt is chunkAt for an address in the memory of checked contexts.
func checkedAt(op string, p uintptr) (c *kind.Core, tag uint64) {
	c, err := checked.Chunk(p)
	if err != nil {
		panic(chunkFault(op, c, p, err))
	}
	return c, checked.Live
}

// foreignFault returns the Fault about an address outside of all blocks.
func foreignFault(op string, p uintptr) *Fault {
	f := &Fault{Op: op, Address: p, Mistake: BadPointer}
	switch {
	case p == 0:
		f.Reason = "the pointer is nil"
	case block.Readable(p &^ (chunk.Align - 1)):
		f.Reason = fmt.Sprintf("the address is not the start of a chunk: it must be a multiple of %d", chunk.Align)
	default:
		f.Reason = "the address belongs to no context: it is on Go's heap, on a stack, in static data, or foreign memory"
	}
	return raise(f)
}

// headerFault returns the Fault about an address in a block without a valid header before
// it.
func headerFault(op string, p uintptr, h uint64) *Fault { return raise(unheaded(op, p, h)) }

// unheaded is headerFault without the report.
func unheaded(op string, p uintptr, h uint64) *Fault {
	owner := ownerOf(p)
	if owner == nil {
		return &Fault{Op: op, Address: p, Mistake: StalePointer,
			Reason: "no context holds this memory: the chunk was freed with its block, or its context was reset or deleted"}
	}
	m := kinds.Methods[owner.Kind()]
	near, inside := whereabouts(m, owner, p)
	tree.Lock()
	defer tree.Unlock()
	f := (&Fault{Op: op, Address: p, Mistake: BadPointer}).in(owner)
	switch {
	case m == nil:
		f.Context = kind.Slot[tree.Node](owner).Name()
		f.Mistake, f.Reason = StalePointer, "the chunk's context was deleted"
	case !m.Traits().Headers:
		f.Reason = string(kind.Headerless(m))
	case m.Freed(h ^ owner.Cookie):
		f.Mistake, f.Reason = DoubleFree, "the chunk is already free, and was joined with the free chunks around it"
	case chunk.Index(h) == owner.Number():
		f.Mistake, f.Reason = StalePointer, "the address is not the start of a live chunk: what was there was taken back when its context was reset"
		if inside {
			f.Reason += near
		}
	default:
		f.Reason = fmt.Sprintf("the address is not the start of a live chunk: the 8 bytes before it are no header of this context (%#016x)%s", h, near)
	}
	return f
}

// whereabouts returns what the headers around an address tell, as the end of a sentence, ""
// for nothing; inside reports whether the address is inside of a chunk.
func whereabouts(m kind.Methods, c *kind.Core, p uintptr) (near string, inside bool) {
	at, size := kind.Around(m, c, p)
	switch {
	case size == 0:
		return "", false
	case p < at+size:
		return fmt.Sprintf("; the address is %d bytes inside of the chunk at %#x, of %d bytes", p-at, at, size), true
	case p == at+size+chunk.HeaderSize:
		return fmt.Sprintf(": it may have been overwritten, from the chunk at %#x, whose %d bytes end before it", at, size), false
	}
	return fmt.Sprintf(": headers may have been overwritten, behind the chunk at %#x, of %d bytes", at, size), false
}

// ownerOf returns the node whose block contains p, nil if none does or the block's head
// names none.
func ownerOf(p uintptr) *kind.Core {
	addr, ok := block.Find(p)
	if !ok || !kind.IsOpened(kind.BlockAt(addr).Owner) {
		return nil
	}
	return kind.At(kind.BlockAt(addr).Owner)
}

// chunkFault returns the Fault about an address at which a kind finds no chunk of its own.
func chunkFault(op string, c *kind.Core, p uintptr, err error) *Fault {
	return raise(unfit(op, c, p, err))
}

// unfit is chunkFault without the report.
func unfit(op string, c *kind.Core, p uintptr, err error) *Fault {
	if x, ok := err.(*checked.Finding); ok {
		f := faultOf(op, x)
		f.Address = p
		return f
	}
	if checked.Owns(p) {
		tree.Lock()
		defer tree.Unlock()
		return (&Fault{Op: op, Address: p, Reason: err.Error()}).in(c)
	}
	if owner := ownerOf(p); owner != nil && owner != c {
		return unheaded(op, p, 0)
	}
	reason, mistake := err.Error(), Misuse
	if err == kind.AlreadyFree {
		mistake = DoubleFree
	}
	m := kinds.Methods[c.Kind()]
	near, _ := whereabouts(m, c, p)
	if tag := chunk.Header(p) ^ c.Cookie; err == kind.NotAChunk || m != nil && err == kind.TagFault(m, tag) && !kind.SaysFreed(m, c, p, tag) {
		mistake = BadPointer
		reason = fmt.Sprintf("%s: the header before it is no chunk's (%#016x)%s", kind.NotAChunk, chunk.Header(p), near)
	}
	tree.Lock()
	defer tree.Unlock()
	return (&Fault{Op: op, Address: p, Reason: reason, Mistake: mistake}).in(c)
}

package trace

import "fmt"

// The builder: appends op after op to a trace, and refuses an op that no program can
// have made.
//
// It keeps what is live: the chunks, each in a slot and on the list of its
// context, and the tree of contexts. The reader and the Recorder both append
// through it, so a Trace in memory is valid by construction.
//
// Invariant: the chunks of a deleted context are dead; bytes and live are the sums
// over live chunks. Cost: constant for each op, plus one step for each chunk and
// context that it ends, plus the depth of the tree for a SETPARENT.

// The limits of the format, and those that keep a trace in 32-bit indexes.
const (
	maxSize  = 1<<46 - 1 // bytes of one chunk
	maxCount = 1<<31 - 1 // ops, chunks, contexts, strings
	maxBytes = 1<<62 - 1 // bytes of all live chunks together
)

// liveChunk is the chunk in a slot.
type liveChunk struct {
	size       int64
	id         uint32
	mc         uint32
	prev, next uint32 // slots of the same context; None where there is none
}

// contextState is a context, without its links.
type contextState struct {
	first uint32 // slot of its newest chunk, or None
	alive bool
}

type builder struct {
	t        *Trace
	chunks   []liveChunk
	vacant   []uint32 // slots without a chunk, the latest last
	slotOf   []uint32 // by chunk number; None when the chunk is dead
	contexts []contextState
	family   family
	live     int
	bytes    int64
}

func newBuilder() *builder {
	return &builder{t: &Trace{deaths: make([]death, 1)}}
}

// append adds an op that has been carried out, and counts.
func (b *builder) append(o Op) {
	t := b.t
	t.ops = append(t.ops, o)
	t.counts.Ops++
	t.kinds[o.Code()]++
	t.counts.MaxLive = max(t.counts.MaxLive, b.live)
	if b.bytes > t.counts.PeakBytes {
		t.counts.PeakBytes, t.peakOps = b.bytes, t.counts.Ops
	}
}

func (b *builder) create(parent uint32, d definition) error {
	if err := b.checkDefinition(d); err != nil {
		return err
	}
	if parent != None {
		if err := b.checkContext(parent, "parent"); err != nil {
			return err
		}
	}
	mc := uint32(len(b.contexts))
	b.t.contexts = append(b.t.contexts, d)
	b.t.counts.Contexts++
	b.contexts = append(b.contexts, contextState{first: None, alive: true})
	b.family = append(b.family, links{first: None})
	b.family.link(mc, parent)
	b.append(newOp(OpCreate, 0, 0, mc, parent))
	return nil
}

func (b *builder) alloc(mc uint32, size int64, flags Flags) error {
	if err := b.checkContext(mc, "context"); err != nil {
		return err
	}
	if err := b.checkSize(size, size); err != nil {
		return err
	}
	if d := &b.t.contexts[mc]; d.kind == Slab && size != d.chunkSize() {
		return fmt.Errorf("%d bytes in context %d, a Slab of chunks of %d bytes only", size, mc, d.chunkSize())
	}
	slot := b.occupy(liveChunk{size: size, id: uint32(len(b.slotOf)), mc: mc})
	b.slotOf = append(b.slotOf, slot)
	b.t.counts.Allocs++
	b.bytes += size
	b.t.largest = max(b.t.largest, size)
	b.append(newOp(OpAlloc, flags, size, mc, slot))
	return nil
}

func (b *builder) free(id uint32) error {
	slot, err := b.checkChunk(id)
	if err != nil {
		return err
	}
	mc := b.chunks[slot].mc
	b.unchain(slot)
	b.vacate(slot)
	b.append(newOp(OpFree, 0, 0, mc, slot))
	return nil
}

func (b *builder) realloc(id uint32, size int64, flags Flags) error {
	slot, err := b.checkChunk(id)
	if err != nil {
		return err
	}
	h := &b.chunks[slot]
	if err := b.checkSize(size, size-h.size); err != nil {
		return err
	}
	if b.t.contexts[h.mc].kind == Slab {
		return fmt.Errorf("chunk %d lies in context %d, a Slab, whose chunks cannot be resized", id, h.mc)
	}
	b.t.resizes = append(b.t.resizes, resize{old: h.size, mc: h.mc})
	b.bytes += size - h.size
	h.size = size
	b.t.largest = max(b.t.largest, size)
	index := uint32(len(b.t.resizes) - 1)
	b.append(newOp(OpRealloc, flags, size, index, slot))
	return nil
}

// release carries out any of the resets and deletes.
func (b *builder) release(code Code, mc uint32, flags Flags) error {
	if err := b.checkContext(mc, "context"); err != nil {
		return err
	}
	if flags&NoOp != 0 && (b.family[mc].first != None || b.contexts[mc].first != None) {
		return fmt.Errorf("marked as having nothing to do, but context %d has a child or a live chunk", mc)
	}
	if code != OpResetOnly {
		b.releaseDescendants(mc, code != OpResetChildren)
	}
	if code == OpReset || code == OpResetOnly || code == OpDelete {
		b.drain(mc)
	}
	if code == OpDelete {
		b.family.unlink(mc)
		b.endContext(mc)
	}
	t := b.t
	t.deaths = append(t.deaths, death{uint32(len(t.deadSlots)), uint32(len(t.deadContexts))})
	b.append(newOp(code, flags, 0, mc, uint32(len(t.deaths)-2)))
	return nil
}

func (b *builder) releaseDescendants(mc uint32, die bool) {
	b.family.descendants(mc, func(child uint32) {
		b.drain(child)
		if die {
			b.endContext(child)
		}
	})
	if die {
		b.family[mc].first = None
	}
}

func (b *builder) setParent(mc, parent uint32) error {
	if err := b.checkContext(mc, "context"); err != nil {
		return err
	}
	if parent != None {
		if err := b.checkContext(parent, "parent"); err != nil {
			return err
		}
		if b.family.descends(parent, mc) {
			return fmt.Errorf("context %d cannot move under context %d, which is itself or its descendant", mc, parent)
		}
	}
	b.family.unlink(mc)
	b.family.link(mc, parent)
	b.append(newOp(OpSetParent, 0, 0, mc, parent))
	return nil
}

// setIdent appends that the context has string number ident, or None, as its ident.
func (b *builder) setIdent(mc, ident uint32) error {
	if ident != None && int64(ident) >= int64(b.t.text.len()) {
		return fmt.Errorf("the ident is string %d, but there are %d strings", ident, b.t.text.len())
	}
	return b.note(OpSetIdent, mc, ident, 0)
}

// note appends an op that creates and ends nothing: an ident, a callback, a
// question about memory.
func (b *builder) note(code Code, mc, arg uint32, flags Flags) error {
	if err := b.checkContext(mc, "context"); err != nil {
		return err
	}
	b.append(newOp(code, flags, 0, mc, arg))
	return nil
}

func (b *builder) space(id uint32) error {
	slot, err := b.checkChunk(id)
	if err != nil {
		return err
	}
	return b.note(OpSpace, b.chunks[slot].mc, slot, 0)
}

// drain ends every chunk of the context.
func (b *builder) drain(mc uint32) {
	for slot := b.contexts[mc].first; slot != None; {
		next := b.chunks[slot].next
		b.t.deadSlots = append(b.t.deadSlots, slot)
		b.vacate(slot)
		slot = next
	}
	b.contexts[mc].first = None
}

// endContext marks the context, which has no live chunks, as deleted.
func (b *builder) endContext(mc uint32) {
	b.contexts[mc].alive = false
	b.t.deadContexts = append(b.t.deadContexts, mc)
}

// occupy finds a slot for a new chunk and puts it on the list of its context.
func (b *builder) occupy(h liveChunk) uint32 {
	owner := &b.contexts[h.mc]
	h.prev, h.next = None, owner.first
	slot := uint32(len(b.chunks))
	if n := len(b.vacant); n > 0 {
		slot = b.vacant[n-1]
		b.vacant = b.vacant[:n-1]
		b.chunks[slot] = h
	} else {
		b.chunks = append(b.chunks, h)
	}
	if h.next != None {
		b.chunks[h.next].prev = slot
	}
	owner.first = slot
	b.live++
	return slot
}

// unchain removes a chunk from the list of its context.
func (b *builder) unchain(slot uint32) {
	h := &b.chunks[slot]
	if h.prev == None {
		b.contexts[h.mc].first = h.next
	} else {
		b.chunks[h.prev].next = h.next
	}
	if h.next != None {
		b.chunks[h.next].prev = h.prev
	}
}

// vacate ends a chunk, which is on no list, and makes its slot free.
func (b *builder) vacate(slot uint32) {
	h := &b.chunks[slot]
	b.slotOf[h.id] = None
	b.bytes -= h.size
	b.live--
	b.vacant = append(b.vacant, slot)
}

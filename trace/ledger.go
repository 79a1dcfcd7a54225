package trace

import "fmt"

// The ledger: puts a trace together op by op, and refuses an op that no program
// can have made.
//
// It knows what lives: the chunks, each in a slot and on the list of its
// context, and the contexts with their family. Reader and Recorder both write
// through it, so a Trace in memory is valid by construction.
//
// Invariant: the chunks of a dead context are dead; bytes and live are the sums
// over the living. Cost: constant for each op, plus one step for each chunk and
// context that it ends, plus the depth of the tree for a SETPARENT.

// The limits of the format, and those that keep a trace in 32-bit indexes.
const (
	maxSize  = 1<<46 - 1 // bytes of one chunk
	maxCount = 1<<31 - 1 // ops, chunks, contexts, strings
	maxBytes = 1<<62 - 1 // bytes of all live chunks together
)

// holding is what the ledger knows of the chunk in a slot.
type holding struct {
	size       int64
	id         uint32
	mc         uint32
	prev, next uint32 // slots of the same context; None where there is none
}

// standing is what the ledger knows of a context, beside its family.
type standing struct {
	first uint32 // slot of its newest chunk, or None
	alive bool
}

type ledger struct {
	t        *Trace
	holdings []holding
	vacant   []uint32 // slots of dead chunks, last freed last
	slotOf   []uint32 // by chunk number; None when the chunk is dead
	contexts []standing
	family   family
	live     int
	bytes    int64
}

func newLedger() *ledger {
	return &ledger{t: &Trace{deaths: make([]death, 1)}}
}

// append adds an op that has been carried out, and takes the accounts after it.
func (l *ledger) append(o Op) {
	t := l.t
	t.ops = append(t.ops, o)
	t.counts.Ops++
	t.kinds[o.Code()]++
	t.counts.MaxLive = max(t.counts.MaxLive, l.live)
	if l.bytes > t.counts.PeakBytes {
		t.counts.PeakBytes, t.peakOps = l.bytes, t.counts.Ops
	}
}

func (l *ledger) create(parent uint32, d definition) error {
	if err := l.checkDefinition(d); err != nil {
		return err
	}
	if parent != None {
		if err := l.checkContext(parent, "parent"); err != nil {
			return err
		}
	}
	mc := uint32(len(l.contexts))
	l.t.contexts = append(l.t.contexts, d)
	l.t.counts.Contexts++
	l.contexts = append(l.contexts, standing{first: None, alive: true})
	l.family = append(l.family, kinship{first: None})
	l.family.link(mc, parent)
	l.append(newOp(OpCreate, 0, 0, mc, parent))
	return nil
}

func (l *ledger) alloc(mc uint32, size int64, flags Flags) error {
	if err := l.checkContext(mc, "context"); err != nil {
		return err
	}
	if err := l.checkSize(size, size); err != nil {
		return err
	}
	if d := &l.t.contexts[mc]; d.kind == Slab && size != d.chunkSize() {
		return fmt.Errorf("%d bytes in context %d, a Slab that sells chunks of %d bytes only", size, mc, d.chunkSize())
	}
	slot := l.occupy(holding{size: size, id: uint32(len(l.slotOf)), mc: mc})
	l.slotOf = append(l.slotOf, slot)
	l.t.counts.Allocs++
	l.bytes += size
	l.t.largest = max(l.t.largest, size)
	l.append(newOp(OpAlloc, flags, size, mc, slot))
	return nil
}

func (l *ledger) free(id uint32) error {
	slot, err := l.checkChunk(id)
	if err != nil {
		return err
	}
	mc := l.holdings[slot].mc
	l.unchain(slot)
	l.vacate(slot)
	l.append(newOp(OpFree, 0, 0, mc, slot))
	return nil
}

func (l *ledger) realloc(id uint32, size int64, flags Flags) error {
	slot, err := l.checkChunk(id)
	if err != nil {
		return err
	}
	h := &l.holdings[slot]
	if err := l.checkSize(size, size-h.size); err != nil {
		return err
	}
	if l.t.contexts[h.mc].kind == Slab {
		return fmt.Errorf("chunk %d lies in context %d, a Slab, whose chunks cannot be resized", id, h.mc)
	}
	l.t.resizes = append(l.t.resizes, resize{old: h.size, mc: h.mc})
	l.bytes += size - h.size
	h.size = size
	l.t.largest = max(l.t.largest, size)
	index := uint32(len(l.t.resizes) - 1)
	l.append(newOp(OpRealloc, flags, size, index, slot))
	return nil
}

// release carries out any of the resets and deletes.
func (l *ledger) release(code Code, mc uint32, flags Flags) error {
	if err := l.checkContext(mc, "context"); err != nil {
		return err
	}
	if flags&NoOp != 0 && (l.family[mc].first != None || l.contexts[mc].first != None) {
		return fmt.Errorf("marked as having nothing to do, but context %d has a child or a live chunk", mc)
	}
	if code != OpResetOnly {
		l.releaseDescendants(mc, code != OpResetChildren)
	}
	if code == OpReset || code == OpResetOnly || code == OpDelete {
		l.drain(mc)
	}
	if code == OpDelete {
		l.family.unlink(mc)
		l.bury(mc)
	}
	t := l.t
	t.deaths = append(t.deaths, death{uint32(len(t.deadSlots)), uint32(len(t.deadContexts))})
	l.append(newOp(code, flags, 0, mc, uint32(len(t.deaths)-2)))
	return nil
}

func (l *ledger) releaseDescendants(mc uint32, die bool) {
	l.family.descendants(mc, func(child uint32) {
		l.drain(child)
		if die {
			l.bury(child)
		}
	})
	if die {
		l.family[mc].first = None
	}
}

func (l *ledger) setParent(mc, parent uint32) error {
	if err := l.checkContext(mc, "context"); err != nil {
		return err
	}
	if parent != None {
		if err := l.checkContext(parent, "parent"); err != nil {
			return err
		}
		if l.family.descends(parent, mc) {
			return fmt.Errorf("context %d cannot move under context %d, which is itself or its descendant", mc, parent)
		}
	}
	l.family.unlink(mc)
	l.family.link(mc, parent)
	l.append(newOp(OpSetParent, 0, 0, mc, parent))
	return nil
}

// setIdent records that string number ident, or None, names the context.
func (l *ledger) setIdent(mc, ident uint32) error {
	if ident != None && int64(ident) >= int64(l.t.text.len()) {
		return fmt.Errorf("the ident is string %d, but there are %d strings", ident, l.t.text.len())
	}
	return l.note(OpSetIdent, mc, ident, 0)
}

// note records an op that changes nothing that lives: an ident, a callback, a
// question about memory.
func (l *ledger) note(code Code, mc, arg uint32, flags Flags) error {
	if err := l.checkContext(mc, "context"); err != nil {
		return err
	}
	l.append(newOp(code, flags, 0, mc, arg))
	return nil
}

func (l *ledger) space(id uint32) error {
	slot, err := l.checkChunk(id)
	if err != nil {
		return err
	}
	return l.note(OpSpace, l.holdings[slot].mc, slot, 0)
}

// drain ends every chunk of the context.
func (l *ledger) drain(mc uint32) {
	for slot := l.contexts[mc].first; slot != None; {
		next := l.holdings[slot].next
		l.t.deadSlots = append(l.t.deadSlots, slot)
		l.vacate(slot)
		slot = next
	}
	l.contexts[mc].first = None
}

// bury ends the context, whose chunks are dead already.
func (l *ledger) bury(mc uint32) {
	l.contexts[mc].alive = false
	l.t.deadContexts = append(l.t.deadContexts, mc)
}

// occupy finds a slot for a new chunk and puts it on the list of its context.
func (l *ledger) occupy(h holding) uint32 {
	owner := &l.contexts[h.mc]
	h.prev, h.next = None, owner.first
	slot := uint32(len(l.holdings))
	if n := len(l.vacant); n > 0 {
		slot = l.vacant[n-1]
		l.vacant = l.vacant[:n-1]
		l.holdings[slot] = h
	} else {
		l.holdings = append(l.holdings, h)
	}
	if h.next != None {
		l.holdings[h.next].prev = slot
	}
	owner.first = slot
	l.live++
	return slot
}

// unchain takes a chunk off the list of its context.
func (l *ledger) unchain(slot uint32) {
	h := &l.holdings[slot]
	if h.prev == None {
		l.contexts[h.mc].first = h.next
	} else {
		l.holdings[h.prev].next = h.next
	}
	if h.next != None {
		l.holdings[h.next].prev = h.prev
	}
}

// vacate gives the slot of a chunk, which is off its list, to later ones.
func (l *ledger) vacate(slot uint32) {
	h := &l.holdings[slot]
	l.slotOf[h.id] = None
	l.bytes -= h.size
	l.live--
	l.vacant = append(l.vacant, slot)
}

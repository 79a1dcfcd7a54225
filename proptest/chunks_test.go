package proptest_test

import (
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The operations on chunks.
//
// Invariant: the content of a chunk is compared before it is freed or resized, and after.
//
// Cost: that of the contents.

// watch notes what a context had before an allocation.
type watch struct {
	n     *node
	stats palloc.Stats
	size  int
}

func (m *model) watch(n *node, size int) watch { return watch{n, n.mc.Stats(), size} }

// see counts the paths by which a new chunk came.
func (m *model) see(w watch, at unsafe.Pointer) {
	n := w.n
	grown, blocks := n.mc.Held()-w.stats.Held, n.mc.Stats().Blocks-w.stats.Blocks
	own := w.size > 8<<10 && n.sort != bump && n.sort != slab
	reachIf(own && blocks == 1 && grown >= int64(w.size), "a block of its own for a large chunk")
	if blocks == 1 && !own {
		reachIf(n.lastBlock > 0 && grown > n.lastBlock, "a block larger than the one before")
		n.lastBlock = grown
	}
	reachIf(n.rewound && w.stats.Held > 0 && grown == 0, "a keeper is used after a reset")
	if n.freed[uintptr(at)] && blocks == 0 {
		switch n.sort {
		case allocSet, shared, slab:
			reach("a free list serves: " + n.sort.String())
		case generation:
			reach("a Generation uses a freed chunk again")
		}
		delete(n.freed, uintptr(at))
	} else if n.sort == allocSet && grown == 0 && n.inFreed(uintptr(at)) {
		reach("a joined span serves")
	}
	reachIf(m.released > 0, "a limit refuses, and pressure makes room")
	reachIf(grown < 0, "a limit is kept by freed chunks alone")
}

// inFreed reports whether an address lies closely behind a chunk that was freed, and was
// none itself.
func (n *node) inFreed(at uintptr) bool {
	for back := uintptr(8); back <= 512; back += 8 {
		if n.freed[at-back] {
			return true
		}
	}
	return false
}

// take adds a new chunk of size bytes, and writes its content.
func (m *model) take(n *node, at unsafe.Pointer, size, align int) *piece {
	m.Helper()
	c := &piece{at: at, size: size, align: align, seed: m.nextSeed(), node: n}
	m.add(c)
	c.stamp()
	return c
}

// allocIn allocates a chunk of a size; try chooses the function.
func (m *model) allocIn(n *node, size int, try bool) bool {
	m.Helper()
	w := m.watch(n, size)
	var at unsafe.Pointer
	err := m.attempt(n, func() (err error) {
		if try {
			at, err = n.mc.TryAlloc(size)
		} else {
			at = n.mc.Alloc(size)
		}
		return err
	})
	if err != nil {
		return false
	}
	m.see(w, at)
	m.take(n, at, size, 8)
	return true
}

func (m *model) alloc() {
	n := m.pick()
	m.allocIn(n, m.sizeIn(n), coin.Draw(m.T, "try"))
}

// allocMany allocates chunks of about one size.
func (m *model) allocMany() {
	n := m.pick()
	size := m.sizeIn(n)
	if n.sort != slab {
		size = min(size, 6000)
	}
	for i := range m.index(64, "count") {
		if len(m.pieces) >= maxLive {
			return
		}
		this := size
		if n.sort != slab {
			this += i % 3 * 8
		}
		if !m.allocIn(n, this, true) {
			return
		}
	}
}

func (m *model) allocAligned() {
	n := m.pick()
	size, align := m.sizeIn(n), 1<<m.index(14, "align")
	if n.sort == slab {
		align = min(align, 8)
	}
	w := m.watch(n, size)
	var at unsafe.Pointer
	if m.attempt(n, func() (err error) { at, err = n.mc.TryAllocAligned(size, align); return err }) != nil {
		return
	}
	m.see(w, at)
	c := m.take(n, at, size, align)
	if align > 8 && n.frees() {
		larger := palloc.Footprint(at) > c.room+8 && size <= 8<<10
		reachIf(larger, "an aligned chunk in a larger one")
		reachIf(!larger && n.sort == allocSet && size <= 8<<10, "an aligned chunk behind a gap")
	}
}

func (m *model) allocZeroed() {
	n := m.pick()
	size := m.sizeIn(n)
	var at unsafe.Pointer
	if m.attempt(n, func() (err error) { at, err = n.mc.TryAllocZeroed(size); return err }) != nil {
		return
	}
	if !isZero(unsafe.Slice((*byte)(at), size)) {
		m.Fatalf("AllocZeroed of %d bytes in %s is not zero", size, n.mc.Path())
	}
	m.take(n, at, size, 8)
}

// typed is what newTyped allocates: 24 bytes.
type typed [3]uint64

func (m *model) newTyped() {
	n := m.pick()
	if n.sort == slab && n.size != int(unsafe.Sizeof(typed{})) {
		m.fault(n, "a wrong size for a Slab is a Fault", func() { palloc.New[typed](n.mc) })
		return
	}
	var p *typed
	if m.attempt(n, func() error { p = palloc.New[typed](n.mc); return nil }) != nil {
		return
	}
	if *p != (typed{}) {
		m.Fatalf("New in %s is %v", n.mc.Path(), *p)
	}
	m.take(n, unsafe.Pointer(p), int(unsafe.Sizeof(*p)), 8)
}

// free frees a chunk.
func (m *model) free(c *piece) {
	n := c.node
	if !n.frees() {
		return
	}
	m.verify(c)
	held, large := n.mc.Held(), c.room > 8<<10
	switch {
	case c.slice != nil && cap(c.slice) > 0:
		palloc.FreeSlice(c.slice)
	case c.size == int(unsafe.Sizeof(typed{})):
		palloc.Free((*typed)(c.at))
	default:
		palloc.FreePointer(c.at)
	}
	m.remove(c)
	n.freed[uintptr(c.at)] = true
	if n.mc.Held() < held {
		if large && n.sort != slab {
			reach("a free returns the block of a large chunk")
		} else if n.sort == generation || n.sort == slab {
			reach("a free returns a block: " + n.sort.String())
		}
	}
}

func (m *model) freeOne() {
	if c := m.pickPiece(); c != nil {
		m.free(c)
		if n := c.node; n.frees() {
			m.fault(n, "a double free is a Fault", func() { palloc.FreePointer(c.at) })
		} else if m.follows(c) {
			m.fault(n, "a free in a Bump is a Fault", func() { palloc.FreePointer(c.at) })
		}
	}
}

// follows reports whether the word before a Bump's chunk is known to be the content of
// another chunk, all of it written. What was not written may be a header of an earlier
// context, which is no Fault to misuse.
func (m *model) follows(c *piece) bool {
	for _, other := range c.node.pieces {
		end := uintptr(other.at) + uintptr(other.size)
		if other.slice == nil && other.size >= 8 && end == uintptr(c.at) {
			return true
		}
	}
	return false
}

// freeMany frees some chunks of a context, in one of three orders.
func (m *model) freeMany() {
	n, order, keep := m.pick(), m.index(3, "order"), m.index(4, "keep one in")
	if !n.frees() {
		return
	}
	all := append([]*piece(nil), n.pieces...)
	for i := range all {
		c := all[i]
		switch order {
		case 1:
			c = all[len(all)-1-i]
		case 2:
			c = all[i*7919%len(all)]
			if len(all)%7919 == 0 {
				c = all[i]
			}
		}
		if keep < 2 || i%keep != 0 {
			m.free(c)
		}
	}
}

// realloc resizes a chunk.
func (m *model) realloc() {
	c := m.pickPiece()
	if c == nil || c.slice != nil || !c.node.frees() {
		return
	}
	n := c.node
	size := m.sizeIn(n)
	if n.sort != slab {
		switch m.index(4, "way") {
		case 1:
			size = min(c.size+size%64, 400<<10)
		case 2:
			size = min(2*c.size, 400<<10)
		}
	}
	m.resize(c, size)
}

// growLarge doubles the largest chunk of a context, which grows in place from the second
// time on.
func (m *model) growLarge() {
	n := m.pick()
	if !n.frees() || n.sort == slab {
		return
	}
	var c *piece
	for _, other := range n.pieces {
		if other.slice == nil && (c == nil || other.room > c.room) {
			c = other
		}
	}
	for range 3 {
		if c != nil && c.size < 200<<10 {
			c = m.resize(c, max(2*c.size, 9000))
		}
	}
}

// resize resizes a chunk, and returns it as it is then.
func (m *model) resize(c *piece, size int) *piece {
	m.Helper()
	n := c.node
	m.verify(c)
	was, room, align, w := c.at, c.room, c.align, m.watch(n, size)
	var at unsafe.Pointer
	m.busy = c
	err := m.attempt(n, func() (err error) { at, err = palloc.TryRealloc(c.at, size); return err })
	if m.busy = nil; err != nil {
		reach("Realloc is refused")
		if m.verify(c); size <= room {
			m.Fatalf("Realloc of a chunk of %d bytes to %d is refused: %v", room, size, err)
		}
		return c
	}
	stamped, seed := c.size, c.seed
	m.remove(c)
	old := &piece{at: at, size: size, seed: seed}
	if i := old.differs(stamped, min(stamped, size)); i >= 0 {
		m.Fatalf("byte %d changed when a chunk of %d bytes at %p in %s was resized to %d at %p", i, stamped, was, n.mc.Path(), size, at)
	}
	if at == was {
		m.seeInPlace(room, size)
	} else {
		n.freed[uintptr(was)] = true
		reachIf(size > room, "Realloc moves")
		reachIf(size < room, "Realloc shrinks a large chunk to another place")
		reachIf(align > 8, "Realloc moves an aligned chunk")
		m.see(w, at)
	}
	return m.take(n, at, size, align)
}

func (m *model) seeInPlace(room, size int) {
	switch {
	case size < room/2:
		reach("Realloc shrinks in place")
	case size > room && room <= 8<<10:
		reach("Realloc grows in place: up to 8 KiB")
	case size > room:
		reach("Realloc grows in place: large")
	}
}

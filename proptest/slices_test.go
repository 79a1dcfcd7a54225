package proptest_test

import (
	"bytes"
	"io"
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// The operations on slices, strings and buffers.
//
// Invariant: a slice of the model has elements of its seed, from the first to the last.
//
// Cost: that of the contents.

// takeSlice adds a slice that palloc returned, and compares its elements.
func (m *model) takeSlice(n *node, s []uint32, seed uint64) {
	m.Helper()
	if cap(s) == 0 {
		return
	}
	c := &piece{at: unsafe.Pointer(unsafe.SliceData(s)), size: 4 * cap(s), seed: seed, node: n, slice: s}
	m.add(c)
	if at := c.differs(0, len(s)); at >= 0 {
		m.Fatalf("byte %d of a slice of %d elements in %s differs", at, len(s), n.mc.Path())
	}
}

// pickSlice draws a slice of the model, nil if the chunk drawn is none.
func (m *model) pickSlice() *piece {
	if c := m.pickPiece(); c != nil && c.slice != nil {
		return c
	}
	for _, c := range m.pieces { // the first there is, so that there are many appends
		if c.slice != nil {
			return c
		}
	}
	return nil
}

func (m *model) makeSlice() {
	n := m.pick()
	capacity := m.sizeIn(n) / 4
	if n.sort == slab && n.size%4 != 0 || capacity == 0 {
		return
	}
	length := m.index(capacity+1, "length")
	var s []uint32
	if m.attempt(n, func() (err error) { s, err = palloc.TryMakeSlice[uint32](n.mc, length, capacity); return err }) != nil {
		return
	}
	if len(s) != length || cap(s) != capacity || !isZero(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), 4*capacity)) {
		m.Fatalf("MakeSlice of %d and %d in %s has %d and %d", length, capacity, n.mc.Path(), len(s), cap(s))
	}
	seed := m.nextSeed()
	copy(s, elements(seed, 0, length))
	m.takeSlice(n, s, seed)
}

// replace puts a slice that grew in the place of an older one. Its old chunk is freed if the
// slice covered all of it.
func (m *model) replace(c *piece, s []uint32) {
	m.Helper()
	n, was := c.node, c.at
	covered := c.room-4*cap(c.slice) < 4
	m.remove(c)
	switch {
	case unsafe.Pointer(unsafe.SliceData(s)) == was:
		reachIf(cap(s) == cap(c.slice), "Append within the capacity")
		reachIf(cap(s) > cap(c.slice) && n.sort == bump, "Append grows in place at a Bump's end")
	case n.frees() && covered:
		n.freed[uintptr(was)] = true
		reach("Append moves a slice and frees the old chunk")
	default:
		reachIf(n.frees(), "Append moves a slice and leaves the old chunk")
		m.add(c)
		c.size = 4 * cap(c.slice)
	}
	m.takeSlice(n, s, c.seed)
}

func (m *model) appendSlice() {
	c := m.pickSlice()
	if c == nil || c.node.sort == slab {
		if n := m.pick(); n.sort != slab {
			m.appendTo(&piece{node: n, seed: m.nextSeed()})
		}
		return
	}
	m.appendTo(c)
}

// appendTo appends elements to a slice of the model, or makes one if it has no chunk yet.
func (m *model) appendTo(c *piece) {
	m.Helper()
	n := c.node
	count := 1 + m.sizeIn(n)/16
	values := elements(c.seed, len(c.slice), len(c.slice)+count)
	m.busy = c
	var s []uint32
	err := m.attempt(n, func() (err error) { s, err = palloc.TryAppend(n.mc, c.slice, values...); return err })
	switch m.busy = nil; {
	case err != nil:
		if len(s) != len(c.slice) || unsafe.SliceData(s) != unsafe.SliceData(c.slice) {
			m.Fatal("a refused Append returns another slice")
		}
	case c.at == nil:
		m.takeSlice(n, s, c.seed)
	default:
		m.replace(c, s)
	}
}

func (m *model) growSlice() {
	c := m.pickSlice()
	if c == nil || c.node.sort == slab {
		return
	}
	more := m.sizeIn(c.node) / 4
	m.busy = c
	var s []uint32
	err := m.attempt(c.node, func() (err error) { s, err = palloc.TryGrow(c.node.mc, c.slice, more); return err })
	if m.busy = nil; err != nil {
		return
	}
	if len(s) != len(c.slice) || cap(s)-len(s) < more {
		m.Fatalf("Grow of %d and %d by %d has %d and %d", len(c.slice), cap(c.slice), more, len(s), cap(s))
	}
	m.replace(c, s)
}

// clone clones a slice of the model, or a string.
func (m *model) clone() {
	n := m.pick()
	if n.sort == slab {
		return
	}
	if c := m.pickSlice(); c != nil && coin.Draw(m.T, "slice") {
		m.busy = c
		var s []uint32
		err := m.attempt(n, func() (err error) { s, err = palloc.TryClone(n.mc, c.slice); return err })
		if m.busy = nil; err == nil {
			if len(s) != len(c.slice) {
				m.Fatalf("a clone of %d elements has %d", len(c.slice), len(s))
			}
			m.takeSlice(n, s, c.seed)
		}
		return
	}
	text := strings.Repeat("palloc ", m.sizeIn(n)/7)
	var s string
	if m.attempt(n, func() (err error) { s, err = palloc.TryCloneString(n.mc, text); return err }) != nil || s == "" {
		return
	}
	if s != text {
		m.Fatalf("a clone of a string of %d bytes differs", len(text))
	}
	m.take(n, unsafe.Pointer(unsafe.StringData(s)), len(s), 1) // and overwritten, as no program should
}

// written returns size bytes to write.
func (m *model) toWrite(size int) []byte {
	b := make([]byte, size)
	for i, seed := 0, m.nextSeed(); i < size; i++ {
		b[i] = pattern(seed, i)
	}
	return b
}

// bufferIn returns the buffer of a context, nil if it cannot have one.
func (m *model) bufferIn(n *node) *palloc.Buffer {
	if n.sort == slab {
		return nil
	}
	if n.buffer == nil {
		n.buffer = palloc.NewBuffer(n.mc)
	}
	return n.buffer
}

func (m *model) writeBuffer() {
	n := m.pick()
	b := m.bufferIn(n)
	if b == nil {
		return
	}
	text, way := m.toWrite(1+m.sizeIn(n)/4), m.index(4, "way")
	was := unsafe.SliceData(b.Bytes())
	err := m.attempt(n, func() (err error) {
		switch way {
		case 0:
			_, err = b.WriteString(string(text))
		case 1:
			text = text[:1]
			err = b.WriteByte(text[0])
		case 2:
			if _, err = b.ReadFrom(bytes.NewReader(text)); err != nil {
				b.Truncate(len(n.written)) // what was read before the refusal
			}
		default:
			_, err = b.Write(text)
		}
		return err
	})
	if n.rewound = false; err != nil {
		reach("a Buffer is refused")
		m.settle(n)
		return
	}
	reachIf(n.written != nil && unsafe.SliceData(b.Bytes()) != was, "a Buffer moves")
	n.written = append(n.written, text...)
	m.settle(n)
}

// settle compares a buffer with the model, and its place with the chunks.
func (m *model) settle(n *node) {
	m.Helper()
	if n.buffer.Cap() > 0 && n.written == nil {
		n.written = []byte{}
	}
	if string(n.buffer.Bytes()) != string(n.written) {
		m.Fatalf("the buffer in %s has %d bytes, others than the %d that were written", n.mc.Path(), n.buffer.Len(), len(n.written))
	}
	if n.buffer.Len() == 0 {
		return
	}
	place := &piece{at: unsafe.Pointer(unsafe.SliceData(n.buffer.Bytes())), room: n.buffer.Cap()}
	for _, c := range m.pieces {
		if overlap(place, c) {
			m.Fatalf("the buffer in %s overlaps a chunk of %s", n.mc.Path(), c.node.mc.Path())
		}
	}
}

// changeBuffer does with a buffer what is no write.
func (m *model) changeBuffer() {
	n := m.pick()
	if n.buffer == nil || n.written == nil {
		return
	}
	b := n.buffer
	switch m.index(5, "way") {
	case 0:
		length := m.index(len(n.written)+1, "length")
		b.Truncate(length)
		n.written = n.written[:length]
	case 1:
		b.Reset()
		n.written = n.written[:0]
	case 2:
		if !n.frees() {
			break
		}
		b.Free()
		n.written, n.buffer = nil, nil
		return
	case 3:
		if _, err := b.WriteTo(io.Discard); err != nil {
			m.Fatal(err)
		}
		n.written = n.written[:0]
	case 4:
		more := m.sizeIn(n)
		if m.attempt(n, func() error { return b.TryGrow(more) }) == nil && b.Available() < more {
			m.Fatalf("a buffer that grew by %d has room for %d", more, b.Available())
		}
	}
	m.settle(n)
}

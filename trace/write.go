package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"io"
)

// The writer: a Trace as bytes.
//
// Invariant: reading what was written gives an equal Trace, and every number
// takes the fewest bytes. Cost: one pass over the ops, four bytes of memory a
// slot.

// Write writes the trace to w in the plain format. The error is that of w.
func Write(w io.Writer, t *Trace) error {
	e := &encoder{
		out:     bufio.NewWriterSize(w, 64<<10),
		t:       t,
		ids:     make([]uint32, t.counts.MaxLive),
		current: None,
	}
	e.header()
	for _, o := range t.ops {
		e.one(o)
	}
	e.out.WriteByte(byte(OpEnd))
	return e.out.Flush()
}

// WriteGzip writes the trace to w, gzip'd at the best ratio. The error is that
// of w.
func WriteGzip(w io.Writer, t *Trace) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := Write(z, t); err != nil {
		return err
	}
	return z.Close()
}

// encoder writes a trace. Its out keeps the first error until Flush.
type encoder struct {
	out     *bufio.Writer
	t       *Trace
	ids     []uint32 // by slot, the number of the chunk in it
	allocs  uint32   // chunks so far
	current uint32   // context of the last ALLOC, or None
	scratch [binary.MaxVarintLen64]byte
}

// op writes an opcode byte and its operands.
func (e *encoder) op(opcode byte, operands ...uint64) {
	e.out.WriteByte(opcode)
	for _, v := range operands {
		e.uvarint(v)
	}
}

func (e *encoder) uvarint(v uint64) {
	e.out.Write(e.scratch[:binary.PutUvarint(e.scratch[:], v)])
}

func (e *encoder) string(s string) {
	e.uvarint(uint64(len(s)))
	e.out.WriteString(s)
}

func (e *encoder) header() {
	c := e.t.counts
	e.out.WriteString(magic)
	for _, n := range []int{c.Ops, c.Allocs, c.Contexts, c.MaxLive} {
		e.uvarint(uint64(n))
	}
	e.uvarint(uint64(c.PeakBytes))
	e.uvarint(uint64(c.ForkOp))
	e.uvarint(uint64(e.t.text.len()))
	for i := range e.t.text.len() {
		e.string(e.t.text.at(uint32(i)))
	}
	e.uvarint(uint64(len(e.t.meta)))
	for _, m := range e.t.meta {
		e.string(m.Key)
		e.string(m.Value)
	}
}

func (e *encoder) one(o Op) {
	code := o.Code()
	opcode := byte(code) | pack(o.Flags(), opcodeFlags[code])
	switch code {
	case OpAlloc:
		e.alloc(o, opcode)
	case OpFree, OpSpace:
		e.op(opcode, e.age(o.arg))
	case OpRealloc:
		e.ext(o, opcode)
		e.uvarint(e.age(o.arg))
		e.uvarint(uint64(o.Size()))
	case OpCreate:
		e.create(o, opcode)
	case OpSetParent, OpSetIdent:
		e.op(opcode, uint64(o.mc), uint64(o.arg+1))
	default:
		e.op(opcode, uint64(o.mc))
	}
}

func (e *encoder) alloc(o Op, opcode byte) {
	same := o.mc == e.current
	if same {
		opcode |= bitSame
	}
	e.ext(o, opcode)
	if !same {
		e.uvarint(uint64(o.mc))
	}
	e.uvarint(uint64(o.Size()))
	e.ids[o.arg] = e.allocs
	e.allocs++
	e.current = o.mc
}

func (e *encoder) create(o Op, opcode byte) {
	d := &e.t.contexts[o.mc]
	e.op(opcode|byte(d.kind)<<kindShift, uint64(o.arg+1), uint64(d.name))
	for _, size := range d.sizes[:d.kind.numSizes()] {
		e.uvarint(uint64(size))
	}
}

// ext writes the opcode byte, and the ext byte if there is something in it.
func (e *encoder) ext(o Op, opcode byte) {
	bits := pack(o.Flags(), extFlags)
	if bits == 0 {
		e.out.WriteByte(opcode)
		return
	}
	e.out.WriteByte(opcode | bitExt)
	e.out.WriteByte(bits)
}

// age returns how many chunks were allocated after the one in the slot.
func (e *encoder) age(slot uint32) uint64 {
	return uint64(e.allocs - 1 - e.ids[slot])
}

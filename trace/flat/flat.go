// Package flat writes recordings of memory traffic in a form that a loop in any
// language reads without work: tables of fixed width, little-endian, as they lie
// in memory. bench/README.md has the layout. PostgreSQL's allocator replays them, in the
// bench and beside `palloc replay`; palloc and Go's heap replay the recordings themselves.
//
// A flat trace holds less than the recording that [Write] makes it of: no chunk
// numbers, no deaths, no questions about memory.
package flat

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/gopalloc/palloc/trace"
)

// Writing a recording as a flat trace.
//
// Invariant: equal strings are written once. Cost: two walks over the ops, and 24
// bytes an op and 40 a context in the file; all but the strings goes out as it is
// made.

const (
	magic   = 0x31544c4650 // "PFLT1"
	cleared = 1            // the flag of an ALLOC whose memory is wanted cleared
)

// Write writes a recording as a flat trace. Questions about memory are left out.
// It fails when a chunk of 4 GiB is resized, which the format has no room for,
// and when w does.
func Write(w io.Writer, t *trace.Trace) error {
	f := writer{t: t, out: bufio.NewWriterSize(w, 1<<16), offsets: make(map[string]uint64)}
	if err := f.collect(); err != nil {
		return err
	}
	f.words(magic, f.kept, uint64(t.Counts().MaxLive), uint64(t.Counts().Contexts),
		uint64(len(f.text)), uint64(t.Replayed()), uint64(t.Largest()), 0)
	for i := range t.Counts().Contexts {
		f.context(t.Context(uint32(i)))
	}
	for _, o := range t.Ops() {
		if keeps(o) {
			f.op(o)
		}
	}
	f.out.Write(f.text) // bufio keeps the first error for Flush
	return f.out.Flush()
}

// writer is a flat trace on its way out.
type writer struct {
	t       *trace.Trace
	out     *bufio.Writer
	kept    uint64 // ops
	text    []byte
	offsets map[string]uint64 // of each string in text
}

// keeps reports whether an op is part of a flat trace.
func keeps(o trace.Op) bool { return o.Code() != trace.OpSpace && o.Code() != trace.OpMemAllocated }

// collect counts the ops, gathers the strings, and refuses what has no room.
func (f *writer) collect() error {
	for i := range f.t.Counts().Contexts {
		f.add(f.t.Context(uint32(i)).Name)
	}
	for i, o := range f.t.Ops() {
		if keeps(o) {
			f.kept++
		}
		switch o.Code() {
		case trace.OpSetIdent:
			f.add(f.t.Ident(o))
		case trace.OpRealloc:
			if _, old := f.t.Resize(o); old > math.MaxUint32 {
				return fmt.Errorf("flat: op %d resizes a chunk of %d bytes; a flat trace has room for chunks below 4 GiB there", i, old)
			}
		}
	}
	if uint64(len(f.text)) >= math.MaxUint32 {
		return fmt.Errorf("flat: the strings have %d bytes; a flat trace has room for less than 4 GiB of them", len(f.text))
	}
	return nil
}

// add adds a string.
func (f *writer) add(s string) {
	if _, known := f.offsets[s]; !known {
		f.offsets[s] = uint64(len(f.text))
		f.text = append(append(f.text, s...), 0)
	}
}

// words writes 64-bit numbers.
func (f *writer) words(list ...uint64) {
	var b [8]byte
	for _, n := range list {
		binary.LittleEndian.PutUint64(b[:], n)
		f.out.Write(b[:])
	}
}

func (f *writer) context(c trace.Context) {
	a, b, most := c.MinSize, c.InitSize, c.MaxSize
	if c.Kind == trace.Slab {
		a, b, most = c.BlockSize, c.ChunkSize, 0
	}
	f.words(uint64(c.Kind), f.offsets[c.Name], uint64(a), uint64(b), uint64(most))
}

// op writes an op of a recording as one that needs no other tables.
func (f *writer) op(o trace.Op) {
	var flags byte
	var arg, old uint32
	mc, size := o.Context(), uint64(o.Size())
	switch o.Code() {
	case trace.OpAlloc:
		arg = o.Slot()
		if o.Zeroed() {
			flags = cleared
		}
	case trace.OpFree:
		arg = o.Slot()
	case trace.OpRealloc:
		context, before := f.t.Resize(o)
		mc, arg, old = context, o.Slot(), uint32(before)
	case trace.OpCreate:
		arg, size = o.Parent(), uint64(len(f.t.Context(mc).Name))
	case trace.OpSetParent:
		arg = o.Parent()
	case trace.OpSetIdent:
		arg = trace.None
		if ident := f.t.Ident(o); ident != "" {
			arg, size = uint32(f.offsets[ident]), uint64(len(ident))
		}
	}
	f.words(uint64(o.Code())|uint64(flags)<<8|uint64(mc)<<32, uint64(arg)|uint64(old)<<32, size)
}

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
// Invariant: equal strings are written once. Cost: two walks over the ops; all
// but the strings goes out as it is made.

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
			f.op(f.flatten(o))
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

// keeps says whether an op is part of a flat trace.
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

// add puts a string among the others.
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

// flatten turns an op of a recording into one that needs no tables beside it.
func (f *writer) flatten(o trace.Op) Op {
	flat := Op{Code: Code(o.Code()), Context: o.Context(), Size: uint64(o.Size())}
	switch o.Code() {
	case trace.OpAlloc:
		flat.Arg = o.Slot()
		if o.Flags()&trace.Zero != 0 {
			flat.Flags = Cleared
		}
	case trace.OpFree:
		flat.Arg = o.Slot()
	case trace.OpRealloc:
		mc, old := f.t.Resize(o)
		flat.Context, flat.Arg, flat.Old = mc, o.Slot(), uint32(old)
	case trace.OpCreate:
		flat.Arg, flat.Size = o.Parent(), uint64(len(f.t.Context(o.Context()).Name))
	case trace.OpSetParent:
		flat.Arg = o.Parent()
	case trace.OpSetIdent:
		flat.Arg = None
		if ident := f.t.Ident(o); ident != "" {
			flat.Arg, flat.Size = uint32(f.offsets[ident]), uint64(len(ident))
		}
	}
	return flat
}

func (f *writer) op(o Op) {
	var b [opSize]byte
	b[0], b[1] = byte(o.Code), o.Flags
	binary.LittleEndian.PutUint32(b[4:], o.Context)
	binary.LittleEndian.PutUint32(b[8:], o.Arg)
	binary.LittleEndian.PutUint32(b[12:], o.Old)
	binary.LittleEndian.PutUint64(b[16:], o.Size)
	f.out.Write(b[:])
}

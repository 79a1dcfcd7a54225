// Package flat has recordings of memory traffic in a form that a loop in any
// language reads without work: tables of fixed width, little-endian, as they lie
// in memory. The layout is in the README of the folder above.
//
// A flat trace says less than the recording that [Write] makes it of: no chunk
// numbers, no deaths, no questions about memory.
package flat

import "unsafe"

// The tables of a flat trace.
//
// Invariant: the structs have the layout of the file, on every architecture.
// Cost: 24 bytes an op, 40 a context, none of them on Go's heap where the system
// maps files.

// Code says which call an op stands for. The numbers are those of package trace.
type Code uint8

// The calls.
const (
	Alloc Code = 1 + iota
	Free
	Realloc
	Create
	Reset
	ResetOnly
	ResetChildren
	Delete
	DeleteChildren
	SetParent
	SetIdent
	OnReset
)

// Releases says whether the call ends chunks wholesale.
func (c Code) Releases() bool { return c >= Reset && c <= DeleteChildren }

// Cleared is the flag of an Alloc whose memory is wanted cleared.
const Cleared = 1

// None stands for "no parent" and "no ident".
const None = ^uint32(0)

// Op is one call. A Create has the length of the context's name in Size, a
// SetIdent that of the ident.
type Op struct {
	Code    Code
	Flags   uint8
	_       uint16
	Context uint32
	Arg     uint32 // slot, parent, or offset of an ident
	Old     uint32 // bytes before a Realloc
	Size    uint64
}

// The kinds of contexts.
const (
	AllocSet = iota
	Slab
	Generation
	Bump
)

// Context is a context as it is created. Sizes are the smallest context, the
// first block and the largest block; of a Slab the block and the chunk.
type Context struct {
	Kind  uint64
	Name  uint64 // offset in the strings
	Sizes [3]uint64
}

// header is the beginning of the file.
type header struct {
	Magic, Ops, Slots, Contexts, Text, Replayed, Largest uint64
	_                                                    uint64
}

const (
	magic       = 0x31544c4650 // "PFLT1"
	headerSize  = 64
	contextSize = 40
	opSize      = 24
)

// The structs are as wide as what they stand for.
var (
	_ [headerSize]byte  = [unsafe.Sizeof(header{})]byte{}
	_ [contextSize]byte = [unsafe.Sizeof(Context{})]byte{}
	_ [opSize]byte      = [unsafe.Sizeof(Op{})]byte{}
)

// Trace is a flat trace in memory. It is read only.
type Trace struct {
	head     *header
	contexts []Context
	ops      []Op
	text     []byte
	memory   []byte
}

// Ops are the calls in order.
func (t *Trace) Ops() []Op { return t.ops }

// Contexts are the contexts, by number.
func (t *Trace) Contexts() []Context { return t.contexts }

// Slots is how many slots a replay's table needs.
func (t *Trace) Slots() int { return int(t.head.Slots) }

// Replayed is how many of the ops count as operations of a replay.
func (t *Trace) Replayed() int { return int(t.head.Replayed) }

// Largest is the size of the largest chunk, in bytes.
func (t *Trace) Largest() int { return int(t.head.Largest) }

// Text is a string of the trace by its offset and length; nothing is copied.
func (t *Trace) Text(offset, size uint64) string {
	b := t.text[offset : offset+size]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

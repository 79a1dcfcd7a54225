package trace

// An op: one recorded call in sixteen bytes.
//
// Invariant: an Op holds no pointer, so the array of a trace with millions of
// them is never scanned. What does not fit is in side tables of the Trace, indexed by
// arg. Cost: a cache line holds four ops.

// A Code is the call that an op records. The numbers are those of the format.
type Code uint8

// The calls. OpEnd closes a file and is never among the ops of a Trace.
const (
	OpEnd            Code = iota // end of the ops
	OpAlloc                      // a chunk is allocated
	OpFree                       // a chunk is freed
	OpRealloc                    // a chunk is resized, and may move
	OpCreate                     // a context is created
	OpReset                      // chunks of a context are freed, its descendants deleted
	OpResetOnly                  // chunks of a context are freed
	OpResetChildren              // chunks of every descendant are freed
	OpDelete                     // a context and its descendants are deleted
	OpDeleteChildren             // the descendants of a context are deleted
	OpSetParent                  // a context moves under another parent
	OpSetIdent                   // a context gets an ident
	OpOnReset                    // a callback is registered with a context
	OpSpace                      // the space of a chunk is asked for
	OpMemAllocated               // the memory of a context is asked for

	numCodes = iota
)

var codeNames = [numCodes]string{
	"END", "ALLOC", "FREE", "REALLOC", "CREATE", "RESET", "RESETONLY",
	"RESETCHILDREN", "DELETE", "DELETECHILDREN", "SETPARENT", "SETIDENT",
	"REGCB", "SPACE", "MEMALLOCATED",
}

// String returns the name the format gives the call, such as "ALLOC".
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return "reserved"
}

// Releases reports whether the call ends all chunks of contexts: the three resets and
// the two deletes.
func (c Code) Releases() bool { return c >= OpReset && c <= OpDeleteChildren }

// Replayed reports whether the call counts as an operation of a replay. Idents
// and callbacks are carried out but not counted; the questions (OpSpace,
// OpMemAllocated) are skipped.
func (c Code) Replayed() bool { return c >= OpAlloc && c <= OpSetParent }

// asks reports whether the call only asks for a figure.
func (c Code) asks() bool { return c == OpSpace || c == OpMemAllocated }

// Flags are the options of a call, or'ed together. The zero value is none.
type Flags uint8

// Each flag belongs to the calls named in its comment and is refused elsewhere.
const (
	Zero    Flags = 1 << iota // OpAlloc: the memory is zeroed
	Current                   // OpAlloc: the call named no context, it used the current one
	Huge                      // OpAlloc, OpRealloc: the size may pass 1 GB - 1
	NoOOM                     // OpAlloc, OpRealloc: out of memory returns nil
	NoOp                      // OpReset: there was nothing to do
	Recurse                   // OpMemAllocated: descendants are counted too
)

// None stands for "no context" where an op names a parent.
const None = ^uint32(0)

// An Op is one recorded call. Only a Trace holds meaningful ones; the zero value
// is an OpEnd. It has few fields, so that a copy of one stays in registers.
type Op struct {
	what uint64 // code, then flags<<flagsShift, then size<<sizeShift
	mc   uint32 // context; for OpRealloc the index of its resize
	arg  uint32 // slot, parent, string or index of its deaths, by code
}

const (
	flagsShift = 8
	sizeShift  = 16
)

// touched is the flag of an op of which a replay writes to the chunk. It is no part
// of the format: the builder sets it where there is a byte, and a verified replay
// clears it, to look at what the allocator left.
const touched Flags = 1 << 7

// newOp returns an op on a chunk of size bytes, or 0.
func newOp(code Code, flags Flags, size int64, mc, arg uint32) Op {
	if size > 0 {
		flags |= touched
	}
	return Op{uint64(code) | uint64(flags)<<flagsShift | uint64(size)<<sizeShift, mc, arg}
}

// untouched returns the op as one of which a replay does not write to the chunk.
func (o Op) untouched() Op {
	o.what &^= uint64(touched) << flagsShift
	return o
}

// Code returns the call.
func (o Op) Code() Code { return Code(o.what) }

// Flags returns the options of the call.
func (o Op) Flags() Flags { return Flags(o.what>>flagsShift) &^ touched }

// Zeroed reports whether the memory of an OpAlloc is zeroed.
func (o Op) Zeroed() bool { return o.what&(uint64(Zero)<<flagsShift) != 0 }

// Touched reports whether a replay writes to the chunk of an OpAlloc or OpRealloc;
// see [Backend]. A chunk of 0 bytes has nothing to write to.
func (o Op) Touched() bool { return o.what&(uint64(touched)<<flagsShift) != 0 }

// Size returns the bytes asked for by an OpAlloc or OpRealloc, 0 for any other.
func (o Op) Size() int64 { return int64(o.what >> sizeShift) }

// Context returns the number of the context concerned: for OpCreate the new
// one, for OpFree and OpSpace the owner of the chunk. For an OpRealloc ask
// [Trace.Resize].
func (o Op) Context() uint32 { return o.mc }

// Slot returns the slot of the chunk that an OpAlloc, OpFree, OpRealloc or
// OpSpace concerns.
func (o Op) Slot() uint32 { return o.arg }

// Parent returns the parent that an OpCreate or OpSetParent names, or [None].
func (o Op) Parent() uint32 { return o.arg }

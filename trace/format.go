package trace

// The .mctrace format, version 1: the numbers that reader and writer share.
//
// A file is the magic, six counts, the strings, the meta, the ops and an END
// byte. Every number is an unsigned LEB128 of at most ten bytes. An op is an
// opcode byte, whose low four bits are its Code, and its operands.
//
// Invariant: a flag has one bit in the file; reader and writer use the same
// tables. Cost: none.

// magic opens every trace: the name of the format and its version.
const magic = "MCTRACE\x01"

// Bits of the opcode byte that concern the encoding only.
const (
	bitExt  = 0x40 // OpAlloc, OpRealloc: an ext byte follows
	bitSame = 0x80 // OpAlloc: the context is that of the OpAlloc before
)

// kindShift is where the kind of a context lies in the opcode byte of OpCreate.
const kindShift = 4

// shapeBits are the bits of each opcode byte that are not flags.
var shapeBits = [numCodes]byte{
	OpAlloc:   bitExt | bitSame,
	OpRealloc: bitExt,
	OpCreate:  (numKinds - 1) << kindShift,
}

// flagBit is a bit in the file and the flag that it stands for.
type flagBit struct {
	bit  byte
	flag Flags
}

// opcodeFlags are the flags in each opcode byte.
var opcodeFlags = [numCodes][]flagBit{
	OpAlloc:        {{0x10, Zero}, {0x20, Current}},
	OpReset:        {{0x10, NoOp}},
	OpMemAllocated: {{0x10, Recurse}},
}

// extFlags are the flags in the ext byte.
var extFlags = []flagBit{{0x01, Huge}, {0x02, NoOOM}}

// unpack returns the flags that bits stand for, and the bits that are no flags.
func unpack(bits byte, table []flagBit) (flags Flags, rest byte) {
	for _, f := range table {
		if bits&f.bit != 0 {
			flags |= f.flag
			bits &^= f.bit
		}
	}
	return flags, bits
}

// pack returns the bits of flags.
func pack(flags Flags, table []flagBit) (bits byte) {
	for _, f := range table {
		if flags&f.flag != 0 {
			bits |= f.bit
		}
	}
	return bits
}

// legal reports whether a call may carry the flags.
func legal(code Code, flags Flags) bool {
	var known Flags
	for _, f := range opcodeFlags[code] {
		known |= f.flag
	}
	if shapeBits[code]&bitExt != 0 {
		known |= Huge | NoOOM
	}
	return flags&^known == 0
}

package trace

import (
	"errors"
	"fmt"
)

// The operands of each op, as the reader takes them from the input.
//
// Invariant: an op whose operands could not all be read is never entered. Cost:
// one number of one to ten bytes for each operand.

// flagsOf checks an opcode byte and returns the flags in it. Those of the ext
// byte come later.
func flagsOf(opcode byte) (Flags, error) {
	code := Code(opcode & 0x0f)
	switch {
	case int(code) >= numCodes:
		return 0, fmt.Errorf("the op %#x is reserved", opcode&0x0f)
	case code == OpEnd:
		return 0, errors.New("the ops end before the number that the header counts")
	}
	flags, rest := unpack(opcode&0xf0, opcodeFlags[code])
	if rest&^shapeBits[code] != 0 {
		return 0, fmt.Errorf("the op byte %#02x has flag bits that this op does not know", opcode)
	}
	return flags, nil
}

// ext reads the byte that bitExt announces, if it does.
func (d *decoder) ext(opcode byte) Flags {
	if opcode&bitExt == 0 {
		return 0
	}
	start := d.off
	b := d.byte("the ext byte")
	flags, rest := unpack(b, extFlags)
	if rest != 0 {
		d.fail(start, "the ext byte %#02x has other bits than HUGE (0x01) and NO_OOM (0x02)", b)
	}
	return flags
}

// context reads the number of a context.
func (d *decoder) context() uint32 {
	return uint32(d.bounded(maxCount, "the number of a context"))
}

// optional reads a number that is stored one higher, 0 meaning None.
func (d *decoder) optional(what string) uint32 {
	return uint32(d.bounded(maxCount, what)) - 1
}

// chunk reads the age of a chunk and returns its number.
func (d *decoder) chunk() uint32 {
	start := d.off
	age, count := d.uvarint("the age of a chunk"), uint64(len(d.slotOf))
	if age >= count {
		d.fail(start, "a chunk of age %d does not exist, only %d have been allocated so far", age, count)
		return 0
	}
	return uint32(count - 1 - age)
}

// size reads a size in bytes; the builder checks it.
func (d *decoder) size() int64 {
	return int64(d.bounded(maxBytes, "a size"))
}

func (d *decoder) readAlloc(opcode byte, flags Flags) error {
	flags |= d.ext(opcode)
	if opcode&bitSame == 0 {
		d.current = d.context()
	} else if d.current == None {
		return errors.New("it names the context of the ALLOC before it, but there was none")
	}
	size := d.size()
	if d.err != nil {
		return nil
	}
	return d.alloc(d.current, size, flags)
}

func (d *decoder) readChunkOp(code Code) error {
	id := d.chunk()
	switch {
	case d.err != nil:
		return nil
	case code == OpSpace:
		return d.space(id)
	}
	return d.free(id)
}

func (d *decoder) readRealloc(opcode byte) error {
	flags := d.ext(opcode)
	id, size := d.chunk(), d.size()
	if d.err != nil {
		return nil
	}
	return d.realloc(id, size, flags)
}

func (d *decoder) readCreate(kind Kind) error {
	parent := d.optional("the parent")
	def := definition{kind: kind, name: uint32(d.bounded(maxCount, "the name of a context"))}
	for i := range kind.numSizes() {
		def.sizes[i] = d.size()
	}
	if d.err != nil {
		return nil
	}
	return d.create(parent, def)
}

func (d *decoder) readSetParent() error {
	mc, parent := d.context(), d.optional("the new parent")
	if d.err != nil {
		return nil
	}
	return d.setParent(mc, parent)
}

func (d *decoder) readSetIdent() error {
	mc, ident := d.context(), d.optional("the ident")
	if d.err != nil {
		return nil
	}
	return d.setIdent(mc, ident)
}

package kind

import "github.com/gopalloc/palloc/internal/block"

// Inspections of the lists of blocks.
//
// Invariant: a block is looked into only if the page heap has a block that begins where
// the list leads, and its head names the node. Its end is trusted only if the page heap
// agrees.
//
// Cost: as in inspect.go.

// List returns the blocks of a list that can be looked into, and reports what is wrong
// with the others. name is what reports call the list.
func (x *Inspection) List(name string, head uintptr) (sound []*Block) {
	prev := uintptr(0)
	for addr := head; addr != 0; {
		b := x.enter(name, prev, addr)
		if b == nil {
			x.partial = true
			break
		}
		if b.Prev != prev {
			x.Flaw(addr, 0, "the list of %s comes here from %#x, and the block says from %#x", name, prev, b.Prev)
		}
		if x.sized(b) {
			sound = append(sound, b)
		}
		prev, addr = addr, b.Next
	}
	return sound
}

// enter returns the block to which a list leads, nil when it cannot be followed further.
func (x *Inspection) enter(name string, from, addr uintptr) *Block {
	if block.CapacityAt(addr) == 0 {
		x.Flaw(from, 0, "the list of %s leads to %#x, where no block begins", name, addr)
		return nil
	}
	if _, again := x.blocks[addr]; again {
		x.Flaw(from, 0, "the list of %s leads to %#x, where a list came by already", name, addr)
		return nil
	}
	b := BlockAt(addr)
	if b.Owner != x.c.Number() {
		x.Flaw(addr, 0, "it is on the list of %s of core %d, and its head says that it is of core %d", name, x.c.Number(), b.Owner)
		return nil
	}
	x.blocks[addr] = false
	return b
}

// sized reports whether a block has the size that its head has.
func (x *Inspection) sized(b *Block) bool {
	extent := block.CapacityAt(b.Address())
	if b.capacity() != extent || b.Size > extent || b.Size == 0 || b.Size%BlockUnit != 0 {
		return x.Stop(b.Address(), 0, "its head says %d bytes with a capacity of %d, and the page heap has a block of %d", b.Size, b.capacity(), extent)
	}
	x.blocks[b.Address()] = true
	x.total += b.Size
	return true
}

// IsShared reports whether chunks share a block, by its head, and a flaw if they do not.
func (x *Inspection) IsShared(b *Block) bool {
	return b.Dedicated == 0 || x.Stop(b.Address(), 0, "chunks share it, and its head says that it is one large chunk's")
}

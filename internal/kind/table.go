package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
)

// The table of cores: segments of 16384 slots, opened one after the other.
//
// Invariant: a slot that was opened is readable to the end of the process and
// never holds anything but a core, so that a number in a header, or a handle
// kept too long, can always be followed. Slot 0 belongs to nobody: the stamp of
// zeroed memory is not genuine.
//
// Cost: one load and one addition to follow a number.
const (
	segmentShift = 14
	segmentSlots = 1 << segmentShift
	segments     = chunk.MostCores >> segmentShift
	slotShift    = 9
	slotMask     = (segmentSlots - 1) << slotShift
)

var table struct {
	segment [segments]uintptr // address, 0 when not yet opened
	opened  uint32            // slots handed out, ever
}

// At is the core with a number, or nil when no segment has it. A slot that was
// never handed out reads as a core that nobody owns.
func At(index uint32) *Core {
	base := table.segment[index>>segmentShift]
	if base == 0 {
		return nil
	}
	return (*Core)(osmem.At(base + uintptr(index%segmentSlots)*SlotSize)) // a slot of an open segment
}

// Of is the core that a header names, or nil when no segment has it: At without
// taking the number apart.
func Of(header uint64) *Core {
	base := table.segment[header>>(chunk.IndexShift+segmentShift)]
	if base == 0 {
		return nil
	}
	return (*Core)(osmem.At(base + uintptr(header>>(chunk.IndexShift-slotShift))&slotMask)) // as At
}

// OpenSlot hands out a slot that no core had before. Callers must exclude each
// other. The error wraps osmem.ErrNoMemory.
func OpenSlot() (*Core, error) {
	index := table.opened
	if index == chunk.MostCores {
		return nil, osmem.ErrNoMemory
	}
	if index%segmentSlots == 0 {
		if err := openSegment(index >> segmentShift); err != nil {
			return nil, err
		}
		if index == 0 {
			At(0).Stamp = ^uint64(0)
			index = 1
		}
	}
	table.opened = index + 1
	c := At(index)
	c.Number = index
	c.Stamp = chunk.Stamp(index, uint64(index)*saltSpread^processSalt)
	return c, nil
}

// saltSpread makes the salts of neighbours differ in every bit.
const saltSpread = 0x9e3779b97f4a7c15 >> 20

func openSegment(i uint32) error {
	const size = segmentSlots * SlotSize
	m := osmem.Current()
	addr, err := m.Reserve(size)
	if err != nil {
		return err
	}
	if err := m.Commit(addr, size); err != nil {
		return err
	}
	table.segment[i] = addr // on a page's boundary, and so on a slot's
	return nil
}

// Slot is the core as the larger struct T of which it is the first part.
func Slot[T any](c *Core) *T {
	return (*T)(unsafe.Pointer(c)) // sound while T fits SlotSize, which its owner asserts
}

package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The table of cores: segments of 65536 slots (16384 where address space is
// short), opened one after the other.
//
// Invariant: a slot that was opened is readable to the end of the process and
// never holds anything but a core, so that a number in a header, or a handle
// kept too long, can always be followed. Slot 0 belongs to nobody: the stamp of
// zeroed memory is not genuine. The number of a segment that is not open leads
// to the first one, where it finds a stamp that is not its own.
//
// Cost: one load and one addition to follow a number; 256 bytes a core, as many
// again of memory that is only touched where chunks are freed, and twice as many
// where freed chunks are joined.
const (
	segmentShift = 14 + osmem.WideShift
	segmentSlots = 1 << segmentShift
	segments     = chunk.MostCores >> segmentShift
	slotShift    = 8

	// listPlane is the way from a core to its freelists: a segment has as many
	// slots again behind those of the cores.
	listPlane = segmentSlots * SlotSize

	// spanPlane is where the spans of the segment's cores begin, twice a slot each.
	spanPlane = 2 * listPlane
	slotMask  = (segmentSlots - 1) << slotShift
)

var table struct {
	segment [segments]uintptr // address, the first one's when not yet opened
	opened  uint32            // slots handed out, ever
}

// At is the core with a number. A slot that was never handed out reads as a core
// that nobody owns, and a number that no slot has as another's. There must have
// been a first core.
func At(index uint32) *Core {
	return (*Core)(osmem.At(table.segment[index>>segmentShift] + uintptr(index%segmentSlots)*SlotSize)) // a slot of an open segment
}

// Of is the core that a header names: At without taking the number apart.
func Of(header uint64) *Core {
	return (*Core)(osmem.At(table.segment[header>>(chunk.IndexShift+segmentShift)] + uintptr(header>>(chunk.IndexShift-slotShift))&slotMask)) // as At
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
			for i := range table.segment {
				table.segment[i] = table.segment[0]
			}
			At(0).Cookie = ^uint64(0)
			index = 1
		}
	}
	relaxed.Store32(&table.opened, index+1)
	c := At(index)
	c.Cookie = chunk.Stamp(index, uint64(index)*versionSpread^processVersion)
	c.Prefix = c.Cookie
	return c, nil
}

// SlotsSize is how many bytes the slots that were opened have, with the freelists
// that go with them. Any goroutine.
func SlotsSize() uintptr { return uintptr(relaxed.Load32(&table.opened)) * 2 * SlotSize }

// versionSpread makes the salts of neighbours differ in every bit.
const versionSpread = 0x9e3779b97f4a7c15 >> 20

func openSegment(i uint32) error {
	const size = 4 * listPlane
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

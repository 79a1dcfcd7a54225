package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// The table of nodes: segments of 65536 slots (16384 where address space is short),
// opened one after the other.
//
// Invariant: a slot that was opened is readable to the end of the process and never
// holds anything but a node, so that a number in a header, or a handle kept too long,
// can always be followed. Slot 0 has no node: the cookie of zeroed memory is not valid.
// The number of a segment that is not open leads to the first segment, where it finds a
// cookie that is not its own.
//
// Cost: one load and one addition to follow a number. 256 bytes a node; as many again of
// memory that is only touched where chunks are freed, and twice as many where freed
// chunks are joined.
const (
	segmentShift = 14 + osmem.WideShift
	segmentSlots = 1 << segmentShift
	segments     = chunk.MaxCores >> segmentShift
	slotShift    = 8

	// listPlane is the distance from a node to its free lists: a segment has as many
	// slots again behind those of the nodes.
	listPlane = segmentSlots * SlotSize

	// spanPlane is where the Spans of a segment's nodes begin, two slots each.
	spanPlane = 2 * listPlane
	slotMask  = (segmentSlots - 1) << slotShift
)

var table struct {
	segment [segments]uintptr // address, the first one's when not yet opened
	opened  uint32            // slots opened, ever
}

// At returns the node with a number. A slot that was not opened reads as a node that no
// context owns, and a number that no slot has as another node's. There must be a first
// node.
func At(index uint32) *Core {
	return (*Core)(osmem.At(table.segment[index>>segmentShift] + uintptr(index%segmentSlots)*SlotSize)) // a slot of an open segment
}

// Of returns the node that a header names: At without extracting the number.
func Of(header uint64) *Core {
	return (*Core)(osmem.At(table.segment[header>>(chunk.IndexShift+segmentShift)] + uintptr(header>>(chunk.IndexShift-slotShift))&slotMask)) // as At
}

// OpenSlot opens the next slot. Callers must exclude each other. The error wraps
// osmem.ErrNoMemory.
func OpenSlot() (*Core, error) {
	index := table.opened
	if index == chunk.MaxCores {
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
	c.Cookie = chunk.Cookie(index, uint64(index)*versionSpread^processVersion)
	c.Prefix = c.Cookie
	return c, nil
}

// SlotsSize returns how many bytes the open slots have, with their free lists. Any
// goroutine.
func SlotsSize() uintptr { return uintptr(relaxed.Load32(&table.opened)) * 2 * SlotSize }

// versionSpread makes the versions of neighbours differ in every bit.
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

// Slot returns the node as the larger struct T of which it is the first part.
func Slot[T any](c *Core) *T {
	return (*T)(unsafe.Pointer(c)) // sound: T's package asserts that it fits SlotSize
}

// IsOpened reports whether the slot with a number was opened, so that the number can be
// followed. Any goroutine; while others call OpenSlot it may be true a moment early.
func IsOpened(index uint32) bool { return index != 0 && index < relaxed.Load32(&table.opened) }

// Slots returns how many numbers there are: those of all nodes are less. Any goroutine.
func Slots() uint32 { return relaxed.Load32(&table.opened) }

package kind

import (
	"unsafe"

	"github.com/gopalloc/palloc/internal/chunk"
	"github.com/gopalloc/palloc/internal/osmem"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// Spans are the lists of an AllocSet's joined free memory. They lie in a plane of their
// own, as free lists do: a context that joins nothing has no page there.
//
// Invariant: all zero unless NeedsReset has ResetSpans. Bytes and Count are those of all
// pieces on the lists.
//
// Cost: 512 bytes of address space a node, and memory for those that join.
type Spans struct {
	Lists [chunk.Classes]uintptr // by the largest class that fits; the address of the first piece
	Whole uintptr                // blocks that are free as a whole
	Bytes uintptr                // on the lists, whole blocks included
	Taken uintptr                // bytes that were allocated, or became the current part, since the last join began
	First uintptr                // the piece of two words that was the first on their list
	Count uint32                 // pieces on the lists
	Some  uint32                 // a bit for each list with pieces
	Under uint32                 // not 0: a join is under way
}

var _ [2*SlotSize - unsafe.Sizeof(Spans{})]byte // they fit

// Spans returns the node's.
func (c *Core) Spans() *Spans {
	segment := table.segment[c.Number()>>segmentShift]
	at := uintptr(unsafe.Pointer(c)) - segment
	return (*Spans)(osmem.At(segment + spanPlane + 2*at)) // of the same segment
}

// forget empties the lists; their memory is released in other ways.
func (s *Spans) forget() {
	relaxed.Store(&s.Bytes, 0)
	relaxed.Store32(&s.Count, 0)
	s.Lists = [chunk.Classes]uintptr{}
	s.Whole, s.Taken, s.Some, s.Under = 0, 0, 0, 0
}

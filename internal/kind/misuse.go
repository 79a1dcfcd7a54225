package kind

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/chunk"
)

// Misuse says what a caller did that no correct program does.
type Misuse string

// Error is what was done, and what to do instead.
func (m Misuse) Error() string { return string(m) }

// NotAChunk: the bytes before the pointer pass for a header, the rest does not.
const NotAChunk = Misuse("the address is not the start of a chunk")

// TooLarge refuses a size beyond MostChunk, or a negative one.
func TooLarge(size uintptr) Misuse {
	if int(size) < 0 {
		return Misuse(fmt.Sprintf("a size of %d bytes is not a size: it is negative", int(size)))
	}
	return Misuse(fmt.Sprintf("a size of %d bytes is not a size: the largest is %d", size, MostChunk))
}

// WhatFault explains a what that is no live chunk's of the kind.
func WhatFault(what uint64) Misuse {
	freed := what >= chunk.Freed && what < 2*chunk.Classes || what == chunk.LargeFreed ||
		what-chunk.SlabFreed <= chunk.MaxSlabOrder || what == chunk.RedirectFreed || what == chunk.Coalesced || what&^(chunk.GenerationMask|chunk.Classes-1) == chunk.GenerationFreed ||
		what&^(chunk.Classes-1) == chunk.SharedFreed
	if freed {
		return "the chunk is already free"
	}
	return NotAChunk
}

package kind

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/chunk"
)

// Misuse is an error that no correct program makes: what was done, and what to do
// instead.
type Misuse string

// Error returns the text.
func (m Misuse) Error() string { return string(m) }

// NotAChunk: the bytes before the pointer pass for a header, the rest does not.
const NotAChunk = Misuse("the address is not the start of a chunk")

// AlreadyFree: there is a free chunk at the pointer. A reset leaves free chunks, too.
const AlreadyFree = Misuse("the chunk is already free: it was freed, or its context was reset")

// TwoAcquire: a goroutine finds another one at work in a context of one owner.
const TwoAcquire = Misuse("two goroutines use the context at once, which is not Shared: give each its own, or create it with Shared")

// headOverwritten explains a block that cannot be used.
func headOverwritten(addr uintptr) Misuse {
	return Misuse(fmt.Sprintf("the head of the block at %#x was written to: a chunk before it was written to beyond its end, or one in it before its beginning", addr))
}

// TooLarge refuses a size beyond MaxChunk, or a negative one.
func TooLarge(size uintptr) Misuse {
	if int(size) < 0 {
		return Misuse(fmt.Sprintf("a size of %d bytes is not a size: it is negative", int(size)))
	}
	return Misuse(fmt.Sprintf("a size of %d bytes is not a size: the largest is %d", size, MaxChunk))
}

// Headerless refuses to free or resize a chunk of a kind without headers.
func Headerless(m Methods) Misuse {
	return Misuse(fmt.Sprintf("a %s's chunks have no header, so that none can be freed, resized or inspected by its pointer: reset or delete the context, or use another kind", m.Name()))
}

// TagFault explains a tag that is not a live chunk's of the kind.
func TagFault(m Methods, tag uint64) Misuse {
	if isFreed(m, tag) {
		return AlreadyFree
	}
	return NotAChunk
}

// isFreed reports whether a tag is that of freed memory of the kind.
func isFreed(m Methods, tag uint64) bool {
	return tag == chunk.LargeFreed || tag == chunk.RedirectFreed || m.Freed(tag)
}

package kind

import "github.com/gopalloc/palloc/internal/relaxed"

// IsOpened says whether the core with a number was ever handed out, and the number can
// be followed. Any goroutine; one that does not exclude those of OpenSlot may be told
// so a moment later.
func IsOpened(index uint32) bool { return index != 0 && index < relaxed.Load32(&table.opened) }

// Slots is how many numbers there are: those of all cores that were handed out lie
// below. Any goroutine.
func Slots() uint32 { return relaxed.Load32(&table.opened) }

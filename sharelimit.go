package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/share"
)

// One limit for the memory of Go and that of contexts: see internal/share.

// ShareMemoryLimit keeps Go's memory and that of contexts together below total, in bytes;
// GOMEMLIMIT does not count contexts. It sets Go's memory limit to fifteen sixteenths of
// the total, less PageHeap().MaxResident(). The last sixteenth, or 128 MiB if that is less,
// is for what neither counts, such as the program itself, and for delays. A total of 0
// means Go's memory limit as it stands or, if that is not set, the limit of the process's
// control groups on Linux, in both cases at least 16 MiB. If there is none either,
// ShareMemoryLimit returns an error. It returns no other.
//
// Contexts that grow are delayed: an allocation that makes a 32nd of the total, or 64 MiB if
// that is less, resident beyond what was last granted waits until Go's limit is lowered. If
// Go's heap exceeds that limit, it also waits until first the free pages of contexts and
// then Go's garbage are returned to the system. Go's garbage is returned by
// debug.FreeOSMemory. Once that returned little, later calls of it take at most a fifth of
// the time. When Go's heap grows, free pages of contexts are returned to leave it as much as
// half of Go's live heap on top of it: at the end of each of Go's collections, and every 10
// ms while less than a quarter of the total is free and the sum changes, otherwise every 100
// ms. Go's limit rises with the same delay, and not within 100 ms after it was lowered
// unless Go needs more. While free pages are retained it is lower by their size, up to an
// eighth of the total, so that Go collects, and gets them, in time. The nodes of contexts
// count, each with its free lists, but no allocation waits for them.
//
// Nothing is refused: if contexts and Go's live heap need more than the total, the total is
// exceeded. Go's limit is never set below what the last collection found alive plus an
// eighth, or 4 MiB, since the collector would run continuously. SetLimit of Top refuses
// what contexts need.
//
// Where contexts are on Go's heap (the race detector, WebAssembly) they are under Go's
// limit anyway. The program must not set Go's limit meanwhile. stop restores the limit from
// before; it may be called more than once. A second ShareMemoryLimit before stop is a
// Fault, as is a total that is negative or from 1 byte to less than 16 MiB. Any goroutine.
func ShareMemoryLimit(total int64) (stop func(), err error) {
	if total < 0 || total > 0 && total < share.MinTotal {
		panic(raise(&Fault{Op: "ShareMemoryLimit", Reason: fmt.Sprintf("a total of %d bytes: it must be 0, or at least %d", total, share.MinTotal)}))
	}
	if total == 0 {
		if total, err = share.Known(); err != nil {
			return nil, fmt.Errorf("palloc: ShareMemoryLimit(0): %w: give a total", err)
		}
	}
	stop, ok := share.Begin(total, share.PageHeap{Figures: residentFigures, Trim: func() { Trim() }})
	if !ok {
		panic(raise(&Fault{Op: "ShareMemoryLimit", Reason: "a limit is shared already: call its stop first"}))
	}
	return stop, nil
}

// residentFigures returns what package share balances.
func residentFigures() share.Figures {
	w := PageHeap()
	return share.Figures{Resident: w.MaxResident(), Retained: w.Retained, Fixed: w.Metadata}
}

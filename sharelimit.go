package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/share"
)

// One limit for the memory of Go and that of contexts: see internal/share.

// ShareMemoryLimit keeps Go's memory and that of contexts below one total, in bytes:
// GOMEMLIMIT alone does not count contexts. It sets Go's memory limit to what
// Warehouse().Resident leaves of fifteen sixteenths of the total; the last sixteenth,
// or 128 MiB if that is less, is for what neither counts, as the program itself, and
// for delays. A total of 0 is Go's memory limit as it stands, or, where that is not
// set, what the control groups of Linux grant the process; where no control group sets
// a limit either, ShareMemoryLimit returns an error. It returns no other. Such a total
// counts as 16 MiB where it is less.
//
// Contexts that grow are held up: when an allocation makes a 32nd of the total, or 64 MiB
// if that is less, resident beyond what was last granted, it waits until Go's
// limit is lowered and, where Go's heap has more than that, free pages
// of contexts and then Go's garbage are given back. The latter is a
// debug.FreeOSMemory; once it found little, it is repeated at most for a fifth of the
// time. Where Go's heap grows, free pages of contexts are given back for as much
// as half of Go's live heap on top of it: as each of Go's collections ends, and every
// 10 ms while less than a quarter of the total is free and the sum changes, else every
// 100 ms. Go's limit rises with the same delay, and not before 100 ms after it was
// lowered unless Go needs more; while free pages are retained it is lower by as much, up
// to an eighth of the total, so that Go collects, and gets them, in time. The records of
// contexts count, each with its free lists, but no allocation waits for them.
//
// Nothing is refused: where contexts and Go's live heap need more than the total, the
// total is exceeded. Go's limit is never set below an eighth, or 4 MiB, more than the last
// collection found alive, since the collector would run all the time. SetLimit
// of Top refuses what contexts need.
//
// Where contexts lie on Go's heap (the race detector, WebAssembly) they are under Go's
// limit anyway. The program must not set Go's limit meanwhile. stop restores it to what it
// was before; it may be called more than once. A second ShareMemoryLimit before that is
// a Fault, as is a total that is negative or from 1 byte to 16 MiB. Any goroutine.
func ShareMemoryLimit(total int64) (stop func(), err error) {
	if total < 0 || total > 0 && total < share.MinTotal {
		panic(&Fault{Op: "ShareMemoryLimit", Reason: fmt.Sprintf("a total of %d bytes: it is 0, or at least %d", total, share.MinTotal)})
	}
	if total == 0 {
		if total, err = share.Known(); err != nil {
			return nil, fmt.Errorf("palloc: ShareMemoryLimit(0): %w: give a total", err)
		}
	}
	stop, ok := share.Begin(total, share.PageHeap{Figures: residentFigures, Trim: func() { Trim() }})
	if !ok {
		panic(&Fault{Op: "ShareMemoryLimit", Reason: "a limit is shared already: stop that first"})
	}
	return stop, nil
}

func residentFigures() share.Figures {
	w := PageHeap()
	return share.Figures{Resident: w.MaxResident(), Retained: w.Retained, Fixed: w.Metadata}
}

package palloc

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// The page heap: what the process has from the system for all contexts, how much of it
// may be free, and when that goes back.
//
// Invariant: InUse is what all contexts hold, and the blocks that deleted contexts
// left for the next ones of their name. What live contexts hold never goes back.
//
// Cost: for the statistics the page heap's lock, for a few words a region. For a Trim a
// step for each context that there ever was at a time and each page of the page heap,
// and a system call for each run of pages that goes back. The lock is not held in
// between, nor during such a call: nobody waits for a Trim.

// PageHeapStats are the statistics of the page heap, in bytes.
type PageHeapStats struct {
	// Reserved is address space. Nothing needs to be behind it.
	Reserved int64

	// Committed is the part of Reserved that was made usable. It never falls; what is
	// neither in use nor retained of it was never written to, or went back to the system.
	Committed int64

	// InUse is what contexts hold, and blocks of at most 8 KiB that are cached with a
	// deleted context, for the next one of the name. For the page heap the latter are
	// allocated: only Trim takes them back.
	Held int64

	// Retained is what was released and stays resident for the next request, cached
	// runs included. Trim empties it, SetRetention limits it.
	Retained int64

	// Accounts is what the page tables of the page heap and the records of contexts have,
	// in memory outside of Reserved. It never falls.
	Metadata int64
}

// Resident returns the most that palloc can have resident: InUse, as if every byte of it
// were written to, Retained and Accounts.
func (s PageHeapStats) MaxResident() int64 { return s.Held + s.Retained + s.Metadata }

// Warehouse returns the statistics of the page heap at one moment. Any goroutine.
func PageHeap() PageHeapStats {
	s := block.ReadStats()
	return PageHeapStats{
		Reserved:  int64(s.Reserved),
		Committed: int64(s.Committed),
		Held:      int64(s.InUse),
		Retained:  int64(s.Retained),
		Metadata:  int64(s.Metadata + kind.SlotsSize()),
	}
}

// DefaultRetention retains up to 17/16 of the peak use over the current and the previous
// 16384 block acquisitions, and at least of 64 MiB.
const DefaultRetention = math.MaxInt64

// SetRetention limits what the page heap keeps resident though it is free, in
// bytes: beyond it a block goes back to the system as it is released. What is retained
// beyond it already goes back at once. The limit only lowers the bound that
// DefaultRetention describes, which restores that; 0 keeps nothing. Cached runs count;
// blocks that are cached with a deleted context do not: they count as in use, see
// PageHeapStats.InUse. A page of the system that is free only in part
// cannot go back, and one that became free little by little goes when the pages around
// it are free, after the next 16384th block is taken, or with Trim. Where the system
// refuses to take memory back, as Linux does when it is locked, that stays retained. A
// negative number is a Fault. Any goroutine.
func SetRetention(bytes int64) {
	if bytes < 0 {
		panic(&Fault{Op: "SetRetention", Reason: fmt.Sprintf("a retention of %d bytes: it is at least 0, or DefaultRetention", bytes)})
	}
	block.SetRetention(uintptr(min(uint64(bytes), uint64(block.MaxRetention))))
}

// Trim gives the memory that no context holds back to the operating system, and returns
// how many bytes that were. Blocks that are cached with deleted contexts are among it;
// what the system refuses to take is not. What is released meanwhile may stay. Any
// goroutine.
func Trim() int64 {
	tree.ReleaseKeepers()
	return int64(block.Trim())
}

// trimming reports whether TrimWhenIdle is in force.
var trimming atomic.Bool

// TrimWhenIdle calls Trim once no block was acquired or released for that long, at the
// latest after twice as long, and then waits without a timer for the next block. Contexts
// that make do with their blocks, or with those cached under their name, acquire none: a
// program that uses only such contexts counts as idle, and acquires those blocks anew
// after each Trim. It is off until called. stop ends it, and waits for
// a Trim that is under way; it may be called more than once. A second TrimWhenIdle
// before that is a Fault, as is a time that is not positive. Any goroutine.
func TrimWhenIdle(after time.Duration) (stop func()) {
	if after <= 0 {
		panic(&Fault{Op: "TrimWhenIdle", Reason: fmt.Sprintf("an interval of %v: it is more than 0", after)})
	}
	if !trimming.CompareAndSwap(false, true) {
		panic(&Fault{Op: "TrimWhenIdle", Reason: "it is in force already: stop that first"})
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		trimWhenIdle(after, quit)
	}()
	return sync.OnceFunc(func() {
		close(quit)
		<-done
		trimming.Store(false)
	})
}

// trimWhenIdle trims after each idle interval, and then waits for the next block.
func trimWhenIdle(after time.Duration, quit <-chan struct{}) {
	resumed := make(chan struct{}, 1)
	defer block.TrimAndNotify(nil)
	for awaitIdle(after, quit) {
		tree.ReleaseKeepers()
		block.TrimAndNotify(resumed)
		select {
		case <-resumed:
		case <-quit:
			return
		}
	}
}

// awaitIdle waits for an interval in which no block was acquired or released. It reports
// false when quit was closed before.
func awaitIdle(after time.Duration, quit <-chan struct{}) bool {
	timer := time.NewTimer(after)
	defer timer.Stop()
	for seen := block.Operations(); ; {
		select {
		case <-timer.C:
		case <-quit:
			return false
		}
		now := block.Operations()
		if now == seen {
			return true
		}
		seen = now
		timer.Reset(after)
	}
}

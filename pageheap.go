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

// The page heap: what the process has from the system for all contexts, how much of it may
// be free, and when that is returned.
//
// Invariant: Held is what all contexts hold, and the blocks cached with deleted contexts.
// What live contexts hold is never returned.
//
// Cost: for the statistics the page heap's lock, for a few words a region. Trim takes a
// step for each context of the greatest number that ever existed at a time and for each
// page of the page heap, and a system call for each run that is returned. It holds no lock
// in between, nor during such a call: no goroutine waits for a Trim.

// PageHeapStats are the statistics of the page heap, in bytes.
type PageHeapStats struct {
	// Reserved is address space. It need not be backed by memory.
	Reserved int64

	// Committed is the part of Reserved that was made usable. It never falls. What is
	// neither Held nor Retained of it was never written to, or was returned to the system.
	Committed int64

	// Held is what contexts hold. It includes blocks of at most 8 KiB that are cached with
	// a deleted context, for the next one of the name: to the page heap they are allocated,
	// and only Trim takes them back.
	Held int64

	// Retained is what was released and stays resident for the next request, cached runs
	// included. Trim empties it, SetRetention limits it.
	Retained int64

	// Metadata is the page tables of the page heap and the nodes of contexts, which are in
	// memory outside of Reserved. It never falls.
	Metadata int64
}

// MaxResident returns the most that palloc can have resident, in bytes: Held, as if all of
// it had been written to, plus Retained and Metadata.
func (s PageHeapStats) MaxResident() int64 { return s.Held + s.Retained + s.Metadata }

// PageHeap returns the statistics of the page heap at one moment. Any goroutine.
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

// DefaultRetention is the default of SetRetention. With it, the retained bytes are at most
// 17/16 of the peak of the bytes in blocks. The peak is that of the current and the previous
// period of 16384 acquired blocks, or 64 MiB if that is more.
const DefaultRetention = math.MaxInt64

// SetRetention limits, in bytes, what the page heap keeps resident of free memory. Blocks
// released beyond the limit are returned to the system, and so is, immediately, what is
// already retained beyond it. The limit only lowers the bound that DefaultRetention
// describes; DefaultRetention itself restores that bound, and 0 retains nothing. Cached runs
// count. Blocks cached with deleted contexts do not: they count as Held, see PageHeapStats.
// A page of the system that is only partly free cannot be returned. A page that became free
// in parts is returned later: when the pages around it are free, every 16384 acquired
// blocks, or by Trim. What the system refuses to take back, as Linux does when memory is
// locked, stays retained. A negative number is a Fault. Any goroutine.
func SetRetention(bytes int64) {
	if bytes < 0 {
		panic(raise(&Fault{Op: "SetRetention", Reason: fmt.Sprintf("a retention of %d bytes: it must be at least 0, or DefaultRetention", bytes)}))
	}
	block.SetRetention(uintptr(min(uint64(bytes), uint64(block.MaxRetention))))
}

// Trim returns the memory that no context holds to the operating system, and returns how
// many bytes that were. Blocks cached with deleted contexts are included; what the system
// refuses to take is not. What is released meanwhile may stay. Any goroutine.
func Trim() int64 {
	tree.ReleaseKeepers()
	return int64(block.Trim())
}

// trimming reports whether TrimWhenIdle is in force.
var trimming atomic.Bool

// TrimWhenIdle calls Trim once no block was acquired or released for the duration after, at
// the latest after twice as long, and then waits without a timer for the next block.
// Contexts that need no more than their blocks, or those cached under their name, acquire
// none: a program that uses only such contexts counts as idle, and acquires those blocks
// anew after each Trim. It is off by default. stop ends it, and waits for a Trim in
// progress; it may be called more than once. A second TrimWhenIdle before stop is a Fault,
// as is a duration that is not positive. Any goroutine.
func TrimWhenIdle(after time.Duration) (stop func()) {
	if after <= 0 {
		panic(raise(&Fault{Op: "TrimWhenIdle", Reason: fmt.Sprintf("an interval of %v: it must be more than 0", after)}))
	}
	if !trimming.CompareAndSwap(false, true) {
		panic(raise(&Fault{Op: "TrimWhenIdle", Reason: "it is in force already: call its stop first"}))
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

// awaitIdle waits for an interval in which no block was acquired or released. It returns
// false if quit is closed before.
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

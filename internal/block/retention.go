package block

import "github.com/gopalloc/palloc/internal/osmem"

// Retention: what is freed stays resident for the next request, within a bound. The
// bound follows the highest use of late, and is at least minRetention. Beyond it a run
// is returned to the system as it is freed, and at the end of each period a goroutine,
// which then ends, returns what is above the bound. So a service whose use goes up and
// down keeps its memory, and one that shrank for good returns it after two periods.
const (
	minRetention = 64 << 20
	period       = 1 << 14 // acquisitions
)

// demand is how much is in use, and its latest high-water marks.
type demand struct {
	inUse         uintptr // bytes in blocks
	retained      uintptr // bytes that are resident and in no block
	peak, oldPeak uintptr // highest inUse of this period and of the one before
	acquisitions  int     // in this period
	limit         uintptr // of the bound, plus one; 0: no limit
}

// afterAcquire counts an acquisition of size bytes, and returns the function to call
// after the lock is released, or nil.
func afterAcquire(size uintptr) func() {
	heap.countOperation()
	if heap.acquired(size) && heap.retained > heap.bound() && osmem.Current().DiscardFrees() {
		if heap.due = true; !heap.running {
			heap.running = true
			return startScavenging
		}
	}
	return heap.residentExcess()
}

// startScavenging starts the goroutine that returns memory at the end of a period, and
// calls what else there is to call after an acquisition.
func startScavenging() {
	go scavengeWhileDue()
	heap.mu.Lock()
	unlockAndCall(heap.residentExcess())
}

// acquired counts an acquisition of size bytes, and reports whether it ends a period.
func (d *demand) acquired(size uintptr) bool {
	d.inUse += size
	d.peak = max(d.peak, d.inUse)
	if d.acquisitions++; d.acquisitions < period {
		return false
	}
	d.acquisitions, d.oldPeak, d.peak = 0, d.peak, d.inUse
	return true
}

// bound returns how many bytes may be retained. It is a 16th above the high-water mark:
// parts of a page of the system count as retained, and cannot be returned.
func (d *demand) bound() uintptr {
	bytes := max(minRetention, d.peak, d.oldPeak)
	bytes += bytes >> 4
	if d.limit != 0 {
		return min(bytes, d.limit-1)
	}
	return bytes
}

// MaxRetention is larger than any bound: no limit for SetRetention.
const MaxRetention = ^uintptr(0) >> 1

// SetRetention limits the bound to limit bytes, and returns what is above it to the
// system. A limit of MaxRetention or more is none; 0 retains nothing.
func SetRetention(limit uintptr) {
	heap.mu.Lock()
	heap.limit = limit + 1
	if limit >= MaxRetention {
		heap.limit = 0
	}
	heap.mu.Unlock()
	scavenge(currentBound)
}

// Trim returns all free memory to the system, and returns how many bytes that were.
// The address space stays.
func Trim() uintptr { return TrimTo(0) }

// TrimTo works as Trim does, but stops when about keep bytes are retained.
func TrimTo(keep uintptr) uintptr { return scavenge(func() uintptr { return keep }) }

// currentBound returns how many bytes may be retained now. The lock is held.
func currentBound() uintptr { return heap.bound() }

// unlockAndCall releases the lock and then calls f, which may be nil. Acquire and Release, which
// run often, do so themselves.
func unlockAndCall(f func()) {
	heap.mu.Unlock()
	if f != nil {
		f()
	}
}

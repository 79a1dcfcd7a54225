//go:build unix && !linux

package process

import "runtime"

// Resident memory where the high-water mark of a process only ever rises.
//
// Invariant: a figure that cannot be had is nil, never a guess: use below an earlier
// peak does not show. Cost: a system call.

// Resident is the high-water mark at a moment, in bytes.
type Resident int64

// MarkResident returns the high-water mark.
func MarkResident() Resident { return Resident(highWater()) }

// ResidentBytes returns false: the system tells only the most that was resident.
func ResidentBytes() (int64, bool) { return 0, false }

// Peak returns how many bytes the high-water mark has risen since, or nil when it
// has not.
func (m Resident) Peak() *int64 {
	above := highWater() - int64(m)
	if above <= 0 {
		return nil
	}
	return &above
}

// highWater returns the most bytes that were ever resident. Apple counts in
// bytes, everyone else in KiB.
func highWater() int64 {
	u := usage()
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}

//go:build unix && !linux

package main

import "runtime"

// Resident memory where the high-water mark of a process only ever rises.
//
// Invariant: a figure that cannot be had is nil, never a guess: a pass that stays
// below what reading the trace took does not show. Cost: a system call.

// residentMark remembers the high-water mark when it was made.
type residentMark int64

func markResident() residentMark { return residentMark(highWater()) }

// peak returns how many bytes the high-water mark has risen since, or nil when it
// has not.
func (m residentMark) peak() *int64 {
	above := highWater() - int64(m)
	if above <= 0 {
		return nil
	}
	return &above
}

// highWater returns the most bytes that were ever resident. Apple counts in
// bytes, everyone else in KiB.
func highWater() int64 {
	u := resourceUsage()
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}

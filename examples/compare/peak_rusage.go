//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package main

import (
	"os"
	"runtime"
	"syscall"
)

// The peak of the resident size, where the system counts it.
//
// Invariant: Linux counts from before the program was started, so that it is at least what this command had then:
// see highWater for programs that take little.
//
// Cost: none.

// peakResident returns the greatest resident size of a process that has ended, in MB.
func peakResident(s *os.ProcessState) float64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(usage.Maxrss) / 1e6
	}
	return float64(usage.Maxrss) * 1024 / 1e6
}

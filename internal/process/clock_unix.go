//go:build unix && !linux

package process

import (
	"fmt"
	"syscall"
	"time"
)

// The clock of a process on other Unix systems, in microseconds.
//
// Invariant: it never goes back. Cost: a system call.

// Clock names what CPUTime counts: "cpu", or "wall" where the system tells of no
// other time.
const Clock = "cpu"

// CPUTime returns the time that all threads of the process have spent on a
// processor, the system's share included. Any goroutine.
func CPUTime() time.Duration {
	u := usage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// usage returns what the process has used so far.
func usage() (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage of the own process: %v", err))
	}
	return u
}

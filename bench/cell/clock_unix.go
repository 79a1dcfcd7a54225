//go:build unix && !linux

package cell

import (
	"fmt"
	"syscall"
	"time"
)

// The clock of a process on other Unix systems, in microseconds.
//
// Invariant: it never goes back. Cost: a system call.

// cpuTime is the time that all threads of the process have had a processor.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("the processor time of the own process: %v", err))
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

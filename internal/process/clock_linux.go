package process

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The clock of a process on Linux, in nanoseconds.
//
// Invariant: it never goes back. Cost: a system call.

// Clock names what CPUTime counts: "cpu", or "wall" where the system tells of no
// other time.
const Clock = "cpu"

// CPUTime returns the time that all threads of the process have spent on a
// processor, the system's share included. Any goroutine.
func CPUTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(fmt.Sprintf("the processor clock of the own process: %v", err))
	}
	return time.Duration(t.Nano())
}

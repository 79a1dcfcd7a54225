package cell

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// The clock of a process on Linux, in nanoseconds.
//
// Invariant: it never goes back. Cost: a system call.

// cpuTime is the time that all threads of the process have had a processor.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(fmt.Sprintf("the processor clock of the own process: %v", err))
	}
	return time.Duration(t.Nano())
}

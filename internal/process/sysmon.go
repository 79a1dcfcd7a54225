package process

import "time"

// The runtime's system monitor (sysmon): a thread that looks every 20 microseconds after
// the program made system calls, and every 10 milliseconds once it has only computed for
// a while. What its looks cost says nothing about an allocator.
//
// Invariant: no system call is made. Cost: the time it takes.

// QuietSysmon computes for 30 ms, after which the system monitor looks every 10 ms.
func QuietSysmon() {
	const enough = 30 * time.Millisecond
	for start := time.Now(); time.Since(start) < enough; {
	}
}

package process

import "time"

// Calm: the runtime's watcher looks every 20 microseconds after the program
// made system calls, and every 10 milliseconds when it has only computed for a
// while. What its looks cost says nothing about an allocator.
//
// Invariant: no system call is made. Cost: the time it takes.

// BecomeCalm computes for as long as it takes the watcher to look seldom.
func BecomeCalm() {
	const enough = 30 * time.Millisecond
	for start := time.Now(); time.Since(start) < enough; {
	}
}

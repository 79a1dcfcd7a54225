//go:build !unix

package cell

import "time"

// The clock where the system does not tell what a process used, or only in steps
// of some 16 ms.
//
// Invariant: it never goes back. Cost: that of time.Now.

var start = time.Now()

// cpuTime is the time on the wall.
func cpuTime() time.Duration { return time.Since(start) }

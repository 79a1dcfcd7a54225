//go:build !unix

package process

import "time"

// The clock where the system does not tell what a process used, or, as Windows does,
// in steps of some 16 ms: longer than a pass over a recording.
//
// Invariant: it never goes back. Cost: that of time.Now.

// Clock names what CPUTime counts: "cpu", or "wall" where the system tells of no
// other time.
const Clock = "wall"

var start = time.Now()

// CPUTime returns the time since the process started. Any goroutine.
func CPUTime() time.Duration { return time.Since(start) }

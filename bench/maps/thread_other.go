//go:build !linux

package maps

import "time"

var start = time.Now()

// threadTime returns the time since the program began, in nanoseconds.
func threadTime() int64 { return time.Since(start).Nanoseconds() }

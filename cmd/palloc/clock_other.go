//go:build !unix && !windows

package main

import "time"

// The clock where the system does not tell what a process used.
//
// Invariant: it never goes back. Cost: that of time.Now.

// clockName says what processTime counts: this system knows of no time but that
// on the wall.
const clockName = "wall"

var start = time.Now()

// processTime returns the time since the process started.
func processTime() time.Duration { return time.Since(start) }

//go:build unix

package main

import (
	"fmt"
	"syscall"
	"time"
)

// The clock of a process on Unix.
//
// Invariant: it never goes back. Cost: a system call.

// clockName says what processTime counts.
const clockName = "cpu"

// processTime returns the time that the process has spent on its processors, its
// own and the system's share together.
func processTime() time.Duration {
	u := resourceUsage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resourceUsage asks the system what the process has used so far.
func resourceUsage() (u syscall.Rusage) {
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage of the own process: %v", err))
	}
	return u
}

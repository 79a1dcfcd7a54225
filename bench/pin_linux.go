package main

import (
	"fmt"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Pinning: a cell keeps to as many processors as it has threads.
//
// Invariant: the bench's own threads stay where they were. Cost: a system call
// before and after the start.

// startPinned starts a command on the given number of processors: a child has the
// mask of the thread that starts it. It takes the last ones, because interrupts
// usually go to the first.
func startPinned(cmd *exec.Cmd, processors int) error {
	runtime.LockOSThread()
	var own unix.CPUSet
	if err := unix.SchedGetaffinity(0, &own); err != nil {
		return fmt.Errorf("cannot ask for the own processors: %w", err)
	}
	few := lastOf(own, processors)
	if err := unix.SchedSetaffinity(0, &few); err != nil {
		return fmt.Errorf("cannot keep to %d processors: %w", processors, err)
	}
	started := cmd.Start()
	if unix.SchedSetaffinity(0, &own) == nil {
		// Otherwise the thread stays locked, and ends with its goroutine.
		runtime.UnlockOSThread()
	}
	return started
}

// lastOf returns the last n processors of a set, all if it has no more.
func lastOf(all unix.CPUSet, n int) (few unix.CPUSet) {
	for i := 64*len(all) - 1; i >= 0 && n > 0; i-- {
		if all.IsSet(i) {
			few.Set(i)
			n--
		}
	}
	return few
}

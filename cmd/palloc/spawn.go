//go:build !js && !wasip1

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// Spawning: each job in a new process of this same program.
//
// Invariant: whatever becomes of the process, the caller gets an outcome, and a crash
// is one line. Cost: starting a process.

// runJob does a job in a new process and returns its outcome.
func runJob(j job) outcome {
	end, err := spawn(j)
	if err != nil {
		return j.fails(err)
	}
	return end
}

func spawn(j job) (end outcome, err error) {
	self, err := os.Executable()
	if err != nil {
		return end, fmt.Errorf("cannot find the own program: %w", err)
	}
	arg, err := json.Marshal(j)
	if err != nil {
		return end, err
	}
	var last head
	worker := exec.Command(self, workerCommand, string(arg))
	worker.Stderr = &last
	said, crash := worker.Output()
	if worker.Process == nil {
		return end, fmt.Errorf("cannot start a process for it: %w", crash)
	}
	if err := json.Unmarshal(said, &end); err != nil {
		return end, fmt.Errorf("the process for it failed (%w): %s", cmp.Or(crash, err), last.cause())
	}
	return end, nil
}

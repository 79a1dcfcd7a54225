//go:build !js && !wasip1

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
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

// head keeps the first bytes written to it: of a crash, they say why.
type head struct{ bytes.Buffer }

// Write keeps what there is room for, and returns that it kept all.
func (h *head) Write(p []byte) (int, error) {
	const room = 16 << 10
	h.Buffer.Write(p[:min(len(p), room-min(h.Len(), room))])
	return len(p), nil
}

// cause returns the line that names the reason of a crash.
func (h *head) cause() string {
	lines := strings.Split(strings.TrimSpace(h.String()), "\n")
	for _, line := range lines {
		for _, mark := range []string{"fatal error:", "panic:", "SIG"} {
			if strings.HasPrefix(line, mark) {
				return line
			}
		}
	}
	if lines[0] == "" {
		return "it said nothing"
	}
	return lines[0]
}

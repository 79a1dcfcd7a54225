//go:build !js && !wasip1

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Spawning: each job in a fresh process of this same program.
//
// Invariant: whatever becomes of the process, the caller gets one event that
// ends the job, and a crash is one line. Cost: starting a process.

// runJob does a job in a fresh process, hands its passes to progress and returns
// the event that ends it.
func runJob(j job, progress func(pass int)) event {
	end, err := spawn(j, progress)
	if err != nil {
		return j.fails(err)
	}
	return end
}

func spawn(j job, progress func(pass int)) (end event, err error) {
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
	lines, err := worker.StdoutPipe()
	if err != nil {
		return end, err
	}
	if err := worker.Start(); err != nil {
		return end, fmt.Errorf("cannot start a process for it: %w", err)
	}
	end, err = listen(lines, progress)
	if crash := worker.Wait(); end == (event{}) {
		return end, fmt.Errorf("the process for it came to grief (%v): %s", errors.Join(crash, err), last.cause())
	}
	return end, nil
}

// listen reads the events of a worker up to the last one.
func listen(r io.Reader, progress func(pass int)) (end event, err error) {
	for lines := json.NewDecoder(r); ; {
		var e event
		if err := lines.Decode(&e); err != nil {
			if err == io.EOF {
				err = nil
			}
			return end, err
		}
		if e.Pass > 0 {
			progress(e.Pass)
			continue
		}
		end = e
	}
}

// head keeps the first bytes written to it: of a crash, they say why.
type head struct{ bytes.Buffer }

// Write keeps what there is room for, and says that it kept all.
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

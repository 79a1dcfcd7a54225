package main

import (
	"bytes"
	"strings"
)

// What a process said on standard error before it failed.
//
// Invariant: it takes everything, so that the process is never held up. Cost: 16 KiB.

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

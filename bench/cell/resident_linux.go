package cell

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/gopalloc/palloc"
)

// Resident memory, on Linux, where a process can set its high-water mark back.
//
// Invariant: a figure that cannot be had is an error, never a guess. Cost: a
// collection, and two small files of /proc.

// markResident gives back what nobody holds, sets the high-water mark back to
// what is resident then, and returns that.
func markResident() (base int64, err error) {
	palloc.Trim()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0, fmt.Errorf("cell: the mark of resident memory cannot be set back: %w", err)
	}
	return statusBytes("VmRSS:")
}

// peakResident is the most bytes that have been resident since the mark.
func peakResident() (int64, error) { return statusBytes("VmHWM:") }

// statusBytes reads a line of /proc/self/status, which counts in KiB.
func statusBytes(field string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("cell: resident memory is not told: %w", err)
	}
	_, rest, _ := bytes.Cut(status, []byte("\n"+field))
	line, _, _ := bytes.Cut(rest, []byte(" kB"))
	kib, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cell: /proc/self/status has %q where %s was looked for: %w", line, field, err)
	}
	return kib << 10, nil
}

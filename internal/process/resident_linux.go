package process

import (
	"bytes"
	"os"
	"strconv"
)

// Resident memory on Linux, where a process can set its high-water mark back.
//
// Invariant: a figure that cannot be had is nil, never a guess. Cost: two small
// files of /proc for each of MarkResident and Peak.

// Resident is what was resident at a moment, in bytes.
type Resident struct {
	base int64
	ok   bool
}

// MarkResident sets the high-water mark back to what is resident now.
func MarkResident() Resident {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return Resident{}
	}
	base, ok := statusBytes("VmRSS:")
	return Resident{base, ok}
}

// ResidentBytes returns how many bytes are resident now, and false when the system does
// not tell. Any goroutine.
func ResidentBytes() (int64, bool) { return statusBytes("VmRSS:") }

// Peak returns how many bytes more than at the mark have been resident since, or
// nil when the system does not tell.
func (m Resident) Peak() *int64 {
	high, ok := statusBytes("VmHWM:")
	if !m.ok || !ok {
		return nil
	}
	above := max(high-m.base, 0)
	return &above
}

// statusBytes returns a line of /proc/self/status, which counts in KiB.
func statusBytes(field string) (int64, bool) {
	status, err := os.ReadFile("/proc/self/status")
	_, rest, found := bytes.Cut(status, []byte("\n"+field))
	if err != nil || !found {
		return 0, false
	}
	line, _, _ := bytes.Cut(rest, []byte(" kB"))
	kib, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	return kib << 10, err == nil
}

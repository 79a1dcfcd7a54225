// Package cgroup finds the memory limit of the process's Linux container.
//
// It holds: where control groups, of version 1 and 2, keep their limits.
//
// Invariant: the limit of a group is the lowest of its own and its ancestors'. Where
// the process sees only its own part of the hierarchy, the root of that part is read.
//
// Cost: a few small files, read once.
package cgroup

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// unlimited is the lowest figure that means no limit: version 1 writes the largest
// multiple of a page.
const unlimited = 1 << 62

// Limit returns the memory limit, in bytes, that control groups set for the process.
// ok is false when none does, or none can be read. root is the root directory of the
// file system.
func Limit(root fs.FS) (bytes int64, ok bool) {
	list, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	lowest := int64(unlimited)
	for line := range strings.Lines(string(list)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy, controllers, path
		switch {
		case len(fields) != 3:
		case fields[0] == "0":
			lowest = min(lowest, lowestLimit(root, "sys/fs/cgroup", fields[2], "memory.max"))
		case hasMemory(fields[1]):
			lowest = min(lowest, lowestLimit(root, "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"))
		}
	}
	return lowest, lowest < unlimited
}

// hasMemory reports whether the memory controller is in a comma-separated list.
func hasMemory(controllers string) bool {
	for c := range strings.SplitSeq(controllers, ",") {
		if c == "memory" {
			return true
		}
	}
	return false
}

// lowestLimit returns the lowest limit of a group and its ancestors, or unlimited.
func lowestLimit(root fs.FS, mount, group, file string) int64 {
	lowest := int64(unlimited)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		text, err := fs.ReadFile(root, path.Join(mount, group, file))
		if err == nil {
			// "max" is not a number: no limit.
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				lowest = min(lowest, n)
			}
		}
		if group == "/" {
			return lowest
		}
	}
}

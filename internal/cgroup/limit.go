// Package cgroup knows how much memory Linux grants the process's container.
//
// It holds: where the limits of control groups stand, of both versions.
//
// Invariant: a group's limit is the least of its own and of those around it. Where
// the process sees only its own part of the tree, that part's root is asked.
//
// Cost: a few small files, once.
package cgroup

import (
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// none is where the figures begin that mean no limit: version 1 says so by the
// largest multiple of a page.
const none = 1 << 62

// Limit is the bytes that the process's control groups grant it, read from a root
// directory; false where none does, or none can be read.
func Limit(root fs.FS) (bytes int64, ok bool) {
	list, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	least := int64(none)
	for line := range strings.Lines(string(list)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // hierarchy, controllers, path
		switch {
		case len(fields) != 3:
		case fields[0] == "0":
			least = min(least, along(root, "sys/fs/cgroup", fields[2], "memory.max"))
		case hasMemory(fields[1]):
			least = min(least, along(root, "sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"))
		}
	}
	return least, least < none
}

func hasMemory(controllers string) bool {
	for c := range strings.SplitSeq(controllers, ",") {
		if c == "memory" {
			return true
		}
	}
	return false
}

// along is the least limit of a group and of those around it; none where no file says.
func along(root fs.FS, mount, group, file string) int64 {
	least := int64(none)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		text, err := fs.ReadFile(root, path.Join(mount, group, file))
		if err == nil {
			// "max" is no number, and no limit.
			if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
				least = min(least, n)
			}
		}
		if group == "/" {
			return least
		}
	}
}

package cgroup_test

import (
	"testing"
	"testing/fstest"

	"github.com/gopalloc/palloc/internal/cgroup"
)

func TestLimitIsTheLowestOfAllAncestors(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64 // bytes; 0: no limit
	}{
		{"not Linux", nil, 0},
		{"no group has a limit", map[string]string{
			"proc/self/cgroup":                     "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":           "max\n",
			"sys/fs/cgroup/a/b/memory.max":         "max\n",
			"sys/fs/cgroup/elsewhere/x/memory.max": "4096\n",
		}, 0},
		{"version 2, its own", map[string]string{
			"proc/self/cgroup":             "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":   "max\n",
			"sys/fs/cgroup/a/b/memory.max": "536870912\n",
		}, 512 << 20},
		{"version 2, the parent's is lower", map[string]string{
			"proc/self/cgroup":             "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":   "268435456\n",
			"sys/fs/cgroup/a/b/memory.max": "536870912\n",
		}, 256 << 20},
		{"version 2, in a container that sees only its own part", map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "1073741824\n",
		}, 1 << 30},
		{"version 1, the path is the host's", map[string]string{
			"proc/self/cgroup":                               "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":     "134217728\n",
			"sys/fs/cgroup/cpu/docker/memory.limit_in_bytes": "1\n",
		}, 128 << 20},
		{"version 1, no limit", map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0},
		{"both versions", map[string]string{
			"proc/self/cgroup": "4:memory:/a\n0::/\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "67108864\n",
		}, 64 << 20},
	} {
		root := fstest.MapFS{}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, ok := cgroup.Limit(root); ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%s: Limit returns %d bytes, %v; want %d", c.name, got, ok, c.want)
		}
	}
}

package proptest_test

import (
	"sync"
	"testing"
)

// The rare paths that programs must reach, as far as public statistics and addresses tell.
// Programs that always take the same few paths would find nothing.
//
// Invariant: a path that is reached is in the table; wantPaths compares.
//
// Cost: a lock and a look into a map, for what is rare.

// minReached is how often an ordinary run must reach each path.
const minReached = 100

var paths = struct {
	sync.Mutex
	reached map[string]int
}{reached: map[string]int{}}

var pathNames = []string{
	"a block larger than the one before",
	"a block of its own for a large chunk",
	"a keeper is used after a reset",
	"a free list serves: AllocSet",
	"a free list serves: Shared",
	"a free list serves: Slab",
	"a Generation uses a freed chunk again",
	"a free returns a block: Generation",
	"a free returns a block: Slab",
	"a free returns the block of a large chunk",
	"Compact joins free chunks",
	"Compact returns a block: AllocSet",
	"Compact returns a block: Slab",
	"a joined span serves",
	"a new context has the block of an earlier one",
	"a limit refuses",
	"a limit refuses, and pressure makes room",
	"a limit is kept by freed chunks alone",
	"a soft limit asks",
	"Realloc grows in place: up to 8 KiB",
	"Realloc grows in place: large",
	"Realloc moves",
	"Realloc shrinks in place",
	"Realloc shrinks a large chunk to another place",
	"Realloc moves an aligned chunk",
	"Realloc is refused",
	"an aligned chunk in a larger one",
	"an aligned chunk behind a gap",
	"Append moves a slice and frees the old chunk",
	"Append moves a slice and leaves the old chunk",
	"Append grows in place at a Bump's end",
	"Append within the capacity",
	"a Buffer moves",
	"a Buffer is refused",
	"a Buffer of a reset context is a Fault",
	"a callback runs",
	"a callback registers another one",
	"a callback allocates",
	"a callback is stopped",
	"callbacks of several contexts run in one call",
	"a context moves into a budget",
	"a context moves out of a budget",
	"Trim returns memory",
	"a double free is a Fault",
	"a free after a reset is a Fault",
	"a free of the middle of a chunk is a Fault",
	"a free in a Bump is a Fault",
	"a wrong size for a Slab is a Fault",
	"a deleted context is a Fault",
	"a cycle is a Fault",
	"a critical section is a Fault",
}

// reach counts that a path was reached.
func reach(path string) {
	paths.Lock()
	defer paths.Unlock()
	paths.reached[path]++
}

// reachIf counts a path if the condition holds.
func reachIf(condition bool, path string) {
	if condition {
		reach(path)
	}
}

// wantPaths fails the test if a path was reached less than min times.
func wantPaths(t *testing.T, min int) {
	t.Helper()
	paths.Lock()
	defer paths.Unlock()
	known := map[string]bool{}
	for _, path := range pathNames {
		known[path] = true
		t.Logf("%8d %s", paths.reached[path], path)
		if paths.reached[path] < min {
			t.Errorf("%s: reached %d times, less than %d", path, paths.reached[path], min)
		}
	}
	for path := range paths.reached {
		if !known[path] {
			t.Errorf("%s: is not in the table", path)
		}
	}
}

//go:build linux && !race && !palloc_goheap

package palloc_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
)

// A system that refuses memory: memory that contexts released can be used again. Only Linux
// is tested, which limits a process's writable memory (RLIMIT_DATA), and only where contexts
// have memory of their own.

// inChild is in the environment of the process with a limit on its data.
const inChild = "PALLOC_TEST_DATA_LIMIT"

func TestFreedMemoryIsHadAgainUnderALimitOnData(t *testing.T) {
	if os.Getenv(inChild) != "" {
		fillUnderALimit(t)
		return
	}
	if testing.Short() {
		t.Skip("-short: starts a process, and fills 400 MB")
	}
	child := exec.Command("sh", "-c", `ulimit -d 400000 && exec "$0" -test.v -test.run='^`+t.Name()+`$'`, os.Args[0])
	child.Env = append(os.Environ(), inChild+"=1")
	out, err := child.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || exit.ExitCode() >= 126) {
		t.Skip("this machine does not start the test with a limit: ", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillUnderALimit allocates chunks of each size until the system refuses, twice.
func fillUnderALimit(t *testing.T) {
	spare := make([]byte, 64<<20) // for Go's heap meanwhile
	runtime.KeepAlive(spare)
	c := palloc.NewAllocSet(newRoot(t), "c")
	fill := func(size int) (chunks int) {
		for {
			if _, err := c.TryAlloc(size); err != nil {
				c.Reset()
				return chunks
			}
			if chunks++; chunks*size > 1<<30 {
				t.Fatal("the limit does not limit")
			}
		}
	}
	for _, size := range []int{10 << 10, 20 << 10, 40 << 10, 100 << 10, 400 << 10, 1 << 20, 3 << 20, 1000, 8000, 6 << 20, 7 << 20, 20 << 20} {
		first := fill(size)
		again := fill(size)
		t.Logf("%8d bytes: %d chunks until the system refused, after a reset %d", size, first, again)
		if again*100 < first*95 {
			t.Errorf("%d chunks of %d bytes until the system refused, and only %d after a reset, with %d MiB retained",
				first, size, again, palloc.PageHeap().Retained>>20)
		}
	}
}

package conformance_test

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/conformance"
	"github.com/gopalloc/palloc/internal/kind/conformance/redzone"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
	"github.com/gopalloc/palloc/internal/osmem"
)

// hot are the kinds with stages on the hot path.
var hot = []kind.ID{allocset.ID, bump.ID, generation.ID, slab.ID}

// subjects are all kinds of the table, and what only tests have. Left out are those of
// package shared, which need shards and an owner.
func subjects() (list []conformance.Kind) {
	for id, m := range kinds.Methods {
		if id := kind.ID(id); m != nil && id != shared.ID && id != shared.ShardID {
			k := conformance.Kind{ID: id, Methods: m, Hot: slices.Contains(hot, id)}
			if checked.Is(id) {
				k.Methods, k.InUse = named{m, "Checked" + m.Name()}, checked.InUse
				k.Begin = func(c *kind.Core) { checked.Begin(c, id, "test", checked.Default()) }
			}
			list = append(list, k)
		}
	}
	return append(list,
		conformance.Kind{ID: kind.NoClasses | kind.Reopens | 30, Methods: named{allocset.Cold{}, "Cold"}},
		conformance.Kind{ID: redzone.ID, Methods: redzone.Methods{}})
}

// named gives a kind a name of its own.
type named struct {
	kind.Methods
	name string
}

func (n named) Name() string { return n.name }

// onGoHeap tells a test process to take its memory from Go's heap.
const onGoHeap = "PALLOC_TEST_GOHEAP"

func TestMain(m *testing.M) {
	if os.Getenv(onGoHeap) != "" {
		osmem.Use(osmem.GoHeap)
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	for _, k := range subjects() {
		t.Run(k.Methods.Name(), func(t *testing.T) { conformance.Run(t, k) })
	}
}

// TestConformanceOnGoHeap runs the suite once more in a process whose memory is
// the Go heap's.
func TestConformanceOnGoHeap(t *testing.T) {
	if osmem.Current() == osmem.GoHeap {
		t.Skip("this process's memory is the Go heap's already")
	}
	self, err := os.Executable()
	if err != nil {
		t.Skip("this system does not name the test's own program: ", err)
	}
	cmd := exec.Command(self, "-test.run=^TestConformance$")
	cmd.Env = append(os.Environ(), onGoHeap+"=1")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("this program cannot start itself, an emulator runs it: ", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

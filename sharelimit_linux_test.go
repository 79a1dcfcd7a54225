//go:build !race && !palloc_goheap

package palloc_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// One limit for Go's memory and that of contexts, seen from outside: a child process moves
// memory between the two, and the test measures its resident size.

const (
	sharedTotal = 512 << 20
	moved       = 400 << 20
	movedPiece  = 64 << 10
	movedPieces = moved / movedPiece
)

// TestMoveMemory is no test: the child process runs it, with Go's limit alone or with the
// shared one.
func TestMoveMemory(t *testing.T) {
	switch os.Getenv("PALLOC_TEST_MOVE") {
	case "shared":
		stop, err := palloc.ShareMemoryLimit(sharedTotal)
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	case "alone":
		debug.SetMemoryLimit(sharedTotal)
	default:
		t.Skip("for children of this test only")
	}
	var m mover
	for range 3 {
		m.fillHeap()
		m.heap = [movedPieces][]byte{} // garbage at once, and contexts grow fast
		m.fillContext()
		m.mc.Delete() // unused at once, and Go's heap grows fast
		m.fillHeap()
		m.toContext()
		m.toHeap()
		m.heap = [movedPieces][]byte{}
	}
}

// A mover has movedPieces pieces, each in Go's heap or in a context.
type mover struct {
	heap [movedPieces][]byte
	off  [movedPieces]unsafe.Pointer
	mc   palloc.Context
}

func (m *mover) fillHeap() {
	for i := range m.heap {
		m.heap[i] = make([]byte, movedPiece)
		touch(m.heap[i])
	}
}

func (m *mover) fillContext() {
	m.mc = palloc.NewAllocSet(palloc.Top(), "moved")
	for i := range m.off {
		m.off[i] = m.mc.Alloc(movedPiece)
		touch(bytesAt(m.off[i], movedPiece))
	}
}

func (m *mover) toContext() {
	m.mc = palloc.NewAllocSet(palloc.Top(), "moved")
	for i := range m.heap {
		m.off[i] = m.mc.Alloc(movedPiece)
		copy(bytesAt(m.off[i], movedPiece), m.heap[i])
		m.heap[i] = nil
	}
}

func (m *mover) toHeap() {
	for i, p := range m.off {
		m.heap[i] = make([]byte, movedPiece)
		copy(m.heap[i], bytesAt(p, movedPiece))
		palloc.FreePointer(p)
	}
	m.mc.Delete()
}

// touch makes all pages resident.
func touch(b []byte) {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

// peakOf runs the child and returns the highest resident size seen, in bytes.
func peakOf(t *testing.T, how string) (peak int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestMoveMemory$", "-test.timeout=120s")
	child.Env = append(os.Environ(), "PALLOC_TEST_MOVE="+how, "GOGC=100", "GOMEMLIMIT=off")
	var said bytes.Buffer
	child.Stdout, child.Stderr = &said, &said
	if err := child.Start(); err != nil {
		t.Skip("no child can be started here: ", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	begin, seen := time.Now(), 0
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("the child: %v\n%s", err, said.Bytes())
			}
			t.Logf("%s: %d MiB resident at most, of %d readings in %v", how, peak>>20, seen, time.Since(begin).Round(time.Millisecond))
			return peak
		case <-time.After(2 * time.Millisecond):
			if size := residentOf(child.Process.Pid); size > 0 {
				peak, seen = max(peak, size), seen+1
			}
		}
	}
}

// residentOf returns the resident size of a process in bytes, 0 when it has ended.
func residentOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var all, pages int
	if _, err := fmt.Fscan(bytes.NewReader(text), &all, &pages); err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}

func TestShareMemoryLimitKeepsTheTotal(t *testing.T) {
	if cramped() {
		t.Skip("moves half a gigabyte")
	}
	const slack = sharedTotal / 32 // on a busy machine the balance comes late, and the program's own pages count
	if peak := peakOf(t, "shared"); peak > sharedTotal+slack {
		t.Errorf("%d bytes were resident, with a shared limit of %d", peak, sharedTotal)
	}
	if peak := peakOf(t, "alone"); peak <= sharedTotal {
		t.Errorf("%d bytes were resident at most, with Go's limit of %d alone: nothing is moved that a shared limit is for", peak, sharedTotal)
	}
}

//go:build linux && !race && !palloc_goheap

package palloc_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/gopalloc/palloc"
)

// Resident memory: deleted memory goes back to the system. Only Linux is tested, and only
// where contexts have memory of their own.

// resident returns the resident size of the process in bytes, without unused memory of Go's
// heap.
func resident(t *testing.T) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("this system does not say how much memory is resident: ", err)
	}
	var all, pages int
	if _, err := fmt.Fscan(bytes.NewReader(text), &all, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

const (
	residentChunks = 1 << 20
	residentSize   = 256
	residentSlack  = 4 << 20
)

func TestDeletedMemoryGoesBackToTheSystem(t *testing.T) {
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		mc := newRoot(t)
		palloc.Trim()
		before := resident(t)
		c := newKind(mc, k, "c", residentSize)
		for i := range residentChunks {
			b := bytesAt(c.Alloc(residentSize), residentSize)
			b[0], b[residentSize-1] = byte(i), 1
		}
		full := resident(t)
		c.Delete()
		palloc.Trim()
		after := resident(t)
		t.Logf("resident size: %d KiB, with %d MiB of chunks %+d MiB, after the deletion %+d KiB",
			before>>10, residentChunks*residentSize>>20, (full-before)>>20, (after-before)>>10)
		if full < before+residentChunks*residentSize {
			t.Errorf("%d bytes of chunks made %d bytes resident", residentChunks*residentSize, full-before)
		}
		if after > before+residentSlack {
			t.Errorf("%d bytes are still resident after the deletion", after-before)
		}
	})
}

// TestFreedMemoryGoesBackToTheSystem frees every chunk, without a reset or deletion. An
// AllocSet keeps its blocks until a reset.
func TestFreedMemoryGoesBackToTheSystem(t *testing.T) {
	chunks := make([]*[residentSize]byte, residentChunks) // before the first reading
	for i := range chunks {
		chunks[i] = nil
	}
	each(t, []palloc.Kind{palloc.KindSlab, palloc.KindGeneration}, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", residentSize)
		palloc.Trim()
		before := resident(t)
		for i := range chunks {
			chunks[i] = palloc.New[[residentSize]byte](c)
			chunks[i][0] = 1
		}
		for i, p := range chunks {
			palloc.Free(p)
			chunks[i] = nil
		}
		wantEmpty(t, c)
		palloc.Trim()
		after := resident(t)
		t.Logf("all chunks freed: %+d KiB", (after-before)>>10)
		if after > before+residentSlack+residentChunks*residentSize/8 {
			t.Errorf("%d bytes are still resident after all is freed", after-before)
		}
	})
	runtime.KeepAlive(chunks)
}

func TestAResetContextHoldsLittleResident(t *testing.T) {
	mustBePlain(t)
	each(t, kinds, func(t *testing.T, k palloc.Kind) {
		c := newKind(newRoot(t), k, "c", residentSize)
		palloc.Trim()
		before := resident(t)
		for range 20 {
			for range residentChunks / 8 {
				clear(bytesAt(c.Alloc(residentSize), residentSize))
			}
			c.Reset()
		}
		palloc.Trim()
		if after := resident(t); after > before+residentSlack {
			t.Errorf("%d bytes are still resident after the resets", after-before)
		}
	})
}

// TestZeroedMemoryThatIsFreshStaysWithTheSystem checks that fresh memory is not cleared, and
// so not resident until it is written to.
func TestZeroedMemoryThatIsFreshStaysWithTheSystem(t *testing.T) {
	const size = 256 << 20
	for name, way := range zeroing {
		for _, k := range kinds {
			c := newKind(newRoot(t), k, "c", size)
			for _, state := range []string{"fresh", "given back", "given back again"} {
				palloc.Trim()
				before := resident(t)
				b := way(c, size)
				if grew := resident(t) - before; grew > size/8 {
					t.Errorf("%s of %d bytes of memory that is %s, %v: %d bytes became resident", name, size, state, k, grew)
				}
				b[size-1] = 1
				c.Reset()
			}
			c.Delete()
		}
	}
	c := palloc.NewAllocSet(newRoot(t), "c")
	palloc.Trim()
	before := resident(t)
	p := palloc.ReallocZeroed(c.Alloc(100_000), 100_000, size)
	if grew := resident(t) - before; grew > size/8 {
		t.Errorf("a chunk that grew to %d bytes made %d bytes resident", size, grew)
	}
	palloc.FreePointer(p)
	for _, k := range kinds {
		if k == palloc.KindSlab {
			continue // aligns to 8 bytes only
		}
		c := newKind(newRoot(t), k, "c", size)
		palloc.Trim()
		before := resident(t)
		c.AllocAlignedZeroed(size, 64)
		if grew := resident(t) - before; grew > size/8 {
			t.Errorf("%d aligned bytes, zeroed, in a %v made %d bytes resident", size, k, grew)
		}
		c.Delete()
	}
}

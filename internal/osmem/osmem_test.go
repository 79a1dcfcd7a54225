package osmem_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/gopalloc/palloc/internal/osmem"
)

// sources are Go's heap, and that of the system where the build has it.
func sources() []osmem.Source {
	if osmem.Current() == osmem.GoHeap {
		return []osmem.Source{osmem.GoHeap}
	}
	return []osmem.Source{osmem.GoHeap, osmem.Current()}
}

func isZero(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// TestSourceKeepsItsContract: committed memory is zero and can be written to, and stays
// so after a Discard, whether that succeeds or not.
func TestSourceKeepsItsContract(t *testing.T) {
	size := 32 * osmem.PageSize()
	for _, s := range sources() {
		t.Run(s.Name(), func(t *testing.T) {
			if n := s.RegionSize(); n == 0 || n&(n-1) != 0 {
				t.Errorf("the size of a region is %d, not a power of two", n)
			}
			addr, err := s.Reserve(2 * size)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Commit(addr, size); err != nil {
				t.Fatal(err)
			}
			b := osmem.Bytes(addr, size)
			if !isZero(b) {
				t.Error("committed memory is not zero")
			}
			for i := range b {
				b[i] = 1
			}
			discarded, kept := b[:size/2], b[size/2:]
			switch err := s.Discard(addr, size/2); {
			case err != nil && s.DiscardFrees():
				t.Errorf("Discard: %v", err)
			case err == nil && s.DiscardZeroes() && !isZero(discarded):
				t.Error("discarded memory is not zero")
			}
			for _, c := range kept {
				if c != 1 {
					t.Fatal("Discard changed memory beyond its range")
				}
			}
			discarded[0], discarded[len(discarded)-1] = 2, 2
			s.Release(addr, 2*size)
		})
	}
}

func TestReserveOfTooMuchIsErrNoMemory(t *testing.T) {
	for _, s := range sources() {
		if _, err := s.Reserve(^uintptr(0) &^ (osmem.PageSize() - 1)); !errors.Is(err, osmem.ErrNoMemory) {
			t.Errorf("%s: Reserve of the whole address space returns %v", s.Name(), err)
		}
	}
}

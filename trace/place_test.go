package trace_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// A placed trace is equal to the one it was made from and independent of it.
func TestPlace(t *testing.T) {
	tr := sample(t)
	var given [][]uint64
	placed := tr.Place(func(size int) unsafe.Pointer {
		if size == 0 {
			t.Error("no memory is wanted for an empty table")
		}
		memory := make([]uint64, (size+7)/8)
		given = append(given, memory)
		return unsafe.Pointer(unsafe.SliceData(memory))
	})
	wantSame(t, placed, tr)
	wantVerified(t, placed, &honest{})
	if string(plain(t, placed)) != string(plain(t, tr)) {
		t.Error("a placed trace is written differently")
	}
	for _, memory := range given {
		clear(memory)
	}
	if code := placed.Ops()[0].Code(); code != trace.OpEnd {
		t.Errorf("the ops do not lie in the memory given: op 0 is %s when it is cleared", code)
	}
	if code := tr.Ops()[0].Code(); code != trace.OpCreate {
		t.Errorf("clearing the placed trace changed the first: op 0 is %s", code)
	}
}

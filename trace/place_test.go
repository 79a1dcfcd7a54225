package trace_test

import (
	"testing"
	"unsafe"

	"github.com/gopalloc/palloc/trace"
)

// A placed trace is equal to the one it was made from and independent of it.
func TestPlace(t *testing.T) {
	tr := sample(t)
	words := make([]uint64, tr.Size()/8)
	placed := tr.Place(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), tr.Size()))
	wantSame(t, placed, tr)
	wantVerified(t, placed, &honest{})
	if string(plain(t, placed)) != string(plain(t, tr)) {
		t.Error("a placed trace is written differently")
	}
	clear(words)
	if code := placed.Ops()[0].Code(); code != trace.OpEnd {
		t.Errorf("the ops do not lie in the memory given: op 0 is %s when it is cleared", code)
	}
	if code := tr.Ops()[0].Code(); code != trace.OpCreate {
		t.Errorf("clearing the placed trace changed the first: op 0 is %s", code)
	}
}

package palloc_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/gopalloc/palloc"
)

// Checked contexts. The fault matrix has one cell for each misuse; here is what else they promise.

// row is a row of a query, whose name should lie in a context.
type row struct {
	palloc.NoHeapPointers
	id   uint64
	name string
	next *row
}

// faultsOf returns the Faults that Check joined.
func faultsOf(err error) (all []*palloc.Fault) {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			all = append(all, faultsOf(e)...)
		}
		return all
	}
	var f *palloc.Fault
	if errors.As(err, &f) {
		all = append(all, f)
	}
	return all
}

// TestAForgottenCloneStringIsFound: of a thousand rows one has its name on Go's heap.
func TestAForgottenCloneStringIsFound(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "rows", palloc.Checked())
	defer mc.Delete()
	rows := palloc.Grow[row](mc, nil, 1000)[:1000]
	for i := range rows {
		rows[i].name = palloc.CloneString(mc, strings.Repeat("n", i%20))
	}
	if err := mc.Check(); err != nil {
		t.Fatal(err)
	}
	rows[500].name = strings.Repeat("x", 30)
	_, _, line, _ := runtime.Caller(0)
	all := faultsOf(mc.Check())
	if len(all) != 1 || all[0].Mistake != palloc.WrongPointer {
		t.Fatalf("Check finds %v", all)
	}
	for _, part := range []string{"[500] of palloc_test.row.name", "Go's heap", "checked_test.go"} {
		if !strings.Contains(all[0].Error(), part) {
			t.Errorf("the text lacks %q: %v", part, all[0])
		}
	}
	if made := all[0].Made[0].Line; made < line-15 || made > line {
		t.Errorf("made at line %d, Check is called at %d", made, line)
	}
}

// TestPointersToWhatEndsBefore are found while it lives, and once it is gone.
func TestPointersToWhatEndsBefore(t *testing.T) {
	mc := palloc.NewAllocSet(palloc.Top(), "long", palloc.Checked())
	defer mc.Delete()
	short := palloc.NewBump(mc, "short")
	r := palloc.New[row](mc)
	r.next = palloc.New[row](mc)
	if err := mc.Check(); err != nil {
		t.Fatal(err)
	}
	r.next = palloc.New[row](short)
	all := faultsOf(mc.Check())
	if len(all) != 1 || !strings.Contains(all[0].Error(), "row.next") || !strings.Contains(all[0].Error(), `"Top/long/short", which ends before`) {
		t.Errorf("Check finds %v", all)
	}
	short.Delete()
	all = faultsOf(mc.Check())
	if len(all) != 1 || !strings.Contains(all[0].Error(), "deleted by Context.Delete at") {
		t.Errorf("Check finds %v", all)
	}
	r.next = nil
	if err := mc.Check(); err != nil {
		t.Error(err)
	}
}

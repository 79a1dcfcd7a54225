package palloc_test

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/gopalloc/palloc"
)

// Refusals by the thousand: who tries, is refused and makes room does not pay for a
// walk through all contexts each time.

func TestRefusalsShareTheWalkThroughALargeTree(t *testing.T) {
	if cramped() {
		t.Skip("a tree that is small costs nothing")
	}
	const contexts, chunks = 200_000, 400_000
	for name, enlarge := range map[string]func(mc palloc.Context){
		"many contexts": func(mc palloc.Context) {
			for range contexts {
				palloc.NewAllocSet(mc, "c")
			}
		},
		"many freed chunks": func(mc palloc.Context) {
			all := make([]unsafe.Pointer, chunks)
			for i := range all {
				all[i] = mc.Alloc(16)
			}
			for i := range all {
				palloc.FreePointer(all[i*7919%chunks])
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			mc := newRoot(t)
			enlarge(mc)
			mc.SetLimit(64 << 20)
			asks := palloc.NewAllocSet(mc, "asks")
			walks := map[time.Time]bool{}
			begin := time.Now()
			for range 100 {
				_, err := asks.TryAlloc(100 << 20)
				var oom *palloc.OutOfMemoryError
				if !errors.As(err, &oom) || len(oom.Tree.Rows) == 0 || oom.Tree.Rows[0].Name != "test" {
					t.Fatalf("the error is %v", err)
				}
				oom.Tree.Rows[0].Name = "the program's own"
				walks[oom.Tree.Time] = true
			}
			if len(walks) > 50 {
				t.Errorf("100 refusals took %d walks and %v", len(walks), time.Since(begin))
			}
			t.Logf("%d walks, %v", len(walks), time.Since(begin))
		})
	}
}

func TestARefusalKnowsASmallTreeAsItIs(t *testing.T) {
	mc := newRoot(t)
	mc.SetLimit(64 << 10)
	exact := 0
	for i := range 100 {
		palloc.NewAllocSet(mc, "c")
		_, err := mc.TryAlloc(100 << 10)
		var oom *palloc.OutOfMemoryError
		if errors.As(err, &oom) && len(oom.Tree.Rows) == i+2 {
			exact++
		}
	}
	if exact < 50 { // those whose walk was interrupted may be older
		t.Errorf("%d trees of 100 are as they were", exact)
	}
}

package bump_test

import (
	"slices"
	"testing"

	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/conformance"
)

// What the check of a Bump compares, each broken by itself.

func TestTheCheckFindsEachBreak(t *testing.T) {
	subject := conformance.Kind{ID: bump.ID, Methods: bump.Methods{}, Hot: true}
	conformance.RunBreaks(t, subject, fill, slices.Concat(conformance.Common, conformance.Current, breaks))
}

func fill(b *conformance.Broken) {
	for i := range uintptr(300) {
		b.Alloc(i)
	}
	for range 3 {
		b.Alloc(8000)
	}
}

var breaks = []conformance.Break{
	{Name: "a large block that chunks share", Words: "and its head says that it is one large chunk's", Do: func(b *conformance.Broken) uintptr {
		conformance.Overwrite(b, &b.Large(1).Dedicated, 1)
		return b.Large(1).Address()
	}},
	{Name: "more lost than there is", Words: "lost at the ends of blocks, which have space for", Do: func(b *conformance.Broken) uintptr {
		conformance.Overwrite(b, &b.C.Tails, b.C.Total-b.C.Remaining())
		return 0
	}},
}

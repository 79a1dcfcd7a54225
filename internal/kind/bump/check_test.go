package bump_test

import (
	"testing"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/conformance"
)

type broken = conformance.Broken

// What the check of a Bump compares, each broken by itself.

func TestTheCheckFindsEachBreak(t *testing.T) {
	conformance.RunBreaks(t, bump.ID, bump.Methods{}, fill, conformance.Common, conformance.Current, breaks)
}

func fill(b *broken) {
	for i := range uintptr(300) {
		b.Alloc(i)
	}
	b.Fill(3, 8000)
}

var breaks = []conformance.Break{
	{Name: "a large block that chunks share", Words: "and its head says that it is one large chunk's", Do: conformance.InLarge(1, func(b *broken, k *kind.Block) { conformance.Overwrite(b, &k.Dedicated, 1) })},
	{Name: "more lost than there is", Words: "lost at the ends of blocks, which have space for", Do: conformance.Somewhere(func(b *broken) { conformance.Overwrite(b, &b.C.Tails, b.C.Total-b.C.Remaining()) })},
}

package shared

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
)

// The check of a shared context: of each part, and of the sum.
//
// Invariant: as in package kind. Nobody else is at work.
//
// Cost: that of an AllocSet's, for each part.

func (Methods) Check(c *kind.Core, report func(kind.Flaw)) {
	total, blocks := uintptr(0), uint32(0)
	for p := range parts(c) {
		if p.Payer() != c || p.Kind() != kind.SharedPart {
			report(kind.Flaw{Reason: "a part is not this context's"})
			return
		}
		allocset.Methods{}.Check(&p.Core, report)
		total += p.Total
		blocks += p.BlockCount
	}
	if total != c.Total || blocks != c.BlockCount {
		report(kind.Flaw{Reason: "its parts hold together something else than the context"})
	}
}

// Package kinds is the table of the kinds of contexts: the one place that knows them all.
//
// Invariant: a kind that is not in the table does not exist.
//
// Cost: a call by it is an indirect call.
package kinds

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// Methods has the methods of each kind, by its ID; nil where there is no kind.
var Methods = [kind.Kinds]kind.Methods{
	kind.AllocSet:   allocset.Methods{},
	kind.Bump:       bump.Methods{},
	kind.Generation: generation.Methods{},
	kind.Slab:       slab.Methods{},
	kind.Shared:     shared.Methods{},
	kind.SharedPart: shared.Part{},
}

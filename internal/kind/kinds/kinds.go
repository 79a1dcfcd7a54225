// Package kinds is the table of the kinds of contexts, the one place that names them all.
//
// Invariant: a kind that is not in the table does not exist. Two kinds with one ID do not
// compile.
//
// Cost: a call by it is an indirect call; its traits are a load.
package kinds

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/checked"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/shared"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// Methods has the methods of each kind by its ID, nil where there is no kind. To add a
// kind is to add its line.
var Methods = [kind.Kinds]kind.Methods{
	allocset.ID:    allocset.Methods{},
	bump.ID:        bump.Methods{},
	generation.ID:  generation.Methods{},
	slab.ID:        slab.Methods{},
	shared.ID:      shared.Methods{},
	shared.ShardID: shared.Shard{},

	checked.AllocSet:   &checked.Methods{For: allocset.Methods{}},
	checked.Bump:       &checked.Methods{For: bump.Methods{}},
	checked.Generation: &checked.Methods{For: generation.Methods{}},
	checked.Slab:       &checked.Methods{For: slab.Methods{}},
	checked.Shared:     &checked.Methods{For: shared.Methods{}},
}

// traits has the traits of each kind by its ID, so that to ask for them is no call.
var traits = traitsOf(Methods)

func traitsOf(all [kind.Kinds]kind.Methods) (t [kind.Kinds]kind.Traits) {
	for id, m := range all {
		if m != nil {
			t[id] = m.Traits()
		}
	}
	return t
}

// Add puts another kind into the table, before there is a context of it. It is for tests.
func Add(id kind.ID, m kind.Methods) { Methods[id], traits[id] = m, m.Traits() }

// Traits returns what the kind with an ID can do; the zero Traits if there is no such kind.
func Traits(id kind.ID) kind.Traits { return traits[id] }

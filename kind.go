package palloc

import (
	"fmt"

	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/kind/allocset"
	"github.com/gopalloc/palloc/internal/kind/bump"
	"github.com/gopalloc/palloc/internal/kind/generation"
	"github.com/gopalloc/palloc/internal/kind/kinds"
	"github.com/gopalloc/palloc/internal/kind/slab"
)

// The kinds of contexts, as programs see them.
//
// Invariant: a kind that stands in front of another one is shown as that.
//
// Cost: a load.

// A Kind is how a context allocates. The zero Kind is none.
type Kind uint8

// The kinds of contexts.
const (
	KindAllocSet   Kind = Kind(allocset.ID)
	KindSlab       Kind = Kind(slab.ID)
	KindGeneration Kind = Kind(generation.ID)
	KindBump       Kind = Kind(bump.ID)
)

// String returns the name of the kind: AllocSet, Slab, Generation or Bump.
func (k Kind) String() string {
	if m := kinds.Methods[k]; m != nil {
		return m.Name()
	}
	return "no kind"
}

// Frees reports whether single chunks of contexts of the kind can be freed. Those of a Bump
// cannot: to free one is a *Fault, so that no program relies on it. Code that accepts a
// context of any kind asks before: if mc.Kind().Frees() { palloc.FreeSlice(s) }. Any
// goroutine.
//
// PostgreSQL: pfree of a Bump's chunk is an error.
func (k Kind) Frees() bool { return kinds.Methods[k] == nil || kinds.Methods[k].Traits().Frees }

// MarshalText returns the name of the kind, nothing for the zero Kind: so JSON has it.
func (k Kind) MarshalText() ([]byte, error) {
	if k == 0 {
		return nil, nil
	}
	return []byte(k.String()), nil
}

// UnmarshalText sets the kind to that with a name, or to the zero Kind for no name. A name that
// no kind has is an error.
func (k *Kind) UnmarshalText(name []byte) error {
	*k = 0
	if len(name) == 0 {
		return nil
	}
	for id, m := range kinds.Methods {
		if m != nil && m.Name() == string(name) && m.Traits().ShownAs == kind.ID(id) {
			*k = Kind(id)
			return nil
		}
	}
	return fmt.Errorf("palloc: %q is no kind of context", name)
}

// kindIn returns the kind in an epoch. That of a Shared context is KindAllocSet.
func kindIn(epoch uint64) Kind { return Kind(kinds.Traits(kind.KindOf(epoch)).ShownAs) }

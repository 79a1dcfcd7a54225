package palloc

import (
	"github.com/gopalloc/palloc/internal/kind"
	"github.com/gopalloc/palloc/internal/tree"
)

// NewOfKind creates a context of a kind that has no public constructor, as such a
// constructor would.
func NewOfKind(parent Context, id uint64, name string, opts ...Option) Context {
	return newContext(parent, kind.ID(id), name, opts, tree.Create, createWith)
}

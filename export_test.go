package palloc

import "github.com/gopalloc/palloc/internal/kind"

// NewOfKind creates a context of a kind that has no public constructor, as such a
// constructor would.
func NewOfKind(parent Context, id uint64, name string, opts ...Option) Context {
	return Context{createWith(parent.ref, kind.ID(id), name, opts)}
}

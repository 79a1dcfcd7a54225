package palloc

import "github.com/gopalloc/palloc/internal/relaxed"

// Idents: what tells several contexts of one name apart.
//
// Invariant: the bit hasIdent of a core is set while the side table has its
// number.
//
// Cost: an entry of a map on Go's heap, for contexts that have an ident.

// SetIdent says which one of several contexts of one name this is: "portal 17".
// Empty takes the ident away. The string is kept on Go's heap, over resets,
// until the context is deleted. Any goroutine.
//
// PostgreSQL: MemoryContextSetIdentifier, MemoryContextCopyAndSetIdentifier.
func (mc Context) SetIdent(ident string) {
	defer mc.lock("Context.SetIdent").unlock()
	s := mc.slot()
	if ident == "" {
		s.forgetIdent()
		return
	}
	if tree.idents == nil {
		tree.idents = make(map[uint32]string)
	}
	tree.idents[s.Number] = lasting(ident)
	relaxed.Store32(&s.has, s.has|hasIdent)
}

// Ident is what SetIdent said last, or empty. Any goroutine.
//
// PostgreSQL: MemoryContextData.ident.
func (mc Context) Ident() string {
	defer mc.lock("Context.Ident").unlock()
	return mc.slot().ident()
}

func (s *core) ident() string {
	if s.has&hasIdent == 0 {
		return ""
	}
	return tree.idents[s.Number]
}

func (s *core) forgetIdent() {
	if s.has&hasIdent != 0 {
		delete(tree.idents, s.Number)
		relaxed.Store32(&s.has, s.has&^hasIdent)
	}
}

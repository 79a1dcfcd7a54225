package palloc

import "github.com/gopalloc/palloc/internal/relaxed"

// Idents: what tells several contexts of one name apart.
//
// Invariant: the bit hasIdent of a core is set while the side table has its
// number.
//
// Cost: a place for a string on Go's heap for each of the 256 cores next to one
// that has an ident.

// SetIdent says which one of several contexts of one name this is: "portal 17".
// Empty takes the ident away. The string is kept on Go's heap, over resets,
// until the context is deleted. Any goroutine.
//
// PostgreSQL: MemoryContextSetIdentifier, MemoryContextCopyAndSetIdentifier.
func (mc Context) SetIdent(ident string) {
	const op = "Context.SetIdent"
	if ident == "" {
		defer mc.lock(op).unlock()
		mc.slot().forgetIdent()
		return
	}
	ident = lasting(ident)
	defer mc.lockToEnter(op, hasIdent).unlock()
	*tree.idents.at(mc.core.Number()) = ident
}

// Ident is what SetIdent said last, or empty. Any goroutine.
//
// PostgreSQL: MemoryContextData.ident.
func (mc Context) Ident() string {
	defer mc.lock("Context.Ident").unlock()
	return mc.slot().ident()
}

func (s *core) ident() string {
	if s.Has&hasIdent == 0 {
		return ""
	}
	return *tree.idents.at(s.Number())
}

func (s *core) forgetIdent() {
	if s.Has&hasIdent != 0 {
		*tree.idents.at(s.Number()) = ""
		relaxed.Store32(&s.Has, s.Has&^hasIdent)
	}
}

// sideTable has a value for each core, in pages that are made when one of their
// values is asked for. Its lock must be held.
type sideTable[T any] []*[256]T

func (t *sideTable[T]) at(number uint32) *T {
	page := int(number / 256)
	if n := page + 1 - len(*t); n > 0 {
		*t = append(*t, make([]*[256]T, n)...)
	}
	if (*t)[page] == nil {
		(*t)[page] = new([256]T)
	}
	return &(*t)[page][number%256]
}

// look is at, but answers nil rather than to make a page.
func (t sideTable[T]) look(number uint32) *T {
	if page := int(number / 256); page < len(t) && t[page] != nil {
		return &t[page][number%256]
	}
	return nil
}

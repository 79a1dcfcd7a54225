package tree

import "github.com/gopalloc/palloc/internal/relaxed"

// Side tables: what few contexts have, by the numbers of their nodes, on Go's heap.
//
// Invariant: the bit HasIdent of a node is set while idents has its number.
//
// Cost: a value for each of the 256 nodes next to one that has one.

// SideTable has a value for each node, in pages that At makes on demand. Its user guards it.
type SideTable[T any] []*[256]T

// At returns a pointer to a node's value.
func (t *SideTable[T]) At(number uint32) *T {
	page := int(number / 256)
	if n := page + 1 - len(*t); n > 0 {
		*t = append(*t, make([]*[256]T, n)...)
	}
	if (*t)[page] == nil {
		(*t)[page] = new([256]T)
	}
	return &(*t)[page][number%256]
}

// Look works as At does, but returns nil instead of making a page.
func (t SideTable[T]) Look(number uint32) *T {
	if page := int(number / 256); page < len(t) && t[page] != nil {
		return &t[page][number%256]
	}
	return nil
}

// idents has the idents, which tell contexts of one name apart. The tree's lock guards it.
var idents SideTable[string]

// SetIdent sets the context's ident; "" removes it. Any goroutine.
func (mc Ref) SetIdent(op, ident string) {
	if ident == "" {
		defer mc.Lock(op).Unlock()
		mc.Node().forgetIdent()
		return
	}
	ident = lasting(ident)
	defer mc.LockToEnter(op, HasIdent).Unlock()
	*idents.At(mc.Core.Number()) = ident
}

// Ident returns the context's ident, "" if it has none. The tree's lock must be held.
func (s *Node) Ident() string {
	if s.Has&HasIdent == 0 {
		return ""
	}
	return *idents.At(s.Number())
}

func (s *Node) forgetIdent() {
	if s.Has&HasIdent != 0 {
		*idents.At(s.Number()) = ""
		relaxed.Store32(&s.Has, s.Has&^HasIdent)
	}
}

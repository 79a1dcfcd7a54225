package tree

import "github.com/gopalloc/palloc/internal/relaxed"

// Side tables: what few contexts have, by the numbers of their nodes, on Go's heap.
//
// Invariant: the bit HasLongIdent of a node is set while idents has a long one of its context.
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

// An ident tells a context from others of its name.
type ident struct {
	epoch uint64 // of the context that has it: another one of the node has none
	text  string
}

// idents has the idents of contexts. The tree's lock guards it.
var idents SideTable[ident]

// maxShortIdent is the length in bytes of the longest ident that a deletion leaves alone, so
// that it needs no lock: it stays until the node is freed, or its next context has an ident.
const maxShortIdent = 256

// SetIdent sets the context's ident; "" removes it. Any goroutine.
func (mc Ref) SetIdent(op, text string) {
	text = lasting(text)
	if len(text) > maxShortIdent {
		mc.LockToEnter(op, HasLongIdent)
	} else {
		mc.Lock(op)
		mc.Node().forgetLongIdent()
	}
	*idents.At(mc.Core.Number()) = ident{mc.Epoch, text}
	Unlock()
}

// Ident returns the context's ident, "" if it has none. The tree's lock must be held.
func (s *Node) Ident() string {
	if e := idents.Look(s.Number()); e != nil && e.epoch == relaxed.Load64(&s.Epoch) {
		return e.text
	}
	return ""
}

// forgetLongIdent forgets an ident of more than maxShortIdent bytes.
func (s *Node) forgetLongIdent() {
	if s.Has&HasLongIdent != 0 {
		*idents.At(s.Number()) = ident{}
		relaxed.Store32(&s.Has, s.Has&^HasLongIdent)
	}
}

// forgetIdent forgets what a node that is freed has left of an ident.
func (s *Node) forgetIdent() {
	if e := idents.Look(s.Number()); e != nil {
		*e = ident{}
	}
}

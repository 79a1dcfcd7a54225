package palloc

import (
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
)

// names is the table of the contexts' names: each once, by number. Cores hold
// no Go strings, so that a million contexts give the collector nothing to scan.
//
// Invariant: an entry never changes and is never freed. Names are constants of
// the program; should somebody make them up by the thousand, those beyond
// mostNames share one entry, and the ident is the place for them.
//
// Cost: a context whose slot had the same name before costs two compares.
var names nameTable

const (
	mostNames = 1 << 16
	manyNames = "(more names than palloc keeps: use SetIdent)"
)

type nameTable struct {
	text   []string
	number map[string]uint32
}

// at is the text of a number. The tree's lock must be held.
func (t *nameTable) at(n uint32) string {
	if int(n) >= len(t.text) {
		return ""
	}
	return t.text[n]
}

// intern is the number of a name; last is the number most likely. The tree's
// lock must be held.
func (t *nameTable) intern(name string, last uint32) uint32 {
	if int(last) < len(t.text) && same(t.text[last], name) {
		return last
	}
	return t.lookUp(name)
}

// same compares addresses, not bytes: kept strings are never freed, so that an
// equal address means equal bytes.
func same(kept, name string) bool {
	return len(kept) == len(name) && unsafe.StringData(kept) == unsafe.StringData(name) // only compared
}

// lookUp is apart from intern, which creation inlines.
func (t *nameTable) lookUp(name string) uint32 {
	if n, ok := t.number[name]; ok {
		return n
	}
	if len(t.text) >= mostNames {
		name = manyNames
		if n, ok := t.number[name]; ok {
			return n
		}
	}
	if t.number == nil {
		t.number = make(map[string]uint32)
		t.text = append(t.text, "")
	}
	if _, ours := block.Find(uintptr(unsafe.Pointer(unsafe.StringData(name)))); ours { // only asked about
		name = strings.Clone(name) // a context's memory does not last
	}
	n := uint32(len(t.text))
	t.text = append(t.text, name)
	t.number[name] = n
	return n
}

package palloc

import (
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/relaxed"
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
	text    []string
	numbers map[string]uint32
}

// at is the text of a number. The tree's lock must be held.
func (t *nameTable) at(n uint32) string {
	if int(n) >= len(t.text) {
		return ""
	}
	return t.text[n]
}

// sameName says whether the core has that name from its last life. It compares
// addresses, not bytes: kept strings are never freed, so that an equal address
// means equal bytes. It needs no lock.
func (s *core) sameName(name string) bool {
	key := nameKey(name)
	return key == relaxed.Load64(&s.nameKey) && key != 0
}

// nameKey is the address and the length of a string in one word, 0 for a string
// too long for that.
func nameKey(name string) uint64 {
	if len(name) >= 1<<16 {
		return 0
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.StringData(name)))) ^ uint64(len(name))<<48 // only compared
}

// setName gives the core a name. The tree's lock must be held.
func (s *core) setName(name string) {
	n := names.number(name)
	relaxed.Store64(&s.nameKey, nameKey(names.at(n)))
	relaxed.Store32(&s.name, n)
}

// number is the number of a name, a new one if need be. The tree's lock must be
// held.
func (t *nameTable) number(name string) uint32 {
	if n, ok := t.numbers[name]; ok {
		return n
	}
	if len(t.text) >= mostNames {
		name = manyNames
		if n, ok := t.numbers[name]; ok {
			return n
		}
	}
	if t.numbers == nil {
		t.numbers = make(map[string]uint32)
		t.text = append(t.text, "")
	}
	name = lasting(name)
	n := uint32(len(t.text))
	t.text = append(t.text, name)
	t.numbers[name] = n
	return n
}

// lasting is a string that may be kept: one whose bytes lie in a context is
// copied, for a context's memory does not last.
func lasting(s string) string {
	if _, ours := block.Find(uintptr(unsafe.Pointer(unsafe.StringData(s)))); ours { // only asked about
		return strings.Clone(s)
	}
	return s
}

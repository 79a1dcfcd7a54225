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
	usualNames = 200 // as many as a large program has, so that the tables seldom grow
	mostNames  = 1 << 16
	manyNames  = "(more names than palloc keeps: use SetIdent)"
)

type nameTable struct {
	text    []string
	habits  []habit // by the same numbers
	numbers map[string]uint32
	recent  [1 << recentShift]recentName
}

// recentName is a name that was asked for by its address.
type recentName struct {
	key    uint64 // see nameKey
	number uint32
}

const recentShift = 8

// habit is what contexts of a name do. The tree's lock must be held.
func (t *nameTable) habit(n uint32) *habit { return &t.habits[n] }

// at is the text of a number. The tree's lock must be held.
func (t *nameTable) at(n uint32) string {
	if uint(n) >= uint(len(t.text)) {
		return ""
	}
	return t.text[n]
}

// nameKey is the address and the length of a string in one word, 0 for a string
// too long for that. Kept strings are never freed, so that an equal key means
// equal bytes, and a core says without a lock whether it has a name.
func nameKey(name string) uint64 {
	if len(name) >= 1<<16 {
		return 0
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.StringData(name)))) ^ uint64(len(name))<<48 // only compared
}

// setName gives the core the name of a number. The tree's lock must be held.
func (s *core) setName(n uint32) {
	if n != s.name {
		relaxed.Store64(&s.nameKey, nameKey(names.at(n)))
		relaxed.Store32(&s.name, n)
	}
}

// find is number for a name that is likely to have come by lately, with the same
// address. The tree's lock must be held.
func (t *nameTable) find(name string) uint32 {
	key := nameKey(name)
	r := &t.recent[key*0x9e3779b97f4a7c15>>(64-recentShift)]
	if r.key == key && key != 0 {
		return r.number
	}
	n := t.number(name)
	if nameKey(t.at(n)) == key { // else the caller's bytes may change
		*r = recentName{key, n}
	}
	return n
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
		t.numbers = make(map[string]uint32, usualNames)
		t.text, t.habits = make([]string, 1, usualNames), make([]habit, 1, usualNames)
	}
	name = lasting(name)
	n := uint32(len(t.text))
	t.text, t.habits = append(t.text, name), append(t.habits, habit{})
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

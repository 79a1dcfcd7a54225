package tree

import (
	"strings"
	"unsafe"

	"github.com/gopalloc/palloc/internal/block"
	"github.com/gopalloc/palloc/internal/relaxed"
)

// names is the table of the contexts' names: each once, by number. Nodes hold no Go
// strings, so that a million contexts give the collector nothing to scan.
//
// Invariant: a name is kept while a node in the tree has it, and after that while it is
// among the maxIdle names that were used last. A node in the tree has the key of its
// name, which is the address of the kept string: while that is kept nothing else can be
// there, so that an equal key means equal bytes. A free node has the serial number of its
// name instead, and may ask whether that is still kept.
//
// Cost: constant. The map and the list of pages grow. The map is made again when few names
// of many are left.
var names nameTable

const (
	maxIdle  = 1024 // names that no context has
	namePage = 64   // names
)

type nameTable struct {
	pages   []*page           // of names, by their numbers; nil where none has one
	partial []uint32          // the pages that have a free number
	numbers map[string]uint32 // of the names
	peak    int               // how many there were since numbers was made
	serial  uint64
	idle    idleNames
	recent  [1 << recentShift]recentName
}

// page has the names of namePage numbers that follow each other.
type page struct {
	names [namePage]name
	used  int
	free  uint32 // a number that is free, 0 when none is: see name.next
}

// name is an entry of the table.
type name struct {
	text   string
	hint   hint
	serial uint64 // since the program began; 0: the number is free
	nodes  uint32 // how many in the tree have it
	prev   uint32 // of those that no node has; 0 at the end
	next   uint32 // as prev; of a free number, the next one on its page
}

// idleNames is a list of the names that no node in the tree has, the oldest first.
type idleNames struct {
	first, last uint32
	count       int
}

// recentName is a name that was looked up by its address.
type recentName struct {
	key    uint64 // see nameKey
	number uint32
}

const recentShift = 8

// of returns what is known of a number, nil when it is free. The tree's lock must be held.
func (t *nameTable) of(n uint32) *name {
	if p := n / namePage; p < uint32(len(t.pages)) && t.pages[p] != nil {
		if e := &t.pages[p].names[n%namePage]; e.serial != 0 {
			return e
		}
	}
	return nil
}

// hint returns what contexts of a name need. The tree's lock must be held.
func (t *nameTable) hint(n uint32) *hint { return &t.of(n).hint }

// at returns the text of a number. The tree's lock must be held.
func (t *nameTable) at(n uint32) string {
	if e := t.of(n); e != nil {
		return e.text
	}
	return ""
}

// nameKey returns the address and the length of a string in one word; 0 for a string that
// is too long for that.
func nameKey(name string) uint64 {
	if len(name) >= 1<<16 {
		return 0
	}
	return uint64(uintptr(unsafe.Pointer(unsafe.StringData(name)))) ^ uint64(len(name))<<48 // only compared
}

// setName gives a node that comes into the tree the name with number n. The tree's lock
// must be held.
func (s *Node) setName(n uint32) {
	e := names.of(n)
	if e.nodes++; e.nodes == 1 {
		names.unlinkIdle(n, e)
	}
	relaxed.Store64(&s.nameKey, nameKey(e.text))
	relaxed.Store32(&s.name, n)
}

// dropName takes its name from a node that leaves the tree. The tree's lock must be held.
func (s *Node) dropName() {
	e := names.of(s.name)
	relaxed.Store64(&s.nameKey, e.serial)
	if e.nodes--; e.nodes == 0 {
		names.linkIdle(s.name, e)
	}
}

// Name returns the name of a node, "" when it is free and its name was not kept. The tree's
// lock must be held.
func (s *Node) Name() string {
	e := names.of(s.name)
	if e == nil || s.nameKey != nameKey(e.text) && s.nameKey != e.serial {
		return ""
	}
	return e.text
}

// find is number, with a cache of the names that were looked up lately, by their addresses.
// The tree's lock must be held.
func (t *nameTable) find(name string) uint32 {
	key := nameKey(name)
	r := t.recentAt(key)
	if r.key == key && key != 0 {
		return r.number
	}
	n := t.number(name)
	if nameKey(t.at(n)) == key { // else the caller's bytes may change
		*r = recentName{key, n}
	}
	return n
}

func (t *nameTable) recentAt(key uint64) *recentName {
	return &t.recent[key*0x9e3779b97f4a7c15>>(64-recentShift)]
}

// number returns the number of a name, a new one if need be. The tree's lock must be held.
func (t *nameTable) number(text string) uint32 {
	if n, ok := t.numbers[text]; ok {
		return n
	}
	if t.numbers == nil {
		t.numbers = make(map[string]uint32)
	}
	n := t.open()
	e := &t.pages[n/namePage].names[n%namePage]
	t.serial++
	*e = name{text: lasting(text), serial: t.serial | 1<<63} // no key of a string
	t.numbers[e.text] = n
	t.peak = max(t.peak, len(t.numbers))
	t.linkIdle(n, e) // until a node has it
	return n
}

// lasting returns a string that may be kept: a copy if its bytes lie in a context.
func lasting(s string) string {
	if _, ours := block.Find(uintptr(unsafe.Pointer(unsafe.StringData(s)))); ours { // only asked about
		return strings.Clone(s)
	}
	return s
}

// open returns a free number.
func (t *nameTable) open() (n uint32) {
	if len(t.partial) == 0 {
		t.partial = append(t.partial, uint32(len(t.pages)))
		t.pages = append(t.pages, nil)
	}
	last := len(t.partial) - 1
	at := t.partial[last]
	if t.pages[at] == nil {
		t.pages[at] = newPage(at)
	}
	p := t.pages[at]
	n, p.free = p.free, p.names[p.free%namePage].next
	if p.used++; p.free == 0 {
		t.partial = t.partial[:last]
	}
	return n
}

// newPage returns a page whose numbers are free, but for 0, which is no name's.
func newPage(at uint32) *page {
	p := new(page)
	for i := uint32(namePage); i > 0; i-- {
		if n := at*namePage + i - 1; n != 0 {
			p.names[n%namePage].next = p.free
			p.free = n
		}
	}
	return p
}

// forget forgets a name that no node in the tree has, and releases the blocks that are kept
// for it.
func (t *nameTable) forget(n uint32, e *name) {
	e.hint.release()
	t.unlinkIdle(n, e)
	if r := t.recentAt(nameKey(e.text)); r.number == n {
		*r = recentName{}
	}
	delete(t.numbers, e.text)
	at := n / namePage
	p := t.pages[at]
	*e = name{next: p.free}
	if p.free == 0 {
		t.partial = append(t.partial, at)
	}
	p.free = n
	if p.used--; p.used == 0 {
		t.pages[at] = nil
	}
	t.shrink()
}

// shrink makes the map again when few of many names are left: Go's maps only grow.
func (t *nameTable) shrink() {
	if len(t.numbers) > 2*maxIdle || t.peak < 32*maxIdle {
		return
	}
	was := t.numbers
	t.numbers = make(map[string]uint32, len(was))
	for text, n := range was {
		t.numbers[text] = n
	}
	t.peak = len(was)
}

// linkIdle makes a name the last of those that no node has. The first of more than maxIdle
// is forgotten.
func (t *nameTable) linkIdle(n uint32, e *name) {
	l := &t.idle
	if e.prev, e.next = l.last, 0; e.prev != 0 {
		t.of(e.prev).next = n
	} else {
		l.first = n
	}
	l.last = n
	if l.count++; l.count > maxIdle {
		t.forget(l.first, t.of(l.first))
	}
}

// unlinkIdle removes a name from those that no node has.
func (t *nameTable) unlinkIdle(n uint32, e *name) {
	l := &t.idle
	if l.count--; e.prev != 0 {
		t.of(e.prev).next = e.next
	} else {
		l.first = e.next
	}
	if e.next != 0 {
		t.of(e.next).prev = e.prev
	} else {
		l.last = e.prev
	}
	e.prev, e.next = 0, 0
}
